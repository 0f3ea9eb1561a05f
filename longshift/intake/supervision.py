"""Keeps each way in running by itself: one that fails is started again after a pause, and stops none of the others."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from longshift.contracts.errors import LongshiftError
from longshift.intake.pump import pause
from longshift.intake.standing import Standing, State
from longshift.policy.retry import backoff_seconds

log = structlog.get_logger("longshift.intake")

CALM_SECONDS = 60.0
"""What ran this long starts its next pause from the beginning."""


@dataclass(frozen=True)
class Way:
    """One way in."""

    standing: Standing
    run: Callable[[asyncio.Event], Awaitable[None]]
    """Makes everything anew, and takes tasks in until the event is set."""


async def keep_running(way: Way, stopped: asyncio.Event) -> None:
    """Run a way until stopped, again after whatever ended it; a bug is logged with its traceback."""
    failures = 0
    while not stopped.is_set():
        started = time.monotonic()
        error = await _ended(way, stopped)
        if stopped.is_set():
            break
        if time.monotonic() - started > CALM_SECONDS:
            failures = 0
        delay_seconds = backoff_seconds(failures, random.random())
        failures += 1
        way.standing.restarts += 1
        way.standing.move(State.FAILED, _words(error))
        if error is not None and not isinstance(error, LongshiftError):
            log.error("a way in ended by a bug, starting it again", source=way.standing.name, exc_info=error)
        await pause(stopped, delay_seconds)
    way.standing.move(State.STOPPED)


def _words(error: BaseException | None) -> str:
    if error is None:
        return "ended by itself"
    return str(error) if isinstance(error, LongshiftError) else repr(error)


async def _ended(way: Way, stopped: asyncio.Event) -> BaseException | None:
    """What ended a run; it is looked at here, and not raised, so that it ends nothing else."""

    async def run() -> None:
        await way.run(stopped)

    task = asyncio.create_task(run(), name=f"intake {way.standing.name}")
    try:
        await asyncio.wait([task])
    finally:
        task.cancel()
    return None if task.cancelled() else task.exception()
