"""Named pipes where git expects a file: it would wait at one until its time is over, so it is let go.

Git reads `.gitignore`, `.gitattributes` and `.gitmodules` of a tree, and looks into every `.git`. A pipe of such a name
has no use for anybody; it is removed. Others are left alone: git does not open them.
"""

import asyncio
import logging
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from longshift.adapters.workspace.beneath import folder_beneath
from longshift.adapters.workspace.git import GitCall, GitResult, RunGit

PATIENCE_SECONDS = 1.0
"""A call that takes longer may wait at a pipe; after that the pauses grow."""
LONGEST_PAUSE_SECONDS = 30.0
DEPTH_LIMIT = 400
READ_BY_GIT = frozenset({".gitignore", ".gitattributes", ".gitmodules"})

log = logging.getLogger("longshift.workspace")


async def run_past_pipes(run: RunGit, call: GitCall, tree: Path) -> GitResult:
    """Run git on `tree`, and let it go wherever it waits at a pipe."""
    running = asyncio.ensure_future(run(call))
    pause_seconds = PATIENCE_SECONDS
    try:
        while not (await asyncio.wait({running}, timeout=pause_seconds))[0]:
            await asyncio.to_thread(let_go, tree)
            pause_seconds = min(2 * pause_seconds, LONGEST_PAUSE_SECONDS)
        return running.result()
    finally:
        if not running.done():
            running.cancel()
            await asyncio.wait({running})


def let_go(tree: Path) -> None:
    """Remove the pipes, and end the wait of whoever has opened one for reading."""
    pending: list[tuple[str, ...]] = [()]
    while pending:
        parts = pending.pop()
        with suppress(OSError), folder_beneath(tree, parts) as folder:
            is_git = any(part.casefold() == ".git" for part in parts)
            for name, mode in _entries(folder):
                if stat.S_ISDIR(mode) and len(parts) < DEPTH_LIMIT:
                    pending.append((*parts, name))
                elif stat.S_ISFIFO(mode) and (is_git or name.casefold() in READ_BY_GIT):
                    _remove(folder, name)
                    log.warning("a named pipe in place of a file that git reads was removed: %s", "/".join(parts))


def _entries(folder: int) -> Iterator[tuple[str, int]]:
    listed = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        with os.scandir(listed) as entries:
            for entry in entries:
                with suppress(OSError):
                    yield entry.name, entry.stat(follow_symlinks=False).st_mode
    finally:
        os.close(listed)


def _remove(folder: int, name: str) -> None:
    # Opened for both directions it does not wait, and whoever waits for a writer has one for a moment.
    with suppress(OSError):
        descriptor = os.open(name, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        os.close(descriptor)
    with suppress(OSError):
        os.unlink(name, dir_fd=folder)
