"""`transcript`: Markdown that nothing breaks out of, and JSON lines; without an engine."""

import asyncio
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshift.adapters.store import Transcripts, open_store
from longshift.cli.transcript_markdown import CAUSES, fenced, markdown
from longshift.contracts import ids
from longshift.contracts.model import Usage
from longshift.contracts.transcript import AnswerRecord, CarriedSteps, EpochBase, EpochCause, HandoffRecord
from longshift.sessions.transcript_reader import AnswerEntry, OpeningEntry
from tests.cli.conftest import Command
from tests.cli.test_store_commands import put_session, put_step

BREAKING = "```\n</details>\n# out\n````\n~~~\n<script>"


def outside(text: str) -> str:
    """A Markdown text without its fenced blocks, as CommonMark reads them."""
    kept: list[str] = []
    fence = ""
    for line in text.splitlines():
        found = re.match(r"(`{3,})", line)
        if not fence and found:
            fence = found[1]
        elif fence:
            closing = re.fullmatch(r" {0,3}(`{3,})[ \t]*", line)
            fence = "" if closing and len(closing[1]) >= len(fence) else fence
        else:
            kept.append(line)
    assert not fence, "a block was left open"
    return "\n".join(kept)


@given(st.text(st.sampled_from("`~ab\n\t #<>\r"), max_size=60))
def test_nothing_ends_its_own_block(text: str) -> None:
    assert "" == outside(fenced(text)).strip()


def test_every_cause_has_its_words() -> None:
    assert set(EpochCause) == set(CAUSES)


def test_an_answer_stays_within_its_blocks() -> None:
    content = (
        {"type": "thinking", "thinking": BREAKING},
        {"type": "text", "text": BREAKING},
        {"type": "tool_use", "id": "c", "name": "bash", "input": {"command": BREAKING}},
    )
    answer = AnswerRecord(content=content, stop_reason="tool_use", calls=(), usage=Usage(), model="m")
    text = markdown(AnswerEntry("t/lead", 1, 7, answer))
    told = [line for line in outside(text).splitlines() if line]
    assert ["### Step 7", "<details><summary>Thinking</summary>", "</details>", "**→ bash**"] == told


def test_an_epoch_says_why_it_was_begun_and_what_it_carries() -> None:
    carried = (
        CarriedSteps(agent="t/lead", epoch=1, first_step=3, end_step=7, cleared=True),
        CarriedSteps(agent="t/lead", epoch=1, first_step=7, end_step=8, foreign=True),
    )
    base = EpochBase(
        system="s",
        tools=(),
        messages=({"role": "user", "content": [{"type": "text", "text": BREAKING}]},),
        first_step=8,
        handoff=HandoffRecord(note="Half done.", step=8),
        carried=carried,
        cause=EpochCause.HANDOFF,
    )
    text = markdown(OpeningEntry("t/lead", 2, base))
    told = [line for line in outside(text).splitlines() if line]
    assert [
        "## t/lead: epoch 2, from step 8",
        "- begun because the context was compacted into a hand-off note",
        "- carries steps 3 to 6 of t/lead, epoch 1 (results cleared)",
        "- carries step 7 of t/lead, epoch 1 (of another provider)",
        "**Hand-off note that it began with**",
        "<details><summary>Opening messages</summary>",
        "</details>",
    ] == told
    assert "Half done." in text


@pytest.fixture
def stored(data_dir: Path) -> None:
    asyncio.run(put_session(open_store((data_dir / "store").as_uri())))


@pytest.mark.usefixtures("stored")
class TestTheCommand:
    def headings(self, longshift: Command, *options: str) -> list[str]:
        outcome = longshift("transcript", "mend", *options)
        assert 0 == outcome.code, outcome.err
        return [line for line in outside(outcome.out).splitlines() if line.startswith("#")]

    def test_markdown_tells_all_in_order(self, longshift: Command) -> None:
        assert [
            "# Transcript of mend",
            "## mend/lead: epoch 1, from step 1",
            "### Step 1",
            "## mend/lead: epoch 2, from step 2",
            "### Step 2",
            "## mend/lead (time): last hand-off note",
            "## mend/lead-2: epoch 1, from step 1",
            "### Step 1",
        ] == self.headings(longshift)

    def test_parts_are_chosen_by_shift_step_and_epoch(self, longshift: Command) -> None:
        assert "### Step 1" not in self.headings(longshift, "--from-step", "2", "--to-step", "2")
        assert ["## mend/lead-2: epoch 1, from step 1", "### Step 1"] == self.headings(longshift, "--shift", "2")[1:]
        assert 4 == len(self.headings(longshift, "--epochs")[1:])
        assert 3 == len(self.headings(longshift, "--epochs", "--shift", "1")[1:])

    def test_json_lines_are_the_entries_of_logs(self, longshift: Command) -> None:
        lines = [json.loads(line) for line in longshift("transcript", "mend", "--format", "jsonl").out.splitlines()]
        assert longshift("logs", "mend", "--json").document["entries"] == lines
        assert ("opening", None, []) == (lines[0]["cause"], lines[0]["handoff"], lines[0]["carried"])

    def test_it_is_written_into_a_new_file_only(self, longshift: Command, tmp_path: Path) -> None:
        found = longshift("transcript", "mend", "--output", "t.md", "--json").document
        assert {"task_id": "mend", "written": "t.md", "entries": 9} == found
        assert (tmp_path / "t.md").read_text() == longshift("transcript", "mend").out
        again = longshift("transcript", "mend", "--output", "t.md")
        assert (2, True) == (again.code, "t.md exists; remove it" in again.err)

    def test_long_results_are_cut_unless_asked_for_in_full(self, longshift: Command, data_dir: Path) -> None:
        store = open_store((data_dir / "store").as_uri())

        async def put_long() -> None:
            await store.create(ids.task_key("long"), b"{}")
            await Transcripts(store).put_base(
                "long/lead", 1, EpochBase(system="s", tools=(), messages=(), first_step=1)
            )
            await put_step(store, "long/lead", 1, 1, "\n".join(map(str, range(100))))

        asyncio.run(put_long())
        assert "60 lines left out" in longshift("transcript", "long").out
        assert "left out" not in longshift("transcript", "long", "--full").out

    def test_what_does_not_fit_is_refused(self, longshift: Command) -> None:
        refused = longshift("transcript", "mend", "--format", "markdown", "--json")
        assert (2, True) == (refused.code, "leave out --json" in refused.err + refused.out)
        missing = longshift("transcript", "nobody")
        assert (2, True) == (missing.code, "no session 'nobody'" in missing.err)
