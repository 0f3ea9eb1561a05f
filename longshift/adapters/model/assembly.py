"""Puts an answer together from the events of a stream, or from one JSON document; sans-I/O.

Every block, field and delta that arrives is kept, known or not. Text is collected in pieces and joined once, and the
JSON of a tool's arguments is parsed once, so a megabyte costs a megabyte. Nothing here waits, reads or retries.
"""

import json
import math
from collections.abc import Callable
from typing import Any, cast

import orjson

from longshift.adapters.model.block import BlockBuilder
from longshift.adapters.model.stream import ServerEvent
from longshift.adapters.model.surrogates import mended
from longshift.contracts.errors import ProviderError, ProviderFailure
from longshift.contracts.model import Usage
from longshift.contracts.transcript import Block

_EVENT_TYPES = frozenset(
    {
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "error",
        "message",
    }
)
_PROMPT_FIELDS = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
TOKENS_LIMIT = 1_000_000_000
"""A count beyond this is a slip, and counts as none: no model reads or writes that much at once."""
WORD_LIMIT_CHARACTERS = 200
"""Of a stop reason, or a model's name: both travel with digests."""
_PLACEHOLDER = "(Empty response:"
"""Some endpoints answer with a text block that starts like this instead of an error."""
_BESIDE_A_PLACEHOLDER = frozenset({"text", "thinking", "redacted_thinking"})


class Assembly:
    """An answer on its way."""

    def __init__(self, reject: Callable[[bytes], ProviderError]) -> None:
        self._reject = reject
        """Turns the JSON of an error event into the error to raise."""
        self._builders: list[BlockBuilder] = []
        """In the order of arrival, which is the order to send them back in."""
        self._open: dict[int, BlockBuilder] = {}
        """By the index of the stream, which some gateways use again for the next block."""
        self._usage: dict[str, Any] = {}
        self.characters = 0
        self.started = False
        """The provider has accepted the request and begun to answer."""
        self.complete = False
        """The terminal event has come."""
        self.stop_reason = ""
        self.model = ""

    @property
    def blocks(self) -> int:
        """How many blocks have begun."""
        return len(self._builders)

    def take(self, event: ServerEvent) -> bool:
        """Take one event; returns whether it brought the answer forward, which pings do not.

        Raises:
            ProviderError: The event is an error, or cannot be read.
        """
        if event.data.strip() == b"[DONE]":
            return False
        if event.name == "error":
            raise self._reject(event.data)
        value = _decoded(event)
        if value is None:
            return False
        kind = value.get("type") or event.name or ("error" if "error" in value else "")
        if kind == "error":
            raise self._reject(event.data)
        return False if self.complete else self._apply(kind, value)

    def _apply(self, kind: str, value: dict[str, Any]) -> bool:
        match kind:
            case "message_start":
                return self._start(_table(value.get("message")))
            case "content_block_start":
                self._begin(_index(value), _table(value.get("content_block")))
                return True
            case "content_block_delta":
                return self._add(_index(value), _table(value.get("delta")))
            case "content_block_stop":
                return True
            case "message_delta":
                self.stop_reason = _word(_table(value.get("delta")).get("stop_reason")) or self.stop_reason
                self._note_usage(_table(value.get("usage")))
                return True
            case "message_stop":
                self.complete = True
                return True
            case "message":
                return self._take_message(value)
            case _:
                return False

    def _start(self, message: dict[str, Any]) -> bool:
        self.started = True
        self.model = _word(message.get("model"))
        self._note_usage(_table(message.get("usage")))
        content: Any = message.get("content")
        blocks: Any = [{"type": "text", "text": content}] if isinstance(content, str) and content else content
        for index, block in enumerate(_list(blocks)):
            self._begin(index, _table(block))
        return True

    def _begin(self, index: int, block: Block) -> BlockBuilder:
        builder = BlockBuilder(dict(block))
        self._builders.append(builder)
        self._open[index] = builder
        return builder

    def _take_message(self, message: dict[str, Any]) -> bool:
        """A whole message, from an endpoint that does not stream."""
        self._start(message)
        self.stop_reason = _word(message.get("stop_reason"))
        self.characters = sum(len(str(builder.block)) for builder in self._builders)
        self.complete = True
        return True

    def _add(self, index: int, delta: dict[str, Any]) -> bool:
        builder = self._open.get(index)
        if builder is None:
            # Some gateways leave the start event out; a call without its name and id is beyond repair.
            field = next((name for name in ("text", "thinking") if name in delta), None)
            if field is None:
                raise _unreadable("a delta came for a block that never began")
            builder = self._begin(index, {"type": field, field: ""})
        characters = builder.add(delta)
        self.characters += characters
        return characters > 0

    def _note_usage(self, usage: dict[str, Any]) -> None:
        """Later values replace earlier ones, except that a report without any prompt tokens leaves those alone."""
        new = {key: value for key, value in usage.items() if value is not None}
        if not any(_count(new, field) for field in _PROMPT_FIELDS):
            new = {key: value for key, value in new.items() if key not in _PROMPT_FIELDS or key not in self._usage}
        self._usage.update(new)

    @property
    def usage(self) -> Usage:
        """Tokens as last reported."""
        return Usage(
            input_tokens=_count(self._usage, "input_tokens"),
            cached_tokens=_count(self._usage, "cache_read_input_tokens"),
            cache_write_tokens=_count(self._usage, "cache_creation_input_tokens"),
            output_tokens=_count(self._usage, "output_tokens"),
        )

    def content(self) -> tuple[tuple[Block, ...], dict[int, str]]:
        """The blocks in order, and the raw arguments of calls by index.

        Blank text blocks are left out: providers refuse them when they are sent back.

        Raises:
            ProviderError: The answer is incomplete or empty.
        """
        if not self.complete:
            raise ProviderError(ProviderFailure.INCOMPLETE, "the stream ended before the answer was complete")
        blocks: list[Block] = []
        raw_inputs: dict[int, str] = {}
        for builder in self._builders:
            block, raw = builder.finished()
            if block.get("type") == "text" and not str(block.get("text") or "").strip():
                continue
            if raw is not None:
                raw_inputs[len(blocks)] = raw
            blocks.append(block)
        if not self.stop_reason:
            self.stop_reason = "tool_use" if raw_inputs else "end_turn"
        self._refuse_empty(blocks)
        return tuple(blocks), raw_inputs

    def _refuse_empty(self, blocks: list[Block]) -> None:
        if self.stop_reason == "refusal":
            return
        if not blocks and self.stop_reason == "model_context_window_exceeded":
            raise ProviderError(ProviderFailure.OVERFLOW, "the prompt left no room for an answer in the context window")
        texts = [str(block.get("text")).lstrip() for block in blocks if block.get("type") == "text"]
        others = [block for block in blocks if str(block.get("type")) not in _BESIDE_A_PLACEHOLDER]
        is_placeholder = bool(texts) and not others and all(text.startswith(_PLACEHOLDER) for text in texts)
        if not blocks or is_placeholder:
            raise ProviderError(ProviderFailure.INCOMPLETE, f"the answer is empty (stop reason {self.stop_reason})")


def _decoded(event: ServerEvent) -> dict[str, Any] | None:
    """The event's JSON object; None where it is of an unknown kind and need not be JSON."""
    try:
        value: Any = orjson.loads(event.data)
    except orjson.JSONDecodeError:
        value = _lenient(event.data)
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)
    if event.name and event.name not in _EVENT_TYPES:
        return None
    raise _unreadable("an event is not a JSON object")


def _lenient(data: bytes) -> Any:
    """Takes what the strict parser refuses: halves of surrogate pairs, which the next delta may complete."""
    try:
        return json.loads(data.decode())
    except (ValueError, RecursionError):
        return None


def _unreadable(why: str) -> ProviderError:
    return ProviderError(ProviderFailure.INCOMPLETE, f"the stream cannot be read: {why}")


def _table(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _word(value: Any) -> str:
    """A short name, whatever was sent in its place."""
    return mended(str(value or "")[:WORD_LIMIT_CHARACTERS])


def _index(value: dict[str, Any]) -> int:
    index = value.get("index", 0)
    if not isinstance(index, int):
        raise _unreadable("a block's index is not a number")
    return index


def _count(usage: dict[str, Any], field: str) -> int:
    value = usage.get(field)
    if not isinstance(value, int | float) or not math.isfinite(value):
        return 0
    return int(value) if 0 <= value <= TOKENS_LIMIT else 0
