"""One request to a model, and its bytes on the wire.

A conversation may be a megabyte, so messages come serialised and are only joined. What stays the same from step to
step (model, system, tools, messages) comes first and byte for byte the same; what varies comes after it. Whether the
conversation is well formed is not judged here.
"""

import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from longshift.contracts.model import ModelProfile

RESERVED_FIELDS = frozenset({"model", "stream", "system", "tools", "messages", "max_tokens"})
"""Fields of the body that a profile cannot set."""

_EPHEMERAL = {"type": "ephemeral"}
_USER = re.compile(rb'\s*\{\s*"role"\s*:\s*"user"')

CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What to ask, apart from what the profile says."""

    system: str
    tools: tuple[dict[str, Any], ...]
    """Tool definitions, sorted and frozen per session by the caller."""
    messages: Sequence[bytes]
    """Each one a serialised message of the Messages API."""
    max_tokens: int
    prompt_tokens_estimate: int
    """For the reservation against the account's tokens per minute."""
    user_id: str
    """Stable per session: providers route their prefix caches by it."""


@dataclass(frozen=True, slots=True)
class RequestBody:
    """A JSON body in parts. It is never joined: a context is a megabyte, and every step would copy it."""

    parts: Sequence[bytes]

    @property
    def size_bytes(self) -> int:
        """The length of the whole."""
        return sum(map(len, self.parts))

    def __bytes__(self) -> bytes:
        """The whole, for people and tests."""
        return b"".join(self.parts)

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        """The whole in chunks of a size that a socket likes."""
        chunk: list[bytes] = []
        size_bytes = 0
        for part in self.parts:
            chunk.append(part)
            size_bytes += len(part)
            if size_bytes >= CHUNK_BYTES:
                yield b"".join(chunk)
                chunk, size_bytes = [], 0
        yield b"".join(chunk)


def request_body(profile: ModelProfile, request: ModelRequest) -> RequestBody:
    """The JSON body of a streaming request."""
    head: dict[str, Any] = {"model": profile.model, "stream": True, **profile.sampling, **profile.extra_body}
    metadata: dict[str, Any] = head.pop("metadata", {})
    tail: dict[str, Any] = {"max_tokens": request.max_tokens}
    if request.user_id:
        tail["metadata"] = {**metadata, "user_id": request.user_id}
    elif metadata:
        tail["metadata"] = metadata
    if profile.cache == "top-level":
        tail["cache_control"] = _EPHEMERAL
    return json_body(head | prompt_fields(profile, request), prompt_messages(profile, request), tail)


def json_body(head: dict[str, Any], messages: Sequence[bytes], tail: dict[str, Any]) -> RequestBody:
    """An object with the fields of `head`, the serialised `messages`, and the fields of `tail`, in this order."""
    separated = [part for message in messages for part in (b",", message)][1:]
    end = b"]," + orjson.dumps(tail)[1:] if tail else b"]}"
    return RequestBody((orjson.dumps(head)[:-1] + b',"messages":[', *separated, end))


def prompt_fields(profile: ModelProfile, request: ModelRequest) -> dict[str, Any]:
    """What stands before the messages in a prompt: system and tools, each with its marker where the profile has any."""
    with_markers = profile.cache == "blocks"
    fields: dict[str, Any] = {}
    if request.system:
        fields["system"] = (
            [{"type": "text", "text": request.system, "cache_control": _EPHEMERAL}] if with_markers else request.system
        )
    if request.tools:
        *others, last_tool = request.tools
        fields["tools"] = [*others, {**last_tool, "cache_control": _EPHEMERAL} if with_markers else last_tool]
    return fields


def prompt_messages(profile: ModelProfile, request: ModelRequest) -> Sequence[bytes]:
    """The serialised messages, the last two of the user's with a marker where the profile has any.

    A provider looks for what it has cached up to 20 blocks before each marker, and takes four markers (system and
    tools carry the others). A step with many parallel calls is longer than that: the second marker from the end stands
    where the last one of the previous request stood, so its prefix is found however long the step was.
    """
    if profile.cache != "blocks" or not request.messages:
        return request.messages
    messages = list(request.messages)
    messages[-1] = _marked(messages[-1])
    # The others stay bytes: a conversation may be a megabyte, and all that is asked of them is who speaks.
    previous = next((i for i in range(len(messages) - 2, -1, -1) if _USER.match(messages[i])), None)
    if previous is not None:
        messages[previous] = _marked(messages[previous])
    return messages


def _marked(message: bytes) -> bytes:
    """A user message with a cache marker on its last block that may carry one."""
    value: dict[str, Any] = orjson.loads(message)
    if value.get("role") != "user":
        return message
    content: str | list[dict[str, Any]] = value["content"]
    blocks: list[dict[str, Any]] = [{"type": "text", "text": content}] if isinstance(content, str) else content
    for block in reversed(blocks):
        # Providers refuse a marker on an empty text block.
        if block.get("type") != "text" or block.get("text"):
            block["cache_control"] = _EPHEMERAL
            return orjson.dumps({**value, "content": blocks})
    return message
