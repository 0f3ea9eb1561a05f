"""A policy for the scripted model that plays `bench.planted` and looks in each request for what must be there."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from bench import planted
from longshift.adapters.scripted_model import RequestView, ScriptedCall, Turn

_PLAYED = re.compile(r"Turns played: (\d+)\.")
_CALL_ID = re.compile(r"turn-(\d+)")
_NOTED = "<handoff-note>"

Message = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """One request for a step."""

    turn: int
    seconds: float
    tokens: int
    begins_epoch: bool
    """It does not go on from the messages of the request before."""


@dataclass
class RecallModel:
    """A `Policy`: the turn depends on the request alone; what it saw is kept beside."""

    steps: int
    scale: float
    asked: list[Asked] = field(default_factory=list[Asked])
    handoffs: int = 0
    lost: list[str] = field(default_factory=list[str])
    """What a request should have held and did not."""
    seen: set[str] = field(default_factory=set[str])
    """Facts that some request held."""
    _messages: list[Message] = field(default_factory=list[Message])
    _opening: list[Message] = field(default_factory=list[Message])

    def __call__(self, request: RequestView) -> Turn:
        """The turn for `request`."""
        turn = turn_of(request.messages)
        body = orjson.dumps(request.messages)
        self._look(turn, request.messages, body)
        if request.is_handoff:
            self.handoffs += 1
            return Turn(text=f"{planted.NOTE} Turns played: {turn}.")
        begins = self._messages != request.messages[: len(self._messages)]
        self._messages = request.messages
        self.asked.append(Asked(turn, time.monotonic(), len(body) // 4, begins))
        calls = enumerate(planted.calls_of(turn, self.steps, self.scale))
        return Turn(
            text=planted.text_of(turn),
            calls=tuple(ScriptedCall(name=n, input=a, id=f"turn-{turn}.{i}") for i, (n, a) in calls),
        )

    def _look(self, turn: int, messages: list[Message], body: bytes) -> None:
        self._opening = self._opening or messages[0]["content"]
        missing = [name for name, text in planted.FACTS.items() if name in self.seen and text.encode() not in body]
        self.seen |= {name for name, text in planted.FACTS.items() if text.encode() in body}
        texts = list(texts_of(messages))
        if messages[0]["content"][: len(self._opening)] != self._opening:
            missing.append("the first message as it was")
        if any(_NOTED in text for text in texts):
            missing += [f"{tag} with {text}" for tag, text in listed(self.seen) if not holds(texts, tag, text)]
        self.lost += [f"turn {turn}: {name}" for name in missing]


def listed(seen: set[str]) -> Iterator[tuple[str, str]]:
    """Blocks that stand after a hand-off, and what they say: they are made from the sources, not from memory."""
    yield "changed-files", planted.CHANGED_FILE
    yield "plan", planted.DECISION
    yield "plan", planted.FAILED_IN_PLAN
    yield "handoff-note", planted.FAILED_IN_NOTE
    yield "message-from-person", planted.EARLY_WORD
    if "late word" in seen:
        yield "message-from-person", planted.LATE_WORD
    yield "background-jobs", planted.JOB


def holds(texts: list[str], tag: str, text: str) -> bool:
    """Whether a block `<tag>` says `text`."""
    return any(block.startswith(f"<{tag}>") and text in block for block in texts)


def texts_of(messages: list[Message]) -> Iterator[str]:
    """The text blocks of all user messages; results are none."""
    for message in messages:
        if message["role"] == "user":
            yield from (block["text"] for block in message["content"] if block["type"] == "text")


def turn_of(messages: list[Message]) -> int:
    """The turn to play: after the last call, or where a note says."""
    noted = (int(number) for text in texts_of(messages) for number in _PLAYED.findall(text))
    called = (
        int(found[1]) + 1
        for message in reversed(messages)
        if message["role"] == "assistant"
        for block in message["content"]
        if (found := _CALL_ID.match(block.get("id", "")))
    )
    return max(next(called, 0), max(noted, default=0))
