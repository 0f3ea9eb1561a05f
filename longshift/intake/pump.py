"""Takes leases from a broker and has them handed over, several at a time, as long as engine and queue take more.

Nothing is read while the backlog is full or the engine away, so that an outage does not deliver everything again and
again. What becomes of one message is `handover`'s.
"""

import asyncio
import contextlib
import random
import time

from longshift.adapters.brokers import Lease, TaskSource
from longshift.contracts.errors import BrokerUnavailable, EngineError
from longshift.intake.backlog import FRESH_SECONDS, Backlog
from longshift.intake.handover import HandOver
from longshift.intake.standing import Standing, State
from longshift.policy.retry import backoff_seconds

WIDTH = 40
"""Leases in hand at a time."""
LEAST_ROOM = 8
"""Fewer are not worth a question to the broker while others are in hand."""
WAIT_SECONDS = 1.0
"""How long the broker is listened to at a time; no longer, so that a stop is heard."""
DRAIN_SECONDS = 4.0
GIVE_BACK_SECONDS = 2.0
DEPTH_SECONDS = 15.0
"""How old the number of waiting messages may be that health shows."""


class Pump:
    """Moves one source's messages into the queue of sessions."""

    def __init__(
        self, source: TaskSource, backlog: Backlog, hand_over: HandOver, standing: Standing, *, width: int = WIDTH
    ) -> None:
        self._source = source
        self._backlog = backlog
        self._hand_over = hand_over
        self._standing = standing
        self._width = width
        self._in_hand: dict[asyncio.Task[None], Lease] = {}
        self._broker_failures = 0
        self._engine_failures = 0
        """One after another."""
        self._depth_at = float("-inf")

    async def run(self, stopped: asyncio.Event) -> None:
        """Pump until stopped; then finish what is in hand, or give it back, within a few seconds.

        Raises:
            BadInput: the broker's address, credentials or queue are wrong.
        """
        stopping = asyncio.create_task(stopped.wait())
        async with self._source:
            try:
                while not stopped.is_set():
                    await self._room(stopping)
                    if await self._may_read(stopped):
                        await self._read(stopped, stopping)
            finally:
                stopping.cancel()
                await self._drain()

    async def _room(self, stopping: asyncio.Task[bool]) -> None:
        """Wait until there is room for some more. A bug that a hand-over met comes out here."""
        room = min(LEAST_ROOM, self._width)
        while not stopping.done():
            for task in [each for each in self._in_hand if each.done()]:
                del self._in_hand[task]
                task.result()
            if self._width - len(self._in_hand) >= room:
                return
            await asyncio.wait([*self._in_hand, stopping], return_when=asyncio.FIRST_COMPLETED)

    async def _may_read(self, stopped: asyncio.Event) -> bool:
        """Whether engine and queue take more; if not, only after a pause."""
        if self._hand_over.engine_failed:
            self._hand_over.engine_failed = False
            await self._engine_is_away(stopped, "it does not take tasks; they wait at their source")
        try:
            is_full = await self._backlog.is_full()
        except EngineError as error:
            await self._engine_is_away(stopped, str(error))
            return False
        if is_full:
            self._standing.move(State.FULL, f"{self._backlog.limit} sessions wait; tasks wait at their source")
            await pause(stopped, FRESH_SECONDS)
        return not is_full and not stopped.is_set()

    async def _engine_is_away(self, stopped: asyncio.Event, detail: str) -> None:
        self._standing.move(State.ENGINE_AWAY, detail)
        await pause(stopped, backoff_seconds(self._engine_failures, random.random()))
        self._engine_failures += 1

    async def _read(self, stopped: asyncio.Event, stopping: asyncio.Task[bool]) -> None:
        try:
            await self._look_at_depth()
            leases = await self._received(stopping)
        except BrokerUnavailable as error:
            self._standing.move(State.SOURCE_AWAY, str(error))
            await pause(stopped, backoff_seconds(self._broker_failures, random.random()))
            self._broker_failures += 1
            return
        self._broker_failures = 0
        if not self._hand_over.engine_failed:
            self._engine_failures = 0
            self._standing.move(State.WORKING)
        for lease in leases:
            self._in_hand[asyncio.create_task(self._hand_over.settle(lease))] = lease

    async def _received(self, stopping: asyncio.Task[bool]) -> list[Lease]:
        """What the broker gives; one that hangs does not hold up a stop."""
        asked = asyncio.create_task(self._source.receive(self._width - len(self._in_hand), WAIT_SECONDS))
        try:
            await asyncio.wait([asked, stopping], return_when=asyncio.FIRST_COMPLETED)
            if not asked.done():
                await asyncio.wait([asked], timeout=2 * WAIT_SECONDS)
            return asked.result() if asked.done() else []
        finally:
            asked.cancel()

    async def _look_at_depth(self) -> None:
        if time.monotonic() - self._depth_at > DEPTH_SECONDS:
            self._depth_at = time.monotonic()
            self._standing.pending = (await self._source.depth()).pending

    async def _drain(self) -> None:
        if not self._in_hand:
            return
        done, late = await asyncio.wait(self._in_hand, timeout=DRAIN_SECONDS)
        for task in late:
            task.cancel()
        left = [lease for task, lease in self._in_hand.items() if task in late]
        if late:
            await asyncio.wait(late)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GIVE_BACK_SECONDS):
                    await asyncio.gather(*(self._hand_over.give_back(lease) for lease in left))
        self._in_hand.clear()
        for task in done:
            task.result()


async def pause(stopped: asyncio.Event, seconds: float) -> None:
    """Wait, but no longer than until `stopped`."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stopped.wait(), seconds)
