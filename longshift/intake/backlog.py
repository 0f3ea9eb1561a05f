"""How full the queue is, and when nothing more is taken in. Nothing is decided here about single tasks."""

import asyncio
import time

from temporalio.client import Client
from temporalio.service import RPCError

from longshift.contracts import search
from longshift.contracts.errors import EngineError, QueueFull
from longshift.contracts.session import SessionState

FRESH_SECONDS = 2.0
"""How long one look at the queue is good for; the engine's own count lags by about as much."""
RETRY_AFTER_SECONDS = 30.0
QUEUED = f"{search.STATE} = '{SessionState.QUEUED}' AND ExecutionStatus = 'Running'"
"""The task queue's own count is no help: with fairness on it doubles when the engine is killed (measured with 1.32)."""


class Backlog:
    """The number of sessions that wait for a slot, as the engine lists them."""

    def __init__(self, client: Client, limit: int, *, fresh_seconds: float = FRESH_SECONDS) -> None:
        self._client = client
        self.limit = limit
        self._fresh_seconds = fresh_seconds
        self._seen_at = float("-inf")
        self._waiting = 0
        self._lock = asyncio.Lock()

    async def waiting(self) -> int:
        """Sessions in the queue, at most `FRESH_SECONDS` old.

        Raises:
            EngineError: the engine does not answer.
        """
        async with self._lock:
            if time.monotonic() - self._seen_at > self._fresh_seconds:
                self._waiting = await self._ask()
                self._seen_at = time.monotonic()
            return self._waiting

    async def is_full(self) -> bool:
        """Whether nothing more should be taken in; raises as `waiting` does."""
        return await self.waiting() >= self.limit

    async def refuse_when_full(self) -> None:
        """Count one more session, which is about to be submitted.

        Raises:
            QueueFull: the limit is reached.
            EngineError: the engine does not answer.
        """
        if await self.is_full():
            raise QueueFull(
                f"{self._waiting} sessions wait, and no more than {self.limit} may (LONGSHIFT_INTAKE_BACKLOG_LIMIT); "
                f"try again in {RETRY_AFTER_SECONDS:.0f} seconds",
                retry_after_seconds=RETRY_AFTER_SECONDS,
            )
        self._waiting += 1

    async def _ask(self) -> int:
        try:
            return (await self._client.count_workflows(QUEUED)).count
        except RPCError as error:
            raise EngineError(f"the engine does not tell its backlog: {error.message}") from error
