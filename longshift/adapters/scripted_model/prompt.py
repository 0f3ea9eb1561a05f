"""The size of a prompt and how much of it a prefix cache would have held. Four bytes of JSON count as one token."""

import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import orjson

BYTES_PER_TOKEN = 4
_MARKER = re.compile(rb',?"cache_control":\{[^{}]*\}')
"""Markers say where to cache and are no part of what is cached."""


@dataclass(frozen=True)
class Prompt:
    """System, tools and messages as stable bytes, in the order in which providers cache them."""

    head: bytes
    messages: bytes
    """The JSON list without its last bracket, so that a longer conversation starts with a shorter one's bytes."""

    @property
    def tokens(self) -> int:
        """The estimate."""
        return tokens_of(len(self.head) + len(self.messages))


def prompt_of(body: dict[str, Any]) -> Prompt:
    """The prompt of a valid request."""
    head = orjson.dumps([body.get("tools", []), body.get("system", "")])
    return Prompt(head=_unmarked(head), messages=_unmarked(orjson.dumps(body["messages"]))[:-1])


def _unmarked(serialised: bytes) -> bytes:
    return _MARKER.sub(b"", serialised) if b'"cache_control":' in serialised else serialised


def tokens_of(size_bytes: int) -> int:
    """The estimate for so much JSON."""
    return -(-size_bytes // BYTES_PER_TOKEN)


class PrefixCache:
    """The previous prompt of each user id, for the last `capacity` ids."""

    def __init__(self, capacity: int = 512) -> None:
        self._previous: OrderedDict[str, Prompt] = OrderedDict()
        self._capacity = capacity

    def cached_tokens(self, user_id: str, prompt: Prompt) -> int:
        """Tokens that `prompt` shares with the previous one of `user_id`, which it then replaces."""
        previous = self._previous.pop(user_id, None)
        self._previous[user_id] = prompt
        if len(self._previous) > self._capacity:
            self._previous.popitem(last=False)
        if previous is None:
            return 0
        shared = common_prefix_bytes(previous.head, prompt.head)
        if shared == len(previous.head) == len(prompt.head):
            shared += common_prefix_bytes(previous.messages, prompt.messages)
        return shared // BYTES_PER_TOKEN


def common_prefix_bytes(first: bytes, second: bytes) -> int:
    """The length of the longest common prefix, by comparing halves."""
    if second.startswith(first):
        return len(first)
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
