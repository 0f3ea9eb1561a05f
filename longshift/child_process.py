"""A part of the daemon as a child process, started again whenever it ends by itself. What it does is its module's."""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Mapping

import structlog

from longshift.adapters.process.leash import on_leash
from longshift.settings import Settings

log = structlog.get_logger("longshift.daemon")

FIRST_RESTART_SECONDS = 0.5
LONGEST_RESTART_SECONDS = 30.0
CALM_SECONDS = 60.0
"""A process that ran this long starts its next restart delay from the beginning."""
KILL_MARGIN_SECONDS = 10.0
"""Beyond twice the graceful time: a worker lets its sessions hand over first, then its calls end."""


class ChildProcess:
    """`python -m module`, kept running. `environment` is added to this process's own."""

    def __init__(self, module: str, settings: Settings, environment: Mapping[str, str]) -> None:
        self._module = module
        self._graceful_seconds = settings.graceful_shutdown_seconds
        self._environment = {**os.environ, "LONGSHIFT_DATA_DIR": str(settings.data_dir), **environment}
        self._process: asyncio.subprocess.Process | None = None
        self.restarts = 0

    async def keep_running(self) -> None:
        """Run until cancelled; then end the process, politely at first."""
        delay_seconds = FIRST_RESTART_SECONDS
        try:
            while True:
                started = time.monotonic()
                self._process = await asyncio.create_subprocess_exec(
                    *on_leash([sys.executable, "-P", "-m", self._module]), env=self._environment
                )
                code = await self._process.wait()
                if time.monotonic() - started > CALM_SECONDS:
                    delay_seconds = FIRST_RESTART_SECONDS
                self.restarts += 1
                log.warning(f"{self._module} ended, starting it again", exit_code=code, delay_seconds=delay_seconds)
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
            await asyncio.wait_for(process.wait(), 2 * self._graceful_seconds + KILL_MARGIN_SECONDS)
        if process.returncode is None:
            process.kill()
            await process.wait()
