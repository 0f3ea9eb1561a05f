"""An item without an agent, so that the tests of the window decide how each attempt goes and see what it is told."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

from longshift.contracts.attention import Attention
from longshift.contracts.item import ItemInput
from longshift.contracts.ledger import Spend
from longshift.contracts.model import Usage
from longshift.contracts.swarm import ItemEnd, ItemFailure, ItemNews, ItemSeal
from longshift.contracts.transcript import Note
from longshift.contracts.wire import Wire
from workflows import signals

PLAY = "play_item"
HEARD = "item_heard"


class ItemPlay(Wire):
    """How one attempt goes."""

    seconds: float = 0.0
    for_ever: bool = False
    """It never ends by itself."""
    failure: ItemFailure | None = None
    throttled: int = 0
    tokens: int = 10
    steps: int = 2
    waits: Attention | None = None
    """What it is held up by, for `seconds`."""
    lingers: bool = False
    """It tells its end, and closes only when it is told to."""


@workflow.defn(name="Item")
class StubItem:
    """Tells what it is told, and ends as it is played."""

    @workflow.init
    def __init__(self, request: ItemInput) -> None:
        self._request = request
        self._is_ended = self._tells_end = self._may_close = False
        self._hearing = asyncio.Lock()
        """What is heard at once is noted in order."""

    @workflow.run
    async def run(self, request: ItemInput) -> ItemEnd:
        """One attempt."""
        started_at = workflow.time()
        play = await workflow.execute_local_activity(
            PLAY, request, result_type=ItemPlay, start_to_close_timeout=timedelta(seconds=20)
        )
        failure = play.failure
        if play.waits is not None:
            news = ItemNews(item=request.item, waiting=True, attention=play.waits)
            await signals.to_swarm(request.swarm, "item_status", news)
        try:
            if play.seconds or play.for_ever:
                await workflow.wait_condition(lambda: self._is_ended, timeout=None if play.for_ever else play.seconds)
                failure = ItemFailure.ENDED
        except TimeoutError:
            pass
        except asyncio.CancelledError:
            failure = ItemFailure.ENDED
        if play.waits is not None:
            await signals.to_swarm(request.swarm, "item_status", ItemNews(item=request.item))
        end = ItemEnd(
            item=request.item,
            attempt=request.attempt,
            failure=failure,
            reason="as played" if failure else "",
            seal=None if failure else ItemSeal(key="k", files=1),
            steps=play.steps,
            spent=Spend(usage=Usage(input_tokens=play.tokens), steps=play.steps),
            throttled=play.throttled,
            host="h",
            started_at=started_at,
            ended_at=workflow.time(),
        )
        await workflow.wait_condition(workflow.all_handlers_finished)
        if self._tells_end or play.lingers:
            await signals.to_swarm(request.swarm, "item_ended", end)
        if play.lingers:
            await workflow.wait_condition(lambda: self._may_close)
        return end

    async def _told(self, what: str) -> None:
        async with self._hearing:
            await workflow.execute_local_activity(
                HEARD,
                args=[self._request.item, what],
                start_to_close_timeout=timedelta(seconds=20),
                retry_policy=RetryPolicy(maximum_attempts=3),
            )

    @workflow.signal
    async def deliver_note(self, note: Note) -> None:
        """Heard."""
        await self._told(f"note {note.text}")

    @workflow.signal
    def close(self) -> None:
        """Obeyed."""
        self._may_close = True

    @workflow.signal
    def tell_end(self) -> None:
        """Heard, and obeyed."""
        self._tells_end = True

    @workflow.signal
    async def set_paused(self, paused: bool) -> None:
        """Heard."""
        await self._told(f"paused {paused}")

    @workflow.signal
    async def wake(self) -> None:
        """Heard."""
        await self._told("wake")

    @workflow.signal
    async def end(self, reason: str) -> None:
        """Heard, and obeyed."""
        await self._told(f"end {reason}")
        self._is_ended = True
