"""Waits for a command or other work as long as the caller's patience lasts, with a sign of life every second.

Nothing here ends a command: a wait that is cancelled only means that this worker looks away.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from longshift.adapters.process.run_state import Running, RunState
from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.tools.outcome import OnProgress

PROGRESS_SECONDS: Final = 1.0

T = TypeVar("T")


async def follow_run(
    runner: ProcessRunner, key: str, *, patience_seconds: float | None, on_progress: OnProgress
) -> RunState:
    """The state at the end of the run, or `Running` when patience ends before it."""
    loop = asyncio.get_running_loop()
    deadline = None if patience_seconds is None else loop.time() + patience_seconds
    while True:
        state = await runner.wait(key, _pause(deadline, loop.time()))
        if not isinstance(state, Running) or (deadline is not None and loop.time() >= deadline):
            return state
        progress = await asyncio.to_thread(runner.progress, key)
        on_progress(f"{progress.running_seconds:.0f} s, {_size(progress.total_bytes)} output")


async def follow_work(
    name: str, work: Coroutine[Any, Any, T], *, patience_seconds: float | None, on_progress: OnProgress
) -> T | None:
    """The result of work that may be repeated, or None when patience ends before it; it is then cancelled."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    deadline = None if patience_seconds is None else started + patience_seconds
    task = asyncio.create_task(work)
    try:
        while True:
            done, _ = await asyncio.wait({task}, timeout=_pause(deadline, loop.time()))
            if done:
                return task.result()
            if deadline is not None and loop.time() >= deadline:
                return None
            on_progress(f"{name}, {loop.time() - started:.0f} s")
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})


def _pause(deadline: float | None, now: float) -> float:
    return PROGRESS_SECONDS if deadline is None else max(0.0, min(PROGRESS_SECONDS, deadline - now))


def _size(size_bytes: int) -> str:
    """In steps of 1,000: `999 B`, `4.1 KB`, `12.0 MB`."""
    size = float(size_bytes)
    for unit in ("B", "KB", "MB"):
        if size < 1_000:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1_000
    return f"{size:.1f} GB"
