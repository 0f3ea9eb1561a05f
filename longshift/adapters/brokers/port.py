"""The port that every message broker is behind: leases on tasks, and the place of dead letters.

A lease is short: submit the task under its key, then `ack`. The broker never holds a session. Whoever dies between the
two leads to a redelivery, so the caller removes duplicates; here nothing is lost, and nothing is remembered.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from longshift.adapters.brokers.address import Address

DEFAULT_MEDIA_TYPE = "application/json"
"""Of a message whose sender does not name one."""

KEY = "longshift-key"
ATTEMPT = "longshift-attempt"
REASON = "longshift-reason"
ATTEMPTS = "longshift-attempts"
SOURCE = "longshift-source"
TIME = "longshift-time"
NOTES = (REASON, ATTEMPTS, SOURCE, TIME)
"""Names of fields, headers or attributes: what a dead letter says beside the message that it was."""

REASON_LIMIT_CHARACTERS = 1_000


@dataclass(kw_only=True, eq=False)
class Lease(ABC):
    """One message, held by this process for seconds. Unsettled it comes back, to any consumer, as the next attempt.

    The first settlement counts, further ones do nothing. Each raises `BrokerUnavailable` when the broker may not have
    got it: the message is then delivered again, or, if it had got it, is not.
    """

    body: bytes = field(repr=False)
    key: str
    """The sender's idempotency key; empty if it gave none."""
    attempt: int
    """How often the broker has handed the message over, this time included: from 1."""
    message_id: str
    """The broker's name of the message, the same at each attempt."""
    media_type: str = DEFAULT_MEDIA_TYPE
    _is_settled: bool = field(default=False, init=False, repr=False)

    async def ack(self) -> None:
        """The task is taken over: the broker forgets the message.

        Raises:
            BrokerUnavailable: see the class.
        """
        if not self._is_settled:
            await self._ack()
            self._is_settled = True

    async def retry(self, delay_seconds: float) -> None:
        """Give the message back; it is delivered again no sooner than in `delay_seconds`, even if this process dies.

        Raises:
            BrokerUnavailable: see the class.
        """
        if not self._is_settled:
            await self._retry(max(delay_seconds, 0.0))
            self._is_settled = True

    async def dead_letter(self, reason: str) -> None:
        """Put the message to the dead letters with a reason for people; it is in both places before it is in one.

        Raises:
            BrokerUnavailable: see the class.
        """
        if not self._is_settled:
            await self._dead_letter(_one_line(reason)[:REASON_LIMIT_CHARACTERS] or "no reason given")
            self._is_settled = True

    def notes(self, reason: str, source: str) -> dict[str, str]:
        """What its dead letter says beside the message: reason, attempts, source and time."""
        time = datetime.now(UTC).isoformat(timespec="seconds")
        return {REASON: reason, ATTEMPTS: str(self.attempt), SOURCE: source, TIME: time}

    @abstractmethod
    async def _ack(self) -> None: ...

    @abstractmethod
    async def _retry(self, delay_seconds: float) -> None: ...

    @abstractmethod
    async def _dead_letter(self, reason: str) -> None: ...


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """A message that could not become a task, as it is kept for people."""

    message_id: str
    """Its name among the dead letters, for `requeue_dead`."""
    body: bytes = field(repr=False)
    key: str
    media_type: str
    reason: str
    attempts: int
    """How often it had been handed over; 0 if the broker gave it up by itself and does not say."""
    source: str
    """The queue that it was in."""
    time: str
    """When it was given up: RFC 3339, UTC; empty if the broker gave it up by itself."""

    @classmethod
    def of(cls, notes: Mapping[str, str], *, message_id: str, body: bytes, key: str, media_type: str) -> Self:
        """From the notes that `Lease.notes` made; unreadable ones are read as absent."""
        attempts = notes.get(ATTEMPTS, "")
        return cls(
            message_id=message_id,
            body=body,
            key=key,
            media_type=media_type,
            reason=notes.get(REASON, ""),
            attempts=int(attempts) if attempts.isdecimal() else 0,
            source=notes.get(SOURCE, ""),
            time=notes.get(TIME, ""),
        )


@dataclass(frozen=True)
class Depth:
    """How many messages there are; approximate where the broker counts so."""

    pending: int
    """Waiting, leased, or put off by `retry`."""
    dead: int


class TaskSource(ABC):
    """One queue of a broker. Opening does not connect; the first call does, and each call after a lost connection.

    All calls raise `BrokerUnavailable` when the broker cannot be reached, and `BadInput` when its address,
    credentials or queue are wrong. One `receive` at a time; settling leases meanwhile is fine.
    """

    def __init__(self, address: Address) -> None:
        self._address = address

    @property
    def name(self) -> str:
        """The source for people and logs: no credentials are in it."""
        return self._address.name

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @abstractmethod
    async def receive(self, max_messages: int, wait_seconds: float) -> list[Lease]:
        """Between 0 and `max_messages` leases: as soon as there is one, or none after `wait_seconds`.

        What nobody could read as a task (no body) is put to the dead letters here. A cancelled call may have taken
        messages; they come back when their lease ends.
        """

    @abstractmethod
    async def depth(self) -> Depth:
        """How many messages wait, and how many are dead."""

    @abstractmethod
    async def list_dead(self, limit: int) -> list[DeadLetter]:
        """Up to `limit` dead letters; they stay where they are."""

    @abstractmethod
    async def requeue_dead(self, message_id: str | None = None) -> int:
        """Put the dead letter of this id, or all, back into the queue as new; returns how many.

        A crash in the middle leaves no message in neither place.
        """

    @abstractmethod
    async def close(self) -> None:
        """Let go of the connection; leases that are not settled come back. Safe to call at any time."""


def _one_line(text: str) -> str:
    """What can stand in a header of any broker."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())
