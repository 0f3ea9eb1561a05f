"""Closed steps of any shape, for properties of conversations."""

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from longshift.contracts.model import CallDigest, ToolClass, Usage
from longshift.contracts.transcript import AnswerRecord, Note, ResultRecord, SealedResult, SealRecord, Speaker
from longshift.policy import answers, notes

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
    return [numbered(step, number) for number, step in enumerate(draw(st.lists(steps(), max_size=8)), 1)]


def _digest(index: int, *, rejected: bool) -> CallDigest:
    return CallDigest(
        index=index,
        call_id=f"c{index}",
        name="bash",
        tool_class=ToolClass.EFFECT,
        arguments_hash="0",
        rejected=rejected,
    )


def numbered(step: Step, number: int) -> Step:
    """The step as that of this number: its call ids are unique, as the check of calls makes them."""
    answer = step.answer.model_copy(
        update={
            "content": tuple({**b, "id": f"s{number}{b['id']}"} if "id" in b else b for b in step.answer.content),
            "calls": tuple(c.model_copy(update={"call_id": f"s{number}{c.call_id}"}) for c in step.answer.calls),
        }
    )
    lines = tuple(line.model_copy(update={"call_id": f"s{number}{line.call_id}"}) for line in step.seal.results)
    return Step(answer, step.results, step.seal.model_copy(update={"results": lines}))


def said_by_people(history: list[Step]) -> list[str]:
    """What people said in these steps, as the model reads it."""
    return [notes.rendered(note) for step in history for note in step.answer.notes if note.speaker is Speaker.PERSON]
