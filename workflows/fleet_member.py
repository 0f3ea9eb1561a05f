"""A session as one of the fleet: it tells what it spends, and holds when all together have spent what they may."""

import asyncio
from collections.abc import Callable

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception

from longshift.contracts.activities import FleetActivities
from longshift.contracts.fleet import FleetHold, FleetSpend
from workflows import options


class FleetMember:
    """Tells in the background; where no fleet limit is configured it does nothing at all."""

    def __init__(self, *, counts: bool, spent: Callable[[], FleetSpend]) -> None:
        """`counts`: there is a limit; `spent` is what the session has spent at a moment."""
        self._counts = counts
        self._spent = spent
        self._told: FleetSpend | None = None
        self._telling: asyncio.Task[None] | None = None
        self._is_over = False
        self.hold = FleetHold()

    def start(self) -> None:
        """Tell from now on."""
        if self._counts:
            self._telling = asyncio.create_task(self._keep_telling())

    async def close(self, outcome: str) -> None:
        """The session ends: its last word."""
        if self._telling is None:
            return
        self._is_over = True
        await self._telling
        await self._tell(self._spent().model_copy(update={"outcome": outcome}))

    async def _keep_telling(self) -> None:
        while not self._is_over:
            await self._tell(self._spent())
            await workflow.wait_condition(lambda: self._is_over or self._spent() != self._told)

    async def _tell(self, spend: FleetSpend) -> None:
        """A word that is lost is made up for by the next: the numbers are those since the session's start."""
        self._told = spend
        try:
            await workflow.execute_local_activity_method(FleetActivities.tell_fleet, spend, **options.LEDGER)
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.warning("the fleet was not told: %s", error)
