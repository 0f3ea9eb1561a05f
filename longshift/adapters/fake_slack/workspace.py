"""The state of the imitated workspace: channels with their messages, what only one person sees, open forms, scopes.

It stays while the server is down.
"""

import asyncio
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

TEAM, APP, BOT, BOT_USER = "T0FAKE001", "A0FAKE001", "B0FAKE001", "U0FAKEBOT"
CHANNEL = "C0FAKE001"
ADA, BOB, EVE = "U0ADA0001", "U0BOB0001", "U0EVE0001"
NAMES = {ADA: "Ada", BOB: "Bob", EVE: "Eve", BOT_USER: "Longshift"}
SCOPES = frozenset({"chat:write", "channels:history", "groups:history", "connections:write"})


@dataclass
class Posted:
    """A message in a channel."""

    channel: str
    ts: str
    user: str
    text: str
    thread_ts: str = ""
    bot_id: str = ""
    blocks: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    edits: int = 0

    def document(self, *, with_metadata: bool = True) -> dict[str, Any]:
        """As Slack gives it."""
        optional = {"thread_ts": self.thread_ts, "bot_id": self.bot_id, "blocks": self.blocks}
        found = {"type": "message", "ts": self.ts, "user": self.user, "text": self.text, "team": TEAM}
        shown = {**found, **{name: value for name, value in optional.items() if value}}
        return {**shown, "metadata": self.metadata} if with_metadata and self.metadata else shown

    def buttons(self) -> list[dict[str, Any]]:
        """What can be clicked."""
        return [each for block in self.blocks if block["type"] == "actions" for each in block["elements"]]


@dataclass(frozen=True)
class Whisper:
    """What one person alone sees."""

    user: str
    text: str
    thread_ts: str = ""


class Workspace:
    """Everything that Slack would remember."""

    def __init__(self, scopes: frozenset[str] = SCOPES) -> None:
        self.scopes = scopes
        self.members: dict[str, bool] = {CHANNEL: True}
        """Channels, and whether the app is in them."""
        self.messages: list[Posted] = []
        self.whispers: list[Whisper] = []
        self.views: list[dict[str, Any]] = []
        self.calls: list[str] = []
        """Methods, as they were called."""
        self._changed = asyncio.Event()
        self._counter = itertools.count(1)

    def changed(self) -> None:
        """Something has happened."""
        self._changed.set()

    async def until(self, is_so: Callable[[], bool], *, seconds: float = 20.0) -> None:
        """Wait until something is so that changes of this workspace bring about."""
        async with asyncio.timeout(seconds):
            while not is_so():
                self._changed.clear()
                await self._changed.wait()

    def next_ts(self) -> str:
        """A name for a message: a time, and never the same one twice."""
        return f"{int(time.time())}.{next(self._counter):06d}"

    def add(self, message: Posted) -> Posted:
        """Put a message into its channel."""
        self.messages.append(message)
        self.changed()
        return message

    def find(self, channel: str, ts: str) -> Posted | None:
        """The message of this name."""
        return next((each for each in self.messages if (each.channel, each.ts) == (channel, ts)), None)

    def delete(self, ts: str) -> None:
        """A person deletes a message."""
        self.messages = [each for each in self.messages if each.ts != ts]
        self.changed()

    def roots(self) -> list[Posted]:
        """What stands in the channel itself, oldest first."""
        return [each for each in self.messages if not each.thread_ts]

    def thread(self, ts: str) -> list[Posted]:
        """What stands below a message, oldest first."""
        return [each for each in self.messages if each.thread_ts == ts and each.ts != ts]

    def keyed(self, key: str) -> list[Posted]:
        """The messages that carry this key."""
        return [each for each in self.messages if each.metadata.get("event_payload", {}).get("key") == key]
