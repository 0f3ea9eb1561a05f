"""One server process: started on the leash, ended politely or not. When to do either is `embedded`'s business."""

import asyncio
import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from longshift.adapters.process.leash import on_leash
from longshift.adapters.process.process_table import process_stat

LOG_LIMIT_BYTES = 20_000_000
LOG_KEPT_BYTES = 2_000_000
LOG_TAIL_BYTES = 4_000
PASSED_ENVIRONMENT = ("PATH", "HOME", "USER", "TMPDIR", "TZ", "LANG", "GOMAXPROCS", "GOMEMLIMIT", "GOGC")
"""The server needs no secrets, so it is given none."""


class ServerProcess:
    """A process that was started; it may have ended since."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        stat = process_stat(process.pid)
        self.starttime = stat[1] if stat else 0

    @property
    def pid(self) -> int:
        """The server's own: the leash becomes it."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether its end has been noticed."""
        return self._process.returncode is not None

    async def wait(self) -> int:
        """Its exit code, negative for a signal; returns when it has ended."""
        return await self._process.wait()

    def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def end(self, patience_seconds: float) -> None:
        """Ask it to end, wait, insist."""
        if self.has_ended:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(patience_seconds):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()


async def start_server(command: Sequence[str], log_file: Path) -> ServerProcess:
    """Start `command` so that it ends with the calling thread; output goes to `log_file`."""
    log_file.parent.mkdir(parents=True, exist_ok=True)
    cap_log(log_file)
    descriptor = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        process = await asyncio.create_subprocess_exec(
            *on_leash(command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            cwd="/",
            env={name: os.environ[name] for name in PASSED_ENVIRONMENT if name in os.environ},
            # Ctrl-C in a terminal reaches the whole foreground group: workers have to hand over first.
            start_new_session=True,
        )
    finally:
        os.close(descriptor)
    return ServerProcess(process)


def log_tail(log_file: Path) -> str:
    """The end of the server's log, for people."""
    try:
        with log_file.open("rb") as file:
            file.seek(max(0, log_file.stat().st_size - LOG_TAIL_BYTES))
            return file.read().decode(errors="replace").strip()
    except OSError:
        return ""


def cap_log(log_file: Path) -> None:
    """Keep a log that has grown too large from filling the disk: its end is kept beside it, and it starts anew.

    The server appends, so it goes on writing at the new end; lines written in between are lost.
    """
    with contextlib.suppress(OSError), log_file.open("rb") as file:
        size_bytes = os.fstat(file.fileno()).st_size
        if size_bytes > LOG_LIMIT_BYTES:
            file.seek(size_bytes - LOG_KEPT_BYTES)
            log_file.with_name(f"{log_file.name}.1").write_bytes(file.read(LOG_KEPT_BYTES))
            os.truncate(log_file, 0)
