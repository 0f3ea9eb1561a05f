"""Waiting for whichever of several things happens first."""

import asyncio
from collections.abc import Coroutine
from typing import Any


async def first_of(*waits: Coroutine[Any, Any, object], seconds: float | None = None) -> bool:
    """Whether one of `waits` ended within `seconds`; the others are cancelled."""
    tasks: set[asyncio.Task[object]] = {asyncio.create_task(wait) for wait in waits}
    try:
        done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return bool(done)
