"""What an answer's shape says: whether it was cut inside a call, what it says in words."""

from collections.abc import Sequence

from longshift.contracts.tools import FINISH
from longshift.contracts.transcript import AnswerRecord, Block

LAST_WORD_CHARACTERS = 1_000

_CUT_REASONS = frozenset({"max_tokens", "model_context_window_exceeded"})


def is_cut(stop_reason: str) -> bool:
    """Whether the output limit ended the answer."""
    return stop_reason in _CUT_REASONS


def is_cut_in_call(stop_reason: str, content: Sequence[Block]) -> bool:
    """Whether the output limit ended the answer while it wrote a tool call."""
    return is_cut(stop_reason) and bool(content) and content[-1].get("type") == "tool_use"


def is_whole_note(stop_reason: str, content: Sequence[Block]) -> bool:
    """Whether a hand-off note is words up to its end; words beside a call announce the call instead."""
    calls = any(block.get("type") == "tool_use" for block in content)
    return not calls and not is_cut(stop_reason) and bool(text_of(content))


def without_cut_call(answer: AnswerRecord) -> AnswerRecord:
    """The answer without its last call, if that one was cut: half a call is never run and never sent back."""
    if not answer.truncated:
        return answer
    last = len(answer.calls) - 1
    rejections = {index: text for index, text in answer.rejections.items() if index != str(last)}
    return answer.model_copy(
        update={"content": answer.content[:-1], "calls": answer.calls[:-1], "rejections": rejections}
    )


def text_of(content: Sequence[Block]) -> str:
    """The answer's text blocks, joined."""
    return "\n".join(str(block["text"]) for block in content if block.get("type") == "text").strip()


def last_word(content: Sequence[Block]) -> str:
    """What people should read of an answer: the summary of its `finish`, else its text."""
    summaries = [block["input"].get("summary") for block in content if block.get("name") == FINISH]
    return str(summaries[-1]) if summaries and summaries[-1] else text_of(content)
