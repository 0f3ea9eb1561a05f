"""How records become messages, and the invariants that every request keeps.

A step is one assistant message (the answer) and one user message (results in the model's order, then notes).
An answer without content, which no provider accepts back, is left out and its user message joins the one before.
Nothing here estimates sizes or decides what to cut.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from longshift.contracts.transcript import AnswerRecord, Block, Message, Note, ResultRecord, SealRecord
from longshift.policy import notes

CONTINUE = "Continue."
"""Said when a step has neither results nor notes, as an empty message is refused by providers."""


CLEARED_FROM_CHARACTERS = 400
"""A result below this stays when old results are cleared: nothing would be gained."""

_THINKING = frozenset({"thinking", "redacted_thinking"})
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")


def step_messages(
    answer: AnswerRecord,
    results: Mapping[int, ResultRecord],
    seal: SealRecord,
    *,
    thinking: Literal["all", "none"] = "all",
    cleared: bool = False,
    foreign_step: int | None = None,
) -> Iterator[Message]:
    """A closed step as messages, in order; neighbours of one role are for the caller to join.

    `cleared`: results are replaced by a mark. `foreign_step`: another provider's model wrote this step of that number;
    its thinking is left out, as its signatures mean nothing elsewhere, and its call ids are replaced by ones that
    every provider takes.
    """
    if foreign_step is not None:
        answer, seal = _translated(answer, seal, foreign_step)
        thinking = "none"
    if cleared:
        results = {index: _cleared(result, answer, index) for index, result in results.items()}
    for message in (notes_message(answer.notes), assistant_message(answer, thinking)):
        if message is not None:
            yield message
    yield user_message(answer, results, seal)


def _cleared(result: ResultRecord, answer: AnswerRecord, index: int) -> ResultRecord:
    size = len(result.text)
    if size < CLEARED_FROM_CHARACTERS:
        return result
    what = next((call.summary or call.name for call in answer.calls if call.index == index), "the call")
    return result.model_copy(update={"text": f"[cleared to make room: {size} characters of {what}]"})


def clearable_characters(results: Mapping[int, ResultRecord]) -> int:
    """About how much clearing these results would free."""
    return sum(
        len(result.text) - CLEARED_FROM_CHARACTERS // 4
        for result in results.values()
        if len(result.text) >= CLEARED_FROM_CHARACTERS
    )


def _translated(answer: AnswerRecord, seal: SealRecord, step: int) -> tuple[AnswerRecord, SealRecord]:
    """The step with call ids that no provider refuses, unique in the conversation as the step's number is in them."""
    ids = {
        block["id"]: f"s{step}_{position}_{_UNSAFE.sub('_', str(block['id']))}"[:64]
        for position, block in enumerate(answer.content)
        if block.get("type") == "tool_use"
    }
    content = tuple(
        {**block, "id": ids[block["id"]]} if block.get("type") == "tool_use" else block for block in answer.content
    )
    results = tuple(line.model_copy(update={"call_id": ids.get(line.call_id, line.call_id)}) for line in seal.results)
    return answer.model_copy(update={"content": content}), seal.model_copy(update={"results": results})


def assistant_message(answer: AnswerRecord, thinking: Literal["all", "none"] = "all") -> Message | None:
    """The answer as it is sent back, or None when nothing of it can be."""
    kept = [block for block in answer.content if thinking == "all" or block.get("type") not in _THINKING]
    says_something = any(block.get("type") in {"text", "tool_use"} for block in kept)
    return {"role": "assistant", "content": kept} if says_something else None


def notes_message(delivered: Sequence[Note]) -> Message | None:
    """Messages that go with a request, as one user message, or None when there are none."""
    blocks = [{"type": "text", "text": notes.rendered(note)} for note in delivered]
    return {"role": "user", "content": blocks} if blocks else None


def user_message(answer: AnswerRecord, results: Mapping[int, ResultRecord], seal: SealRecord) -> Message:
    """The results in the seal's order, then the notes."""
    blocks: list[Block] = []
    for sealed in seal.results:
        text, is_error = _result_text(sealed.index, sealed.text, sealed.is_error, answer, results)
        block: Block = {"type": "tool_result", "tool_use_id": sealed.call_id, "content": text or "(no output)"}
        if is_error:
            block["is_error"] = True
        blocks.append(block)
    blocks += [{"type": "text", "text": notes.rendered(note)} for note in seal.notes]
    return {"role": "user", "content": blocks or [{"type": "text", "text": CONTINUE}]}


def _result_text(
    index: int, text: str | None, is_error: bool, answer: AnswerRecord, results: Mapping[int, ResultRecord]
) -> tuple[str, bool]:
    if text is not None:
        return text, is_error
    rejection = answer.rejections.get(str(index))
    if rejection is not None:
        return rejection, True
    record = results[index]
    return record.text, record.is_error or is_error


def joined(first: Message, second: Message) -> Message:
    """Two neighbouring user messages as one."""
    return {"role": "user", "content": [*first["content"], *second["content"]]}


def violations(messages: Sequence[Message]) -> list[str]:
    """What a strict provider would refuse in this conversation; empty when it is sound.

    Rules: starts and ends with a user message, roles alternate, no empty message, every call is answered in the next
    message and only there, results come before text, call ids are unique.
    """
    found: list[str] = []
    if not messages or messages[0]["role"] != "user" or messages[-1]["role"] != "user":
        found.append("the conversation must start and end with a user message")
    seen: set[str] = set()
    pending: list[str] = []
    previous_role = ""
    for position, message in enumerate(messages):
        role, content = message["role"], message["content"]
        if role == previous_role:
            found.append(f"message {position}: two {role} messages in a row")
        if not content:
            found.append(f"message {position}: empty")
        if role == "assistant":
            pending = _call_ids(content)
            found += [f"message {position}: call id {call} is not unique" for call in pending if call in seen]
            seen.update(pending)
        else:
            found += _answer_violations(position, content, pending)
            pending = []
        previous_role = role
    return found


def _call_ids(content: Sequence[dict[str, Any]]) -> list[str]:
    return [block["id"] for block in content if block.get("type") == "tool_use"]


def _answer_violations(position: int, content: Sequence[dict[str, Any]], pending: Sequence[str]) -> list[str]:
    answered = [block["tool_use_id"] for block in content if block.get("type") == "tool_result"]
    found = [] if answered == list(pending) else [f"message {position}: results {answered} for calls {list(pending)}"]
    if any(block.get("type") == "tool_result" for block in content[len(answered) :]):
        found.append(f"message {position}: a result stands after text")
    return found
