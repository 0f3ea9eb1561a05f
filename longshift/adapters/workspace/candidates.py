"""Sorting of changed paths: what goes into the index, what leaves it, and what cannot be covered."""

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path


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
    real_folders: dict[str, bool] = {"": True}
    for name in names:
        _kind(tree, name, huge_bytes, real_folders, found).append(name)
    return found


def _kind(tree: Path, name: str, huge_bytes: int, real_folders: dict[str, bool], found: Candidates) -> list[str]:
    folder = name.rpartition("/")[0]
    if not _is_real_folder(tree, folder, real_folders):
        return found.removals
    path = f"{tree}/{name}"
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return found.removals
    if any(part.casefold() == ".git" for part in name.split("/")):
        return found.unusable
    if stat.S_ISLNK(status.st_mode):
        # Git passes over a link of this name without a word, and would keep what was there before.
        return found.removals if path.rpartition("/")[2].casefold() == ".gitmodules" else found.additions
    if not stat.S_ISREG(status.st_mode):
        return found.removals
    if status.st_size > huge_bytes:
        return found.huge
    return found.additions if os.access(path, os.R_OK) else found.unusable


def _is_real_folder(tree: Path, folder: str, known: dict[str, bool]) -> bool:
    """Whether every part of `folder` is a folder and none is a link to one."""
    if folder not in known:
        parent = folder.rpartition("/")[0]
        known[folder] = _is_real_folder(tree, parent, known) and _is_folder(f"{tree}/{folder}")
    return known[folder]


def _is_folder(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False
