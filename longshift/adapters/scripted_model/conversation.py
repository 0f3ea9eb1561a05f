"""A request as a policy sees it, and the rule that finds the turn to play (see the package's docstring)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

HANDOFF_MARKER = "<handoff-request>"
VERIFY_MARKER = "<verify-request>"
_TAG_BYTES = b"<scripted-turn>"
_TAG = re.compile(r"<scripted-turn>(\d{1,9})</scripted-turn>")


@dataclass(frozen=True)
class ToolOutput:
    """One tool result of the last user message."""

    call_id: str
    text: str
    is_error: bool


@dataclass(frozen=True)
class RequestView:
    """A valid request: the parsed body and what policies ask of it."""

    body: dict[str, Any]
    turn_index: int
    """From 0; the number of turns played before this one."""
    is_handoff: bool
    is_verification: bool = False
    """A verifier is asked, in a conversation of its own."""

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The conversation."""
        return self.body["messages"]

    @property
    def system(self) -> str:
        """The system prompt as one text."""
        return "\n".join(_texts(self.body.get("system", "")))

    @property
    def user_id(self) -> str:
        """`metadata.user_id`, or nothing."""
        return user_id_of(self.body)

    @property
    def opening(self) -> str:
        """The text of the first message: usually the task."""
        return "\n".join(_texts(self.messages[0]["content"]))

    @property
    def last_text(self) -> str:
        """The text blocks of the last user message."""
        return "\n".join(_texts(self.messages[-1]["content"]))

    @property
    def last_outputs(self) -> tuple[ToolOutput, ...]:
        """The tool results of the last user message."""
        content = self.messages[-1]["content"]
        blocks = [] if isinstance(content, str) else cast(list[dict[str, Any]], content)
        return tuple(
            ToolOutput(block["tool_use_id"], "\n".join(_texts(block.get("content", ""))), bool(block.get("is_error")))
            for block in blocks
            if block["type"] == "tool_result"
        )


def view_request(body: dict[str, Any], messages_bytes: bytes) -> RequestView:
    """The view of a valid `body`; `messages_bytes` is its conversation as JSON, to find tags quickly."""
    messages: list[dict[str, Any]] = body["messages"]
    played, start = _last_tag(messages) if _TAG_BYTES in messages_bytes else (0, 0)
    turn_index = played + sum(message["role"] == "assistant" for message in messages[start:])
    texts = list(_texts(messages[-1]["content"]))
    return RequestView(
        body=body,
        turn_index=turn_index,
        is_handoff=bool(texts) and HANDOFF_MARKER in texts[-1],
        is_verification=len(messages) == 1 and bool(texts) and texts[0].startswith(VERIFY_MARKER),
    )


def user_id_of(body: dict[str, Any]) -> str:
    """`metadata.user_id`, or nothing."""
    metadata = body.get("metadata")
    return str(cast(dict[str, Any], metadata).get("user_id", "")) if isinstance(metadata, dict) else ""


def handoff_note(view: RequestView, text: str) -> str:
    """The note that answers a hand-off request."""
    return f"{text}\n<scripted-turn>{view.turn_index}</scripted-turn>"


def _last_tag(messages: list[dict[str, Any]]) -> tuple[int, int]:
    """K of the last tag, and the position after the message that holds it."""
    for position in range(len(messages) - 1, -1, -1):
        tags = _TAG.findall("\n".join(_texts(messages[position]["content"])))
        if tags:
            return int(tags[-1]), position + 1
    return 0, 0


def _texts(content: object) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for block in cast(list[dict[str, Any]], content):
            if block["type"] == "text":
                yield block["text"]
