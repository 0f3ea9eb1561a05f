"""`logs` and `artifacts` of a session that lies in the store; no engine is needed."""

import asyncio
from pathlib import Path

import pytest

from longshift.adapters.store import Store, Transcripts, open_store
from longshift.contracts import ids
from longshift.contracts.activities import SealInput
from longshift.contracts.model import CallDigest, ToolClass, Usage
from longshift.contracts.transcript import (
    AnswerRecord,
    EpochBase,
    HandoffRecord,
    Note,
    ResultRecord,
    SealedResult,
    Speaker,
)
from tests.cli.conftest import Command
from tests.cli.processes import start

HOSTILE = "\x1b[2Jboo"


def base(first_step: int) -> EpochBase:
    messages = ({"role": "user", "content": [{"type": "text", "text": "Do it."}]},)
    return EpochBase(system="s", tools=(), messages=messages, first_step=first_step)


def call(index: int, name: str) -> CallDigest:
    return CallDigest(
        index=index, call_id=f"c{index}", name=name, tool_class=ToolClass.PURE, arguments_hash="", summary=f"{name} it"
    )


async def put_step(store: Store, agent: str, epoch: int, step: int, said: str) -> None:
    """A step with three calls: one that ran, one that was refused, one that was lost."""
    transcripts, calls = Transcripts(store), tuple(map(call, range(3), ("bash", "odd", "glob")))
    content = ({"type": "text", "text": said},)
    answer = AnswerRecord(
        content=content, stop_reason="tool_use", calls=calls, usage=Usage(), model="m", rejections={"1": "no such tool"}
    )
    await transcripts.put_answer(agent, epoch, step, answer)
    await transcripts.put_result(agent, epoch, step, 0, ResultRecord(text=f"{said} done"))
    results = (
        SealedResult(call_id="c0", index=0),
        SealedResult(call_id="c1", index=1),
        SealedResult(call_id="c2", index=2, text="outcome unknown", is_error=True),
    )
    note = Note(speaker=Speaker.PERSON, text="faster")
    await transcripts.put_seal(SealInput(agent=agent, epoch=epoch, step=step, results=results, notes=(note,)))


async def put_session(store: Store) -> None:
    """Two epochs, a hand-off, and a second shift whose answer is not sealed yet."""
    first, second = ids.agent_id("mend"), ids.agent_id("mend", shift=2)
    transcripts = Transcripts(store)
    await store.create(ids.task_key("mend"), b"{}")
    await transcripts.put_base(first, 1, base(1))
    await put_step(store, first, 1, 1, "one")
    await transcripts.put_base(first, 2, base(2))
    await put_step(store, first, 2, 2, "two" + HOSTILE)
    note = HandoffRecord(note="half done", step=3, reason="time")
    await store.create(ids.handoff_key(first), note.model_dump_json().encode())
    await transcripts.put_base(second, 1, base(1))
    answer = AnswerRecord(
        content=({"type": "text", "text": "three"},), stop_reason="end", calls=(), usage=Usage(), model="m"
    )
    await transcripts.put_answer(second, 1, 1, answer)
    await store.create(ids.artifact_key("mend", "patch.diff"), b"+again\n\xff")
    await store.create(ids.artifact_key("mend", "logs/suite.txt"), b"green\n")


@pytest.fixture
def stored(data_dir: Path) -> None:
    asyncio.run(put_session(open_store((data_dir / "store").as_uri())))


@pytest.mark.usefixtures("stored")
class TestLogs:
    def test_the_transcript_is_told_in_order_over_epochs_and_shifts(self, longshift: Command) -> None:
        found = longshift("logs", "mend", "--json").document
        told = [(entry["event"], entry["agent"], entry.get("step")) for entry in found["entries"]]
        assert [
            ("opening", "mend/lead", None),
            ("answer", "mend/lead", 1),
            ("seal", "mend/lead", 1),
            ("opening", "mend/lead", None),
            ("answer", "mend/lead", 2),
            ("seal", "mend/lead", 2),
            ("handoff", "mend/lead", 3),
            ("opening", "mend/lead-2", None),
            ("answer", "mend/lead-2", 1),
        ] == told

    def test_results_are_those_that_the_model_was_given(self, longshift: Command) -> None:
        seal = longshift("logs", "mend", "--step", "1", "--json").document["entries"][1]
        results = [(each["name"], each["text"], each["is_error"]) for each in seal["results"]]
        assert [
            ("bash", "one done", False),
            ("odd", "no such tool", True),
            ("glob", "outcome unknown", True),
        ] == results
        assert ["faster"] == [note["text"] for note in seal["notes"]]

    def test_people_read_the_same_without_control_characters(self, longshift: Command) -> None:
        outcome = longshift("logs", "mend")
        parts = ["✓ bash it", "✗ odd it", "message from a person: faster", "two␛[2Jboo", "hand-off: time", "half done"]
        assert (0, "", []) == (outcome.code, outcome.err, [part for part in parts if part not in outcome.out])
        assert "\x1b" not in outcome.out

    def test_one_step_is_shown_alone(self, longshift: Command) -> None:
        outcome = longshift("logs", "mend", "--step", "2")
        assert (True, False) == ("two done" in outcome.out.replace("␛[2Jboo", ""), "one done" in outcome.out)

    @pytest.mark.parametrize("options", [[], ["--json"]])
    def test_a_step_that_is_not_there_is_remarked(self, longshift: Command, options: list[str]) -> None:
        outcome = longshift("logs", "mend", "--step", "9", *options)
        assert (0, True) == (outcome.code, "no step 9 (yet); `longshift status mend`" in outcome.err)
        if options:
            assert {"task_id": "mend", "entries": []} == outcome.document


@pytest.mark.usefixtures("stored")
class TestArtifacts:
    def test_they_are_listed_by_name(self, longshift: Command) -> None:
        names = ["logs/suite.txt", "patch.diff"]
        assert {"task_id": "mend", "artifacts": names} == longshift("artifacts", "mend", "--json").document
        assert names == longshift("artifacts", "mend").out.splitlines()

    def test_one_is_printed_byte_for_byte(self) -> None:
        with start("artifacts", "mend", "--get", "patch.diff", text=False) as process:
            out, err = process.communicate(timeout=30)
        assert (0, b"+again\n\xff", b"") == (process.returncode, out, err)

    def test_a_session_without_any_says_so(self, longshift: Command, data_dir: Path) -> None:
        asyncio.run(open_store((data_dir / "store").as_uri()).create(ids.task_key("fresh"), b"{}"))
        outcome = longshift("artifacts", "fresh", "--output", "out")
        assert (0, "", "fresh has left nothing yet\n") == (outcome.code, outcome.out, outcome.err)

    def test_an_unknown_one_names_those_that_there_are(self, longshift: Command) -> None:
        outcome = longshift("artifacts", "mend", "--get", "patch")
        assert (2, True) == (outcome.code, "no artifact 'patch'; there are: logs/suite.txt, patch.diff" in outcome.err)

    def test_all_are_written_into_a_folder_and_a_second_time_too(self, longshift: Command, tmp_path: Path) -> None:
        for _ in range(2):
            found = longshift("artifacts", "mend", "--output", "out", "--json").document
            assert ["out/logs/suite.txt", "out/patch.diff"] == found["written"]
        assert b"+again\n\xff" == (tmp_path / "out" / "patch.diff").read_bytes()

    def test_another_file_is_not_overwritten(self, longshift: Command, tmp_path: Path) -> None:
        (tmp_path / "patch.diff").write_text("mine")
        outcome = longshift("artifacts", "mend", "--get", "patch.diff", "--output", ".")
        assert (2, True) == (outcome.code, "exists with other content; remove it" in outcome.err)
        assert "mine" == (tmp_path / "patch.diff").read_text()

    def test_a_folder_that_cannot_be_made_is_named(self, longshift: Command, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        outcome = longshift("artifacts", "mend", "--output", "file")
        assert (2, True) == (outcome.code, "--output: file/logs/suite.txt cannot be written" in outcome.err)
