"""The daemon of a data directory: the embedded engine (unless an external one is named) and the worker.

Both are processes of their own, so that the death of one never takes the other along; both end with this one, whatever
ends it. What a worker does is in `worker`.
"""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import structlog

from longshift.adapters.engine import DataLock, EmbeddedEngine, EngineAddress
from longshift.adapters.process.leash import on_leash
from longshift.contracts.search import SEARCH_ATTRIBUTES
from longshift.engine_download import obtain_engine_binary
from longshift.settings import Settings

log = structlog.get_logger("longshift.daemon")

FIRST_RESTART_SECONDS = 0.5
LONGEST_RESTART_SECONDS = 30.0
CALM_SECONDS = 60.0
"""A worker that ran this long starts its next restart delay from the beginning."""
KILL_MARGIN_SECONDS = 10.0


class WorkerProcess:
    """The worker as a child process, started again whenever it ends by itself."""

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        self._graceful_seconds = settings.graceful_shutdown_seconds
        self._environment = {**os.environ, "LONGSHIFT_DATA_DIR": str(settings.data_dir), **environment}
        self._process: asyncio.subprocess.Process | None = None
        self.restarts = 0

    async def keep_running(self) -> None:
        """Run until cancelled; then end the worker, politely at first."""
        delay_seconds = FIRST_RESTART_SECONDS
        try:
            while True:
                started = time.monotonic()
                self._process = await asyncio.create_subprocess_exec(
                    *on_leash([sys.executable, "-P", "-m", "worker"]), env=self._environment
                )
                code = await self._process.wait()
                if time.monotonic() - started > CALM_SECONDS:
                    delay_seconds = FIRST_RESTART_SECONDS
                self.restarts += 1
                log.warning("worker ended, starting it again", exit_code=code, delay_seconds=delay_seconds)
                await asyncio.sleep(delay_seconds)
                delay_seconds = min(LONGEST_RESTART_SECONDS, delay_seconds * 2)
        finally:
            await self._end()

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), self._graceful_seconds + KILL_MARGIN_SECONDS)
        if process.returncode is None:
            process.kill()
            await process.wait()


@dataclass(frozen=True)
class Daemon:
    """What runs."""

    engine: EngineAddress | None
    """None when the engine is an external one."""
    worker: WorkerProcess


@asynccontextmanager
async def daemon(settings: Settings, environment: Mapping[str, str] | None = None) -> AsyncGenerator[Daemon]:
    """Engine and worker for as long as the block runs. `environment` is added to the worker's.

    Raises:
        BadInput: another daemon works on the data directory.
        EngineError: the engine does not start.
    """
    async with AsyncExitStack() as running:
        running.enter_context(DataLock(settings.data_dir))
        address = None
        if not settings.uses_external_engine:
            engine = EmbeddedEngine(
                settings.data_dir,
                binary=await obtain_engine_binary(settings.data_dir),
                search_attributes=SEARCH_ATTRIBUTES,
                ui=settings.engine_ui,
                port=settings.engine_port,
            )
            address = await engine.start()
            running.push_async_callback(engine.stop)
        worker = WorkerProcess(settings, environment or {})
        kept = asyncio.create_task(worker.keep_running(), name="longshift-worker")
        running.push_async_callback(_stopped, kept)
        yield Daemon(engine=address, worker=worker)


async def _stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
