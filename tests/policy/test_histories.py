"""Any history, cut anywhere: what is sent is a sound conversation, and every message of a person is in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from longshift.contracts.model import CallDigest, ToolClass, Usage
from longshift.contracts.task import TaskSpec
from longshift.contracts.transcript import AnswerRecord, Message, Note, ResultRecord, SealedResult, SealRecord, Speaker
from longshift.contracts.workspace import Workspace
from longshift.policy import answers, notes, prompt, transcript, trimming

TASK = TaskSpec(id="t", title="t", instructions="do it", constraints=("keep the API",))
WORKSPACE = Workspace(workspace_id="t", root="/w/t", host_id="h", host_queue="q")
THINKING = {"type": "thinking", "thinking": "hm", "signature": "s"}
OTHERS = [{"type": "redacted_thinking", "data": "x"}, {"type": "server_tool_use", "id": "srv", "name": "search"}]
REASONS = ["tool_use", "end_turn", "max_tokens", "model_context_window_exceeded", "pause_turn"]


@dataclass(frozen=True)
class Step:
    """A closed step."""

    answer: AnswerRecord
    results: dict[int, ResultRecord]
    seal: SealRecord


@st.composite
def steps(draw: st.DrawFn) -> Step:
    """A step of any shape: call ids count anew in each and are made unique by the caller."""
    count = draw(st.integers(0, 4))
    uses: list[dict[str, Any]] = [
        {"type": "tool_use", "id": f"c{i}", "name": "bash", "input": {}} for i in range(count)
    ]
    text = [{"type": "text", "text": "words"}] if draw(st.booleans()) else []
    before = draw(st.lists(st.sampled_from([THINKING, *OTHERS]), max_size=2))
    content: list[dict[str, Any]] = [*before, *text, *uses] if draw(st.booleans()) else [*text, *uses, *before]
    rejected = draw(st.sets(st.integers(0, 3)))
    reason = draw(st.sampled_from(REASONS))
    record = AnswerRecord(
        content=tuple(content),
        stop_reason=reason,
        calls=tuple(_digest(i, rejected=i in rejected) for i in range(count)),
        usage=Usage(),
        model="m",
        notes=draw(_said),
        rejections={str(i): "no such argument" for i in rejected if i < count},
        truncated=answers.is_cut_in_call(reason, content),
    )
    record = answers.without_cut_call(record)
    told = draw(st.lists(st.booleans(), min_size=len(record.calls), max_size=len(record.calls)))
    lines = tuple(
        SealedResult(call_id=call.call_id, index=call.index, text="lost" if is_told else None, is_error=is_told)
        for call, is_told in zip(record.calls, told, strict=True)
    )
    output = draw(st.sampled_from(["", "out", "x" * 5_000]))
    results = {line.index: ResultRecord(text=output) for line in lines if line.text is None}
    return Step(record, results, SealRecord(results=lines, notes=draw(_said_at_the_end)))


_note = st.builds(Note, speaker=st.sampled_from(Speaker), text=st.sampled_from(["use tabs", "hurry", "ö \n x"]))
_said = st.lists(_note, max_size=2).map(tuple)
_said_at_the_end = st.lists(st.just(Note(speaker=Speaker.RUNNER, text="call a tool")), max_size=1).map(tuple)


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    """Steps in a row, with ids that are unique as the check of calls makes them."""
    return [_numbered(step, number) for number, step in enumerate(draw(st.lists(steps(), max_size=8)), 1)]


def _digest(index: int, *, rejected: bool) -> CallDigest:
    return CallDigest(
        index=index,
        call_id=f"c{index}",
        name="bash",
        tool_class=ToolClass.EFFECT,
        arguments_hash="0",
        rejected=rejected,
    )


def _numbered(step: Step, number: int) -> Step:
    answer = step.answer.model_copy(
        update={
            "content": tuple({**b, "id": f"s{number}{b['id']}"} if "id" in b else b for b in step.answer.content),
            "calls": tuple(c.model_copy(update={"call_id": f"s{number}{c.call_id}"}) for c in step.answer.calls),
        }
    )
    lines = tuple(line.model_copy(update={"call_id": f"s{number}{line.call_id}"}) for line in step.seal.results)
    return Step(answer, step.results, step.seal.model_copy(update={"results": lines}))


def conversation(opening: Sequence[Message], history: Sequence[Step], thinking: Any = "all") -> list[Message]:
    """What a view makes of the steps."""
    messages = list(opening)
    for step in history:
        for message in (
            transcript.notes_message(step.answer.notes),
            transcript.assistant_message(step.answer, thinking),
            transcript.user_message(step.answer, step.results, step.seal),
        ):
            if message is not None:
                _append(messages, message)
    return messages


def _append(messages: list[Message], message: Message) -> None:
    if messages[-1]["role"] == message["role"] == "user":
        messages[-1] = transcript.joined(messages[-1], message)
    else:
        messages.append(message)


def said_by_people(history: Sequence[Step]) -> list[str]:
    return [notes.rendered(note) for step in history for note in step.answer.notes if note.speaker is Speaker.PERSON]


def texts(messages: Sequence[Message]) -> list[str]:
    return [block["text"] for message in messages for block in message["content"] if block["type"] == "text"]


OPENING = prompt.opening_messages(TASK, WORKSPACE, "rules")
THINKINGS = st.sampled_from(["all", "none"])


@settings(deadline=None)
@given(histories(), THINKINGS)
def test_every_beginning_of_a_history_is_sound_and_holds_what_people_said(history: list[Step], thinking: str) -> None:
    for cut in range(len(history) + 1):
        messages = conversation(OPENING, history[:cut], thinking)
        assert [] == transcript.violations(messages)
        assert said_by_people(history[:cut]) == [t for t in texts(messages) if t.startswith("<message-from-person>")]
        _append(messages, prompt.handoff_message())
        assert [] == transcript.violations(messages)


@settings(deadline=None)
@given(histories(), THINKINGS)
def test_the_beginning_of_a_request_is_the_request_before(history: list[Step], thinking: str) -> None:
    """Only an answer that cannot be sent back lets the next message join the last one."""
    before = conversation(OPENING, [], thinking)
    for cut, step in enumerate(history, 1):
        after = conversation(OPENING, history[:cut], thinking)
        kept = before if transcript.assistant_message(step.answer, thinking) and not step.answer.notes else before[:-1]  # pyright: ignore[reportArgumentType]  # drawn from the literals
        assert kept == after[: len(kept)]
        assert before[-1]["content"] == after[len(before) - 1]["content"][: len(before[-1]["content"])]
        before = after


@settings(deadline=None)
@given(histories(), st.data())
def test_an_epoch_that_begins_at_any_step_is_sound_and_holds_what_people_said(
    history: list[Step], data: st.DataObject
) -> None:
    """Two hand-offs in a row, each anywhere."""
    first = data.draw(st.integers(0, len(history)))
    second = data.draw(st.integers(first, len(history)))
    people: tuple[str, ...] = ()
    start, opening = 0, OPENING
    for cut in (first, second):
        people = (*people, *said_by_people(history[start:cut]))
        opening = prompt.epoch_messages(OPENING, people, "- [ ] go on", ("a.py",), "a note")
        start = cut
        for end in range(cut, len(history) + 1):
            assert [] == transcript.violations(conversation(opening, history[cut:end]))
    assert said_by_people(history[:second]) == [t for t in texts(opening) if t.startswith("<message-from-person>")]


@settings(deadline=None)
@given(histories(), st.floats(0, 1), THINKINGS)
def test_clearing_any_share_of_the_results_keeps_the_conversation_sound(
    history: list[Step], share: float, thinking: str
) -> None:
    messages = conversation(OPENING, history, thinking)
    cleared = trimming.with_cleared_results([orjson.dumps(m) for m in messages], share, orjson.loads, orjson.dumps)
    parsed = [orjson.loads(message) for message in cleared]
    assert [] == transcript.violations(parsed)
    assert texts(messages) == texts(parsed)
