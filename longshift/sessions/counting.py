"""Counts sessions by a query, and finds those that were submitted first: lists have the newest first, always.

A count costs the engine 2 µs a session, a row of a list 300, and more than about a hundred questions a second wait. So
the moment before which the wanted ones were submitted is narrowed down by counting, and only they are listed.
"""

import asyncio
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from temporalio.client import Client, WorkflowExecution

ANSWER_SECONDS = 15.0
PAGE_ROWS = 100
LIST_LIMIT_ROWS = 1_000
AT_ONCE = 8
SHORTEST_SECONDS = 0.001
LONGEST_AGE_SECONDS = 10 * 365 * 86_400.0


class SessionCounts:
    """Questions about sessions at one moment `now`; all raise RPCError when the engine does not answer."""

    def __init__(self, client: Client, now: datetime) -> None:
        self._client = client
        self._now = now
        self._at_once = asyncio.Semaphore(AT_ONCE)

    async def count(self, where: str) -> int:
        """How many there are."""
        async with self._at_once:
            found = await self._client.count_workflows(where, rpc_timeout=timedelta(seconds=ANSWER_SECONDS))
        return found.count

    async def newest(self, where: str, limit: int = PAGE_ROWS) -> list[WorkflowExecution]:
        """The ones that were submitted last."""
        wait = timedelta(seconds=ANSWER_SECONDS)
        async with self._at_once:
            page = self._client.list_workflows(where, page_size=limit, limit=limit, rpc_timeout=wait)
            return [row async for row in page]

    async def oldest(self, where: str, wanted: int, *, of: int) -> list[WorkflowExecution]:
        """The ones that were submitted first, in that order: `wanted` and some more, as far as there are (`of`)."""
        if of > wanted + PAGE_ROWS:
            most = wanted + PAGE_ROWS
            moment = await self._moment(where, wanted, lambda few, span, _: few <= most or span < SHORTEST_SECONDS)
            where = f"{where} AND {submitted_by(moment)}"
        return sorted(await self.newest(where, LIST_LIMIT_ROWS), key=lambda row: row.start_time)

    async def oldest_at(self, where: str, *, since: datetime) -> datetime:
        """When the first one was submitted, `since` at the earliest; but for a second or a hundredth of the time."""
        longest = (self._now - since).total_seconds() * 1.02 + 2
        return await self._moment(where, 1, lambda _, span, age: span <= max(1.0, age / 100), longest_seconds=longest)

    async def _moment(
        self,
        where: str,
        wanted: int,
        is_close: Callable[[int, float, float], bool],
        *,
        longest_seconds: float = LONGEST_AGE_SECONDS,
    ) -> datetime:
        """One by which `wanted` had been submitted.

        `is_close` takes how many that are, and how much earlier (in seconds) of how long ago it may be.
        """
        low, high = 0.0, math.log(max(longest_seconds, 1.0))
        few = LIST_LIMIT_ROWS + 1
        while not is_close(few, math.exp(high) - math.exp(low), math.exp(low)):
            middle = (low + high) / 2
            count = await self.count(f"{where} AND {submitted_by(self._ago(middle))}")
            if count >= wanted:
                low, few = middle, count
            else:
                high = middle
        return self._ago(low) if low else self._now

    def _ago(self, log_seconds: float) -> datetime:
        return self._now - timedelta(seconds=math.exp(log_seconds))


def submitted_by(moment: datetime) -> str:
    """Part of a query."""
    return f"StartTime <= '{moment.astimezone(UTC).strftime('%Y-%m-%dT%H:%M:%S.%fZ')}'"


def quoted(text: str) -> str:
    """A value in a query. One with a double quote, a backslash or a line end the engine finds in no spelling."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
