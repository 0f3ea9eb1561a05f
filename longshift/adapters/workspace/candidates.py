"""Sorting of changed paths: what goes into the index, what leaves it, and what cannot be covered."""

import os
import stat
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from longshift.adapters.workspace.beneath import folder_beneath


@dataclass(frozen=True)
class Candidates:
    """Paths relative to the tree, in the order in which they were given."""

    additions: list[str] = field(default_factory=list[str])
    removals: list[str] = field(default_factory=list[str])
    """Not there any more, or something that git cannot hold has taken their place."""
    huge: list[str] = field(default_factory=list[str])
    unusable: list[str] = field(default_factory=list[str])
    """Unreadable, or with a name that git refuses."""


def sorted_out(tree: Path, names: Iterable[str], huge_bytes: int) -> Candidates:
    """Look at each path without following any link, and say what is to be done with it."""
    found = Candidates()
    opened: tuple[str, int | None] | None = None
    with ExitStack() as stack:
        for name in names:
            folder, _, last = name.rpartition("/")
            if opened is None or opened[0] != folder:
                stack.close()
                opened = (folder, _opened(tree, folder, stack))
            _kind(opened[1], name, last, huge_bytes, found).append(name)
    return found


def _opened(tree: Path, folder: str, stack: ExitStack) -> int | None:
    """A descriptor of the folder; None where any part of it is no folder, or a link to one."""
    try:
        return stack.enter_context(folder_beneath(tree, folder.split("/") if folder else ()))
    except OSError:
        return None


def _kind(folder: int | None, name: str, last: str, huge_bytes: int, found: Candidates) -> list[str]:
    if folder is None:
        return found.removals
    try:
        status = os.stat(last, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return found.removals
    if any(part.casefold() == ".git" for part in name.split("/")):
        return found.unusable
    if stat.S_ISLNK(status.st_mode):
        # Git passes over a link of this name without a word, and would keep what was there before.
        return found.removals if last.casefold() == ".gitmodules" else found.additions
    if not stat.S_ISREG(status.st_mode):
        return found.removals
    if status.st_size > huge_bytes:
        return found.huge
    is_readable = os.access(last, os.R_OK, dir_fd=folder, follow_symlinks=False)
    return found.additions if is_readable else found.unusable
