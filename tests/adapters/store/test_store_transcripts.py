"""Transcripts: late attempts change nothing, views grow by what is missing, and a cold load gives the same bytes."""

from pathlib import Path

import orjson
import pytest

from longshift.adapters.store import Transcripts, open_store
from longshift.contracts.errors import StoreMissing
from longshift.contracts.model import CallDigest, ToolClass, Usage
from longshift.contracts.transcript import (
    AnswerRecord,
    EpochBase,
    Note,
    ResultRecord,
    SealedResult,
    SealInput,
    Speaker,
)
from longshift.policy.prompt import people_messages
from longshift.policy.transcript import notes_message, violations

AGENT = "t/lead"
BASE = EpochBase(
    system="s", tools=(), messages=({"role": "user", "content": [{"type": "text", "text": "task"}]},), first_step=1
)


def an_answer(step: int, notes: tuple[Note, ...] = ()) -> AnswerRecord:
    call = CallDigest(index=0, call_id=f"c{step}", name="bash", tool_class=ToolClass.EFFECT, arguments_hash="0")
    content = (
        {"type": "thinking", "thinking": f"é {step}", "signature": "s=="},
        {"type": "tool_use", "id": f"c{step}", "name": "bash", "input": {"command": "ls"}},
    )
    usage = Usage(input_tokens=1)
    return AnswerRecord(content=content, stop_reason="tool_use", calls=(call,), usage=usage, model="m", notes=notes)


async def close_step(transcripts: Transcripts, step: int, notes: tuple[Note, ...] = ()) -> None:
    await transcripts.put_answer(AGENT, 1, step, an_answer(step, notes))
    await transcripts.put_result(AGENT, 1, step, 0, ResultRecord(text=f"out {step}"))
    results = (SealedResult(call_id=f"c{step}", index=0),)
    await transcripts.put_seal(SealInput(agent=AGENT, epoch=1, step=step, results=results))


@pytest.fixture
async def transcripts(tmp_path: Path) -> Transcripts:
    transcripts = Transcripts(open_store(f"file://{tmp_path}"))
    await transcripts.put_base(AGENT, 1, BASE)
    return transcripts


async def test_a_late_answer_gives_way_to_the_first(transcripts: Transcripts) -> None:
    first = await transcripts.put_answer(AGENT, 1, 1, an_answer(1))
    late = await transcripts.put_answer(AGENT, 1, 1, an_answer(99))
    assert first == late == await transcripts.find_answer(AGENT, 1, 1)


async def test_a_view_that_grew_step_by_step_has_the_bytes_of_a_cold_load(
    transcripts: Transcripts, tmp_path: Path
) -> None:
    for step in range(1, 100):
        await close_step(transcripts, step, (Note(speaker=Speaker.PERSON, text="hi"),) if step % 7 == 0 else ())
        await transcripts.view(AGENT, 1, step + 1)
    warm = await transcripts.view(AGENT, 1, 100)
    cold = await Transcripts(open_store(f"file://{tmp_path}")).view(AGENT, 1, 100)
    assert warm.messages == cold.messages
    assert violations([orjson.loads(message) for message in cold.messages]) == []


async def test_the_prefix_of_a_request_never_changes(transcripts: Transcripts) -> None:
    before: list[bytes] = []
    for step in range(1, 30):
        messages = list((await transcripts.view(AGENT, 1, step)).messages)
        assert before == messages[: len(before)]
        before = messages
        await close_step(transcripts, step)


async def test_a_request_with_notes_has_the_bytes_that_the_transcript_will_have(transcripts: Transcripts) -> None:
    await close_step(transcripts, 1)
    notes = (Note(speaker=Speaker.PERSON, text="use tabs"),)
    sent = list((await transcripts.view(AGENT, 1, 2)).with_user(notes_message(notes)))
    await close_step(transcripts, 2, notes)
    assert sent == (await transcripts.view(AGENT, 1, 3)).messages[: len(sent)]


async def test_a_step_that_is_not_closed_cannot_be_read_as_closed(transcripts: Transcripts) -> None:
    await transcripts.put_answer(AGENT, 1, 1, an_answer(1))
    with pytest.raises(StoreMissing, match="seal"):
        await transcripts.view(AGENT, 1, 2)


async def test_an_earlier_step_can_be_asked_for_again(transcripts: Transcripts) -> None:
    for step in (1, 2, 3):
        await close_step(transcripts, step)
    await transcripts.view(AGENT, 1, 4)
    assert len((await transcripts.view(AGENT, 1, 2)).messages) == 3


async def test_what_people_said_is_found_for_the_next_epoch(transcripts: Transcripts) -> None:
    said = (Note(speaker=Speaker.PERSON, text="keep the API"), Note(speaker=Speaker.RUNNER, text="15 minutes left"))
    await close_step(transcripts, 1, said)
    answers = [placed.step.answer for placed in await transcripts.steps(AGENT, 1, 2)]
    people = people_messages(BASE.messages, answers)
    assert people == ("<message-from-person>\nkeep the API\n</message-from-person>",)


async def test_views_beyond_the_limit_are_dropped_and_load_again(tmp_path: Path) -> None:
    transcripts = Transcripts(open_store(f"file://{tmp_path}"), views_bytes=10)
    for agent in ("a/lead", "b/lead"):
        await transcripts.put_base(agent, 1, BASE)
    first = list((await transcripts.view("a/lead", 1, 1)).messages)
    await transcripts.view("b/lead", 1, 1)
    assert first == (await transcripts.view("a/lead", 1, 1)).messages
