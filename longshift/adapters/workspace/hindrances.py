"""What stands in the way of a git that only lists files, and is of no use to anybody: it is removed.

At a named pipe in place of a file git would wait until its time is over. It reads `.gitignore`, `.gitattributes` and
`.gitmodules` of a tree, and looks into every `.git`; other pipes are left alone.
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
POINTER_LIMIT_BYTES = 4_096
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
    for folder, parts, name, mode in _walked(tree):
        is_git = any(part.casefold() == ".git" for part in parts)
        if stat.S_ISFIFO(mode) and (is_git or name.casefold() in READ_BY_GIT):
            _remove_pipe(folder, name)
            log.warning("removed a named pipe in place of a file that git reads: %s", "/".join((*parts, name)))


def remove_dead_pointers(tree: Path) -> bool:
    """Remove the pointers of nested repositories that lead to no folder in the tree; whether there were any.

    Git ends itself at one of them (`commondir`, see gitrepository-layout(5)), even when it only lists files.
    """
    removed = False
    for folder, parts, name, mode in _walked(tree):
        if name == "commondir" and stat.S_ISREG(mode) and not _leads_inside(tree, parts, folder):
            with suppress(OSError):
                os.unlink(name, dir_fd=folder)
                removed = True
                log.warning("removed a pointer to a repository that is not there: %s", "/".join((*parts, name)))
    return removed


def _leads_inside(tree: Path, parts: tuple[str, ...], folder: int) -> bool:
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open("commondir", flags, dir_fd=folder), "rb") as file:
            target = os.fsdecode(file.read(POINTER_LIMIT_BYTES)).rstrip("\r\n")
        real = os.path.realpath(tree.joinpath(*parts, target))
    except (OSError, ValueError):
        return False
    return Path(real).is_relative_to(os.path.realpath(tree)) and os.path.isdir(real)


def _walked(tree: Path) -> Iterator[tuple[int, tuple[str, ...], str, int]]:
    """Everything in the tree but folders: its folder's descriptor and path, its name and mode. No link is followed."""
    pending: list[tuple[str, ...]] = [()]
    while pending:
        parts = pending.pop()
        with suppress(OSError), folder_beneath(tree, parts) as folder:
            for name, mode in _entries(folder):
                if not stat.S_ISDIR(mode):
                    yield folder, parts, name, mode
                elif len(parts) < DEPTH_LIMIT:
                    pending.append((*parts, name))


def _entries(folder: int) -> Iterator[tuple[str, int]]:
    listed = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        with os.scandir(listed) as entries:
            for entry in entries:
                with suppress(OSError):
                    yield entry.name, entry.stat(follow_symlinks=False).st_mode
    finally:
        os.close(listed)


def _remove_pipe(folder: int, name: str) -> None:
    # Opened for both directions it does not wait, and whoever waits for a writer has one for a moment.
    with suppress(OSError):
        descriptor = os.open(name, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        os.close(descriptor)
    with suppress(OSError):
        os.unlink(name, dir_fd=folder)
