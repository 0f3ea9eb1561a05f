"""Any history, cut anywhere: what is sent is a sound conversation, and every message of a person is in it."""

from collections.abc import Sequence
from typing import Any, Literal

import orjson
from any_history import Step, histories, said_by_people
from hypothesis import given, settings
from hypothesis import strategies as st

from longshift.contracts.task import TaskSpec
from longshift.contracts.transcript import Message
from longshift.contracts.workspace import Workspace
from longshift.policy import prompt, transcript, trimming

TASK = TaskSpec(id="t", title="t", instructions="do it", constraints=("keep the API",))
WORKSPACE = Workspace(workspace_id="t", root="/w/t", host_id="h", host_queue="q")
OPENING = prompt.opening_messages(TASK, WORKSPACE, "rules")
Thinking = Literal["all", "none"]
THINKINGS = st.sampled_from(["all", "none"])


def conversation(
    history: Sequence[Step], thinking: Thinking = "all", *, cleared_until: int = 0, foreign_until: int = 0
) -> list[Message]:
    """What a view makes of the steps; those before an index are shown as cleared, or as written by another model."""
    messages = list(OPENING)
    for index, step in enumerate(history):
        for message in transcript.step_messages(
            step.answer,
            step.results,
            step.seal,
            thinking=thinking,
            cleared=index < cleared_until,
            foreign_step=index + 1 if index < foreign_until else None,
        ):
            append(messages, message)
    return messages


def append(messages: list[Message], message: Message) -> None:
    if messages[-1]["role"] == message["role"] == "user":
        messages[-1] = transcript.joined(messages[-1], message)
    else:
        messages.append(message)


def texts(messages: Sequence[Message]) -> list[str]:
    blocks: list[dict[str, Any]] = [block for message in messages for block in message["content"]]
    return [block["text"] for block in blocks if block["type"] == "text"]


def people(messages: Sequence[Message]) -> list[str]:
    return [text for text in texts(messages) if text.startswith("<message-from-person>")]


@settings(deadline=None)
@given(histories(), THINKINGS)
def test_every_beginning_of_a_history_is_sound_and_holds_what_people_said(
    history: list[Step], thinking: Thinking
) -> None:
    for cut in range(len(history) + 1):
        messages = conversation(history[:cut], thinking)
        assert [] == transcript.violations(messages)
        assert said_by_people(history[:cut]) == people(messages)
        append(messages, prompt.handoff_message())
        assert [] == transcript.violations(messages)


@settings(deadline=None)
@given(histories(), THINKINGS)
def test_a_request_begins_with_the_request_before(history: list[Step], thinking: Thinking) -> None:
    """Only where an answer cannot be sent back, or a message came with it, does the last message grow."""
    before = conversation([], thinking)
    for cut, step in enumerate(history, 1):
        after = conversation(history[:cut], thinking)
        grows = step.answer.notes or transcript.assistant_message(step.answer, thinking) is None
        kept = before[:-1] if grows else before
        assert kept == after[: len(kept)]
        last = before[-1]["content"]
        assert last == after[len(before) - 1]["content"][: len(last)]
        before = after


@settings(deadline=None)
@given(histories(), st.integers(0, 8), st.integers(0, 8), THINKINGS)
def test_a_history_with_cleared_and_foreign_steps_is_sound_and_says_the_same(
    history: list[Step], cleared_until: int, foreign_until: int, thinking: Thinking
) -> None:
    messages = conversation(history, thinking, cleared_until=cleared_until, foreign_until=foreign_until)
    assert [] == transcript.violations(messages)
    assert texts(conversation(history, thinking)) == texts(messages)


@settings(deadline=None)
@given(histories(), st.floats(0, 1), THINKINGS)
def test_clearing_any_share_of_the_results_keeps_the_conversation_sound(
    history: list[Step], share: float, thinking: Thinking
) -> None:
    messages = conversation(history, thinking)
    cleared = trimming.with_cleared_results([orjson.dumps(m) for m in messages], share, orjson.loads, orjson.dumps)
    parsed = [orjson.loads(message) for message in cleared]
    assert [] == transcript.violations(parsed)
    assert texts(messages) == texts(parsed)
