"""Which process is meant: a pid alone may by now be somebody else's, so the start time goes with it."""

import asyncio
import contextlib
import os
import signal
from dataclasses import dataclass

from longshift.adapters.process.process_table import process_stat

FIRST_PAUSE_SECONDS = 0.002
LONGEST_PAUSE_SECONDS = 0.1


@dataclass(frozen=True)
class ProcessIdentity:
    """A process of this boot, immune to reuse of its pid."""

    pid: int
    starttime: int
    """Clock ticks since boot, from `/proc/<pid>/stat`."""

    def is_alive(self) -> bool:
        """Whether it runs; a zombie does not."""
        stat = process_stat(self.pid)
        return stat is not None and stat[1] == self.starttime

    def send(self, number: signal.Signals) -> bool:
        """Signal it, and nobody else; False when it is gone or not ours."""
        descriptor = self._open()
        if descriptor is None:
            # Either gone, or a kernel without pidfds: then the window for a reused pid is a few microseconds.
            if not self.is_alive():
                return False
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, number)
            return True
        try:
            signal.pidfd_send_signal(descriptor, number)
        except (ProcessLookupError, PermissionError):
            return False
        finally:
            os.close(descriptor)
        return True

    async def wait_for_exit(self, timeout_seconds: float, pause_seconds: float) -> None:
        """Return when it ends or after the time-out; where that cannot be watched, after a pause.

        Costs one file descriptor, no thread and no polling.
        """
        descriptor = self._open()
        if descriptor is None:
            await asyncio.sleep(min(timeout_seconds, pause_seconds))
            return
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(descriptor, ended.set)
        try:
            async with asyncio.timeout(timeout_seconds):
                await ended.wait()
        except TimeoutError:
            return
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)

    def _open(self) -> int | None:
        try:
            descriptor = os.pidfd_open(self.pid)
        except OSError:
            return None
        if self.is_alive():
            return descriptor
        os.close(descriptor)
        return None
