"""Heartbeats that carry progress, sent from the event loop: a blocked loop stops them, as it should."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Protocol

from temporalio import activity

from longshift.adapters.context import Tab
from longshift.contracts.ledger import Booked

QUIET_SECONDS = 1.0
"""A heartbeat is a write in the engine; what is over by then needs none. Far below every heartbeat time-out."""


class Told(Protocol):
    """What a heartbeat carries."""

    @property
    def details(self) -> tuple[Any, ...]:
        """The line of progress first."""
        ...


class Progress:
    """The latest line of progress; the next heartbeat carries it."""

    def __init__(self) -> None:
        self.line = "started"

    @property
    def details(self) -> tuple[str]:
        """The line alone."""
        return (self.line,)

    def report(self, line: str) -> None:
        """Replace the line."""
        self.line = line


def tab_of_attempt() -> Tab:
    """The tab of a model activity, with what the attempts before it have spent."""
    info = activity.info()
    told = list(info.heartbeat_details)
    if len(told) < 2:  # none, or the line alone of an earlier release
        return Tab(is_cut_off=info.attempt > 1 and not told)
    return Tab(Booked.model_validate(told[1]))


@asynccontextmanager
async def heartbeating(progress: Told, *, tells_end: bool = False) -> AsyncGenerator[None]:
    """Send a heartbeat three times per heartbeat time-out, from a second after the start to the end of the block.

    `tells_end`: also when the block fails, so that the next attempt knows how far this one had come.
    """
    timeout = activity.info().heartbeat_timeout
    if timeout is None or activity.info().is_local:
        yield
        return
    ticker = asyncio.create_task(_tick(progress, timeout.total_seconds() / 3))
    is_over = False
    try:
        yield
        is_over = True
    finally:
        ticker.cancel()
        if tells_end and not is_over:
            activity.heartbeat(*progress.details)


async def _tick(progress: Told, interval_seconds: float) -> None:
    await asyncio.sleep(QUIET_SECONDS)
    while True:
        activity.heartbeat(*progress.details)
        await asyncio.sleep(interval_seconds)
