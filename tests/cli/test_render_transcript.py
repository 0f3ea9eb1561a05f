"""Entries of a transcript for people and for machines."""

import json
from typing import Any

import pytest

from longshift.cli import render_transcript
from longshift.cli.output import write_json
from longshift.contracts.model import CallDigest, ToolClass, Usage
from longshift.contracts.transcript import (
    AnswerRecord,
    Block,
    CarriedSteps,
    EpochBase,
    EpochCause,
    HandoffRecord,
    Note,
    Speaker,
)
from longshift.sessions import transcript_document
from longshift.sessions.transcript_reader import (
    AnswerEntry,
    CallResult,
    Entry,
    HandoffEntry,
    OpeningEntry,
    SealEntry,
)
from tests.cli.pages import HOSTILE, UNSAFE, shown

AGENT = "mend/lead"
PERSON = Note(speaker=Speaker.PERSON, text="use sqlite")
RUNNER = Note(speaker=Speaker.RUNNER, text="wrap up")


def answer(*content: Block, **fields: Any) -> AnswerEntry:
    calls = tuple(
        CallDigest(
            index=index,
            call_id=f"c{index}",
            name=block["name"],
            tool_class=ToolClass.PURE,
            arguments_hash="",
            summary=block["name"],
        )
        for index, block in enumerate(content)
        if block["type"] == "tool_use"
    )
    record = AnswerRecord(content=content, stop_reason="tool_use", calls=calls, usage=Usage(), model="m", **fields)
    return AnswerEntry(AGENT, 1, 3, record)


def opening(epoch: int = 1, text: str = "Do it.") -> OpeningEntry:
    messages = ({"role": "user", "content": [{"type": "text", "text": text}]},)
    return OpeningEntry(AGENT, epoch, EpochBase(system="s", tools=(), messages=messages, first_step=1))


def rolled_back(*carried: CarriedSteps) -> OpeningEntry:
    base = EpochBase(
        system="s",
        tools=(),
        messages=({"role": "user", "content": [{"type": "text", "text": "Do it."}]},),
        first_step=9,
        cause=EpochCause.ROLLBACK,
        carried=carried,
    )
    return OpeningEntry(AGENT, 2, base)


def seal(text: str = "ok", *notes: Note, is_error: bool = False, name: str = "bash") -> SealEntry:
    return SealEntry(AGENT, 1, 3, (CallResult("c0", name, f"{name}: ls", text, is_error),), notes)


def handoff(note: str = "half done", reason: str = "time") -> HandoffEntry:
    return HandoffEntry(AGENT, HandoffRecord(note=note, step=4, reason=reason))


def full(entry: Entry, *, all_lines: bool = False) -> str:
    return shown(*render_transcript.full(entry, all_lines=all_lines))


def brief(entry: Entry) -> str:
    return shown(*render_transcript.brief(entry))


KEPT = CarriedSteps(agent=AGENT, epoch=1, first_step=1, end_step=5)


def test_a_rollback_is_told_and_its_opening_is_not_shown_again() -> None:
    assert f"── {AGENT} · epoch 2, from step 9 · rolled back to step 4 ──" == full(rolled_back(KEPT)).strip()
    assert ["rolled back to step 4", "rolled back to step 0"] == [
        brief(each).strip() for each in (rolled_back(KEPT), rolled_back())
    ]
    document = transcript_document.document(rolled_back(KEPT))
    assert ("rollback", 5) == (document["cause"], document["carried"][0]["end_step"])


class TestForPeople:
    def test_an_answer_shows_thinking_text_and_calls_with_their_arguments(self) -> None:
        text = full(
            answer(
                {"type": "thinking", "thinking": "hm"},
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "name": "bash", "input": {"command": "ls\npwd", "timeout_seconds": 5}},
            )
        )
        assert "── step 3 · tool_use · 0 tokens in (0 cached), 0 out ──\nhm\nI look.\n→ bash\n" in text
        assert "    command:\n      ls\n      pwd\n    timeout_seconds: 5\n" in text

    def test_calls_that_did_not_run_say_so(self) -> None:
        text = full(answer(rejections={"0": "no such tool"}, truncated=True, leaked=True))
        assert "✗ call 0 was not run: no such tool" in text
        assert "cut off by the output limit" in text
        assert "calls arrived as text" in text

    def test_a_long_result_keeps_head_and_tail_unless_all_is_asked_for(self) -> None:
        entry = seal("\n".join(f"line {number}" for number in range(100)))
        text = full(entry)
        assert "line 0\n" in text
        assert "… 60 lines left out (--full shows them) …" in text
        assert "line 99\n" in text
        assert "line 50\n" not in text
        assert "line 50\n" in full(entry, all_lines=True)

    def test_a_long_argument_says_how_long_it_is(self) -> None:
        text = full(answer({"type": "tool_use", "name": "write_file", "input": {"content": "x" * 5_000}}))
        assert "… (5,000 characters)" in text

    def test_unknown_blocks_and_arguments_of_any_kind_are_shown(self) -> None:
        text = full(answer({"type": "new"}, {"type": "tool_use", "name": "odd", "input": ["a"]}))
        assert "[new]\n→ odd\n" in text

    def test_messages_name_their_sender(self) -> None:
        text = full(seal("ok", PERSON, RUNNER))
        assert "message from a person: use sqlite\nmessage from the runner: wrap up\n" in text

    def test_the_brief_form_is_a_line_for_each_thing(self) -> None:
        call: Block = {"type": "tool_use", "name": "bash", "input": {}}
        assert "step 3  I look.\n  → bash\n" == brief(answer({"type": "text", "text": "I look.\nMore."}, call))
        assert "  ✓ bash: ls\nmessage from a person: use sqlite\n" == brief(seal("ok", PERSON, RUNNER))
        assert "  ✗ bash: ls  exit 1\n" == brief(seal("exit 1\nmore", is_error=True))
        assert "hand-off note written: time\n" == brief(handoff())
        assert ("", "context compacted: epoch 2\n") == (brief(opening()), brief(opening(2)))

    @pytest.mark.parametrize(
        "entry",
        [
            opening(text=HOSTILE),
            answer(
                {"type": "thinking", "thinking": HOSTILE},
                {"type": "text", "text": HOSTILE},
                {"type": "tool_use", "name": HOSTILE, "input": {HOSTILE: HOSTILE, "list": [HOSTILE]}},
                {"type": HOSTILE},
                rejections={"0": HOSTILE},
                notes=(Note(speaker=Speaker.PERSON, text=HOSTILE),),
            ),
            seal(HOSTILE, Note(speaker=Speaker.PERSON, text=HOSTILE), is_error=True, name=HOSTILE),
            handoff(HOSTILE, HOSTILE),
        ],
        ids=["opening", "answer", "seal", "handoff"],
    )
    def test_nothing_hostile_reaches_the_terminal_raw(self, entry: Entry) -> None:
        assert set() == UNSAFE & set(full(entry) + brief(entry))


class TestForMachines:
    @pytest.mark.parametrize(
        ("entry", "event", "keys"),
        [
            (opening(), "opening", {"epoch", "messages", "first_step"}),
            (answer({"type": "text", "text": HOSTILE}), "answer", {"epoch", "step", "content", "usage"}),
            (seal("ok", PERSON), "seal", {"epoch", "step", "results", "notes"}),
            (handoff(), "handoff", {"note", "step", "reason"}),
        ],
        ids=["opening", "answer", "seal", "handoff"],
    )
    def test_every_entry_is_one_line_of_json(
        self, entry: Entry, event: str, keys: set[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        write_json(transcript_document.document(entry))
        line, rest = capsys.readouterr().out.split("\n")
        found = json.loads(line)
        assert ("", event, AGENT, set[str]()) == (rest, found["event"], found["agent"], keys - set(found))

    def test_text_is_kept_as_it_was_written(self, capsys: pytest.CaptureFixture[str]) -> None:
        write_json(transcript_document.document(answer({"type": "text", "text": HOSTILE})))
        assert HOSTILE == json.loads(capsys.readouterr().out)["content"][0]["text"]
