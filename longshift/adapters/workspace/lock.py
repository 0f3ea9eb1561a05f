"""One lock per workspace, held across processes and, through an inherited descriptor, by git itself."""

import asyncio
import fcntl
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from longshift.adapters.workspace.folder import disk_full_named
from longshift.contracts.errors import WorkspaceFailed

FIRST_PAUSE_SECONDS = 0.002
LONGEST_PAUSE_SECONDS = 0.1


@asynccontextmanager
async def locked(path: Path, *, timeout_seconds: float = 900.0) -> AsyncGenerator[int]:
    """Hold the lock file `path` and give its descriptor; a child that inherits it keeps the lock while it lives.

    Raises:
        WorkspaceFailed: somebody else held it all the time.
        DiskFull: there is no space for the file.
    """
    with disk_full_named(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            async with asyncio.timeout(timeout_seconds):
                await _lock(descriptor)
        except TimeoutError as error:
            raise WorkspaceFailed(f"{path} was held by another process for {timeout_seconds:g} seconds") from error
        yield descriptor
    finally:
        os.close(descriptor)


async def _lock(descriptor: int) -> None:
    pause = FIRST_PAUSE_SECONDS
    while not _try_lock(descriptor):
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
