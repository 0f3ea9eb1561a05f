"""The integrated tree comes into the lead's files, by a three-way merge that overwrites nothing.

What was changed there since the swarm began stays: where both sides changed the same lines, or something that is not
covered is in the way, the lead's files stay as they are, and are named. How it becomes a branch is in `user_branch`.
"""

import asyncio
import os
import stat
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from longshift.adapters.workspace.beneath import folder_beneath
from longshift.adapters.workspace.git import LONG_TIMEOUT_SECONDS
from longshift.adapters.workspace.repository import Repository
from longshift.adapters.workspace.shadow import Shadow
from longshift.adapters.worktrees.three_way import Sides, merge_trees
from longshift.contracts.errors import WorkspaceFailed

ATTEMPTS = 5
SIDES = Sides("LEAD", "SWARM")


@dataclass(frozen=True)
class Landed:
    """What came of it."""

    tree: str
    """The lead's files now."""
    kept: tuple[str, ...] = ()
    """Files that stay as the lead has them, though the swarm changed them; sorted."""


async def land(shadow: Shadow, base_tree: str, tree: str) -> Landed:
    """Bring `tree` into the files of `shadow`, which were `base_tree` once; done already, it changes nothing.

    Raises: WorkspaceFailed, also where the files change faster than they can be read; DiskFull.
    """
    for _ in range(ATTEMPTS):
        ours = (await shadow.snapshot()).tree
        async with shadow.held() as git:
            merged = await merge_trees(git, base_tree, ours, tree, SIDES, renames=False)
            kept = await _with_what_is_beneath(git, merged.conflicts, ours, tree)
            wanted = await _composed(git, merged.tree, ours, {*merged.conflicts, *kept})
            blocked = await _in_the_way(git, shadow.tree, ours, wanted)
            if blocked:
                kept = sorted({*kept, *await _with_what_is_beneath(git, blocked, ours, tree)})
                wanted = await _composed(git, wanted, ours, blocked)
            if wanted == ours or await shadow.advance(git, ours, wanted):
                return Landed(wanted, tuple(kept))
    raise WorkspaceFailed(f"{shadow.tree}: the files change faster than the swarm's result can be written to them")


async def versions_written(shadow: Shadow, tree: str, names: Sequence[str], into: Path) -> None:
    """Write what `tree` has of these files below the folder `into`, whose parent is there.

    Raises: WorkspaceFailed, DiskFull.
    """
    async with shadow.held() as git:
        index = {"GIT_INDEX_FILE": os.fspath(git.git_dir / "landing.index")}
        await git("read-tree", tree, environment=index)
        there = set(await _names(git, tree))
        lines = "".join(f"{name}\0" for name in names if name in there).encode("utf-8", "surrogateescape")
        command = ("checkout-index", "--force", "-z", "--stdin", f"--prefix={into}/")
        await git(*command, stdin=lines, environment=index, writable=(into.parent, git.git_dir))


async def _with_what_is_beneath(git: Repository, paths: Collection[str], ours: str, theirs: str) -> list[str]:
    """The files at or below `paths` that differ between the two trees, sorted."""
    if not paths:
        return []
    return sorted(name for name in await git.changed_files(ours, theirs) if _is_at(name, paths))


async def _composed(git: Repository, tree: str, ours: str, paths: Collection[str]) -> str:
    """`tree`, and at and below `paths` what `ours` has there."""
    if not paths:
        return tree
    index = {"GIT_INDEX_FILE": os.fspath(git.git_dir / "landing.index")}
    await git("read-tree", tree, environment=index)
    gone = [f"0 {'0' * 40}\t{name}" for name in await _names(git, tree) if _is_at(name, paths)]
    rows = [f"{entry}\t{name}" for name, entry in (await _entries(git, ours)).items() if _is_at(name, paths)]
    lines = "".join(f"{row}\0" for row in (*gone, *rows)).encode("utf-8", "surrogateescape")
    await git("update-index", "-z", "--add", "--replace", "--index-info", stdin=lines, environment=index)
    return (await git("write-tree", environment=index)).text


async def _in_the_way(git: Repository, root: Path, ours: str, wanted: str) -> list[str]:
    """The files of `wanted` that cannot be written without overwriting something that `ours` does not cover."""
    listed = await git("diff-tree", "-r", "-z", "--name-only", "--no-renames", "--diff-filter=A", ours, wanted)
    added = listed.names
    if not added:
        return []
    covered = set(await _names(git, ours))
    blocked = await asyncio.to_thread(lambda: [name for name in added if _is_blocked(root, name, covered)])
    folders = await asyncio.to_thread(lambda: [name for name in added if _is_folder(root, name)])
    for name in folders:
        command = ("ls-files", "--others", "-z", "--", f":(literal,top){name}")
        if (await git(*command, timeout_seconds=LONG_TIMEOUT_SECONDS)).names:
            blocked.append(name)
    return sorted(set(blocked))


def _is_blocked(root: Path, name: str, covered: Collection[str]) -> bool:
    """Whether something uncovered that is no folder stands at `name`, or at a folder above it."""
    parts = name.split("/")
    for depth in range(1, len(parts) + 1):
        mode = _mode(root, parts[:depth])
        if mode is None:
            return False
        if not stat.S_ISDIR(mode):
            return "/".join(parts[:depth]) not in covered
    return False


def _is_folder(root: Path, name: str) -> bool:
    mode = _mode(root, name.split("/"))
    return mode is not None and stat.S_ISDIR(mode)


def _mode(root: Path, parts: Sequence[str]) -> int | None:
    try:
        with folder_beneath(root, parts[:-1]) as folder:
            return os.stat(parts[-1], dir_fd=folder, follow_symlinks=False).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None


def _is_at(name: str, paths: Collection[str]) -> bool:
    parts = name.split("/")
    return any("/".join(parts[:depth]) in paths for depth in range(1, len(parts) + 1))


async def _names(git: Repository, tree: str) -> list[str]:
    command = ("ls-tree", "-r", "-z", "--full-tree", "--name-only", tree)
    return (await git(*command, timeout_seconds=LONG_TIMEOUT_SECONDS)).names


async def _entries(git: Repository, tree: str) -> dict[str, str]:
    """Path → mode and object, as `update-index --index-info` takes them."""
    rows = (await git("ls-tree", "-r", "-z", "--full-tree", tree, timeout_seconds=LONG_TIMEOUT_SECONDS)).names
    split = (row.split("\t", 1) for row in rows)
    return {path: f"{head.split()[0]} {head.split()[2]}" for head, path in split}
