"""Heartbeats that carry progress, sent from the event loop: a blocked loop stops them, as it should."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from temporalio import activity

QUIET_SECONDS = 1.0
"""A heartbeat is a write in the engine; what is over by then needs none. Far below every heartbeat time-out."""


class Progress:
    """The latest line of progress; the next heartbeat carries it."""

    def __init__(self) -> None:
        self.line = "started"

    def report(self, line: str) -> None:
        """Replace the line."""
        self.line = line


@asynccontextmanager
async def heartbeating(progress: Progress) -> AsyncGenerator[None]:
    """Send a heartbeat three times per heartbeat time-out, from a second after the start to the end of the block."""
    timeout = activity.info().heartbeat_timeout
    if timeout is None or activity.info().is_local:
        yield
        return
    ticker = asyncio.create_task(_tick(progress, timeout.total_seconds() / 3))
    try:
        yield
    finally:
        ticker.cancel()


async def _tick(progress: Progress, interval_seconds: float) -> None:
    await asyncio.sleep(QUIET_SECONDS)
    while True:
        activity.heartbeat(progress.line)
        await asyncio.sleep(interval_seconds)
