"""The shadow repository: the state of a workspace's files, kept in a bare git directory outside of the tree.

The user's own repository (its index, its HEAD, its configuration) is neither used nor changed. What is covered:

* every file that the ignore rules leave;
* ignored files that the user's repository tracks;
* ignored files that match a protected glob, if they were there before work started or if the rules of that time
  did not ignore them: what a test run caches beside protected tests is no change of them;
* nested repositories (submodules, vendored clones) as plain files.

What is not: the content of any `.git`, empty folders, modes other than the executable bit, sockets and pipes, files
that cannot be read, and new files beyond `huge_bytes`; the last two are reported as left out.
"""

import asyncio
import os
import stat
import sys
import uuid
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from longshift.adapters.workspace.beneath import folder_beneath, read_beneath, removed
from longshift.adapters.workspace.candidates import sorted_out
from longshift.adapters.workspace.facts import Facts
from longshift.adapters.workspace.git import LONG_TIMEOUT_SECONDS, RunGit, run_git
from longshift.adapters.workspace.ignore import flattened
from longshift.adapters.workspace.index import EMPTY_TREE, Index
from longshift.adapters.workspace.repository import BASE_REF, CHECKPOINTS_REF, Repository, held
from longshift.adapters.workspace.sources import PART_SUFFIX
from longshift.contracts.errors import WorkspaceFailed

HUGE_BYTES = 100_000_000
ATTEMPTS = 3


class Snapshot(NamedTuple):
    """The files at one moment."""

    tree: str
    left_out: tuple[str, ...] = ()
    """Files that are not covered although no rule excludes them: huge, unreadable, or with an impossible name."""


class Checkpoint(NamedTuple):
    """A snapshot that was recorded."""

    tree: str
    commit: str
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shadow:
    """The shadow repository of one workspace. Every method holds the workspace's lock: calls queue up."""

    git_dir: Path
    tree: Path
    protected: tuple[str, ...] = ()
    """Globs (gitignore syntax) of files that are covered even where an ignore rule was added for them."""
    run: RunGit = run_git
    huge_bytes: int = HUGE_BYTES
    facts: Facts = field(default_factory=Facts)

    async def create(self) -> None:
        """Make the repository and take up what the user's own repository tracks; call it before anybody works here."""
        self.git_dir.mkdir(parents=True, exist_ok=True)
        async with self.held() as git:
            await git.create()
            await self._index(git).add(await self._user_tracked(git))

    async def record_base(self) -> Snapshot:
        """Record the state before work starts: what all changes are measured against."""
        async with self.held() as git:
            git.write_base_rules(None)
            snapshot = await self._snapshot(git, with_protected=True)
            listed = (await git("ls-tree", "-r", "-z", "--name-only", snapshot.tree)).names
            names = [name for name in listed if name.rpartition("/")[2] == ".gitignore"]
            texts = {name: (await git("cat-file", "blob", f"{snapshot.tree}:{name}")).stdout for name in names}
            git.write_base_rules(flattened({name: os.fsdecode(text) for name, text in texts.items()}))
            commit = (await git("commit-tree", snapshot.tree, "-m", "base")).text
            both = f"update {BASE_REF} {commit}\nupdate {CHECKPOINTS_REF} {commit}\n"
            await git("update-ref", "--stdin", stdin=both.encode())
            git.facts.learn_commit(commit, snapshot.tree)
            return snapshot

    async def snapshot(self, *, with_protected: bool = False, known: Snapshot | None = None) -> Snapshot:
        """The files as they are now; `with_protected` also looks for protected files that are ignored.

        `known` was taken without them a moment ago: it stays what it is, and they are added to it.
        """
        if known is not None and not (with_protected and self.protected):
            return known
        async with self.held() as git:
            return await self._snapshot(git, with_protected=with_protected, known=known)

    async def tree_hash(self) -> str:
        """The hash of the files as they are now."""
        return (await self.snapshot()).tree

    async def checkpoint(self, message: str) -> Checkpoint:
        """Record the files as they are now; without a change this is the last checkpoint again."""
        async with self.held() as git:
            tree, left_out = await self._snapshot(git)
            last = await git.last_checkpoint()
            if last is not None and last[0] == tree:
                return Checkpoint(tree, last[1], left_out)
            parent = ("-p", last[1]) if last is not None else ()
            commit = (await git("commit-tree", tree, *parent, "-F", "-", stdin=message.encode())).text
            await git("update-ref", CHECKPOINTS_REF, commit)
            if last is not None:
                git.facts.learn_commit(commit, tree, last[1])
            if git.is_due_for_packing():
                await git("repack", "-d", "-l", "-q", timeout_seconds=LONG_TIMEOUT_SECONDS)
            return Checkpoint(tree, commit, left_out)

    async def changed_files(self, since_tree: str, *, to_tree: str = "", kinds: str = "") -> list[str]:
        """The paths that differ from `since_tree`, sorted; `to_tree` is by default what the files are now.

        `kinds` are letters of `git diff --diff-filter`: `a` leaves out files that were added.
        """
        async with self.held() as git:
            to_tree = to_tree or (await self._snapshot(git)).tree
            if kinds:
                return await _changed(git, since_tree, to_tree, f"--diff-filter={kinds}")
            return await git.changed_files(since_tree, to_tree)

    async def diff(
        self, since_tree: str, *, to_tree: str = "", without: Sequence[str] = (), binary: bool = True
    ) -> tuple[bytes, str]:
        """The patch for `git apply`, and its numstat; paths of `without` are in neither.

        Without `binary` it is for reading alone: binary files are only named in it.
        """
        if since_tree == to_tree:
            return b"", ""
        paths = ("--", ".", *(f":(exclude,literal,top){path}" for path in without)) if without else ()
        async with self.held() as git:
            to_tree = to_tree or (await self._snapshot(git)).tree
            rest = ("--no-ext-diff", "--no-textconv", "--no-color", since_tree, to_tree, *paths)
            form = ("--binary", "--full-index") if binary else ()
            if _may_have_renames(await git.differences(since_tree, to_tree)):
                patch = ("diff-tree", "-r", "-p", *form, "-M", *rest)
                numbers = ("diff-tree", "-r", "--numstat", "--no-renames", *rest)
                return (
                    (await git(*patch, timeout_seconds=LONG_TIMEOUT_SECONDS)).stdout,
                    (await git(*numbers, timeout_seconds=LONG_TIMEOUT_SECONDS)).stdout.decode(errors="replace"),
                )
            both = ("diff-tree", "-r", "--numstat", "-p", *form, "--no-renames", *rest)
            numstat, _, patched = (await git(*both, timeout_seconds=LONG_TIMEOUT_SECONDS)).stdout.partition(b"\n\n")
            return patched, f"{numstat.decode(errors='replace')}\n" if numstat else ""

    async def sizes(self, tree: str) -> dict[str, int]:
        """The files of a tree and their sizes in bytes."""
        if tree == EMPTY_TREE:
            return {}
        async with self.held() as git:
            rows = (line.split("\t", 1) for line in (await git("ls-tree", "-r", "-l", "-z", tree)).names)
            return {name: int(head.split()[3]) for head, name in rows}

    async def restore(self, tree: str, *, now: str = "") -> str:
        """Make the covered files what they were in `tree`; ignored and left-out files stay as they are.

        `now` is what the files are, where nothing can have changed them since that was seen. Gives the same for a call
        after this one: `tree` if they were that already, nothing if they were written, as other rules may hold now.

        Raises:
            WorkspaceFailed: `tree` is not one of this workspace, or a file cannot be written.
        """
        if now == tree:
            return now
        async with self.held() as git:
            now = now or (await self._snapshot(git)).tree
            if now == tree:
                return now
            written = await _changed(git, now, tree, "--diff-filter=d")
            await asyncio.to_thread(_make_way, self.tree, self.git_dir.with_name(f".removed{PART_SUFFIX}"), written)
            await self._write_out(git, "--reset", "-u", tree)
            return ""

    async def track_user_files(self) -> None:
        """Take up what the user's own repository tracks, ignored or not."""
        async with self.held() as git:
            await self._index(git).add(await self._user_tracked(git))

    def held(self) -> AbstractAsyncContextManager[Repository]:
        """The repository, while its lock is held."""
        return held(self.git_dir, self.tree, self.run, self.facts)

    @property
    def _restoring(self) -> Path:
        """Holds the index while files are written."""
        return self.git_dir.with_suffix(".restoring")

    async def advance(self, git: Repository, since: str, tree: str) -> bool:
        """Write what differs between the recorded `since`, a snapshot of a moment ago, and `tree`; the lock is held.

        False, and nothing is written, where one of these files has changed meanwhile. Ignored files are no obstacle to
        it: that none is in the way is for the caller to see.

        Raises: WorkspaceFailed, DiskFull.
        """
        return await self._write_out(git, "-m", "-u", since, tree, check=False)

    async def _write_out(self, git: Repository, *how: str, check: bool = True) -> bool:
        """Write files as `read-tree` does, with a copy of the index: whoever swaps a folder for a link while they are
        written reaches nothing but the tree."""
        index = self._restoring / "index"
        await asyncio.to_thread(_copy_index, self.git_dir, self._restoring)
        try:
            written = await git(
                *("read-tree", *how),
                environment={"GIT_INDEX_FILE": os.fspath(index)},
                writable=(self.tree, self._restoring),
                timeout_seconds=LONG_TIMEOUT_SECONDS,
                check=check,
            )
        finally:
            index.unlink(missing_ok=True)
        if written.is_disk_full or written.timed_out:
            raise written.failure()
        if written.exit_code != 0:
            return False
        await git("read-tree", "--reset", how[-1])
        await git("update-index", "-q", "--refresh", check=False, timeout_seconds=LONG_TIMEOUT_SECONDS)
        return True

    def _index(self, git: Repository) -> Index:
        return Index(git, self.protected, self.huge_bytes)

    async def _snapshot(
        self, git: Repository, *, with_protected: bool = False, known: Snapshot | None = None
    ) -> Snapshot:
        index = self._index(git)
        for attempt in range(1, ATTEMPTS + 1):
            tolerant = attempt == ATTEMPTS
            left_out = await index.update(tolerant=tolerant) if known is None else known.left_out
            more = await index.update_protected(tolerant=tolerant) if with_protected else []
            if left_out is not None and more is not None:
                return Snapshot(await git.index_written(), tuple(sorted({*left_out, *more})))
        raise WorkspaceFailed(f"{self.tree}: the files change faster than they can be read")

    async def _user_tracked(self, git: Repository) -> list[str]:
        """What the user's repository tracks and has checked out, without links to other repositories."""
        own = self.tree / ".git"
        if own.is_symlink() or not own.is_dir():
            return []
        listed = await git("ls-files", "-z", "--stage", git_dir=own, check=False)
        rows = (line.split("\t", 1) for line in listed.names)
        names = sorted({name for head, name in rows if not head.startswith("160000")})
        return sorted_out(self.tree, names, sys.maxsize).additions


async def _changed(git: Repository, since_tree: str, to_tree: str, *options: str) -> list[str]:
    if since_tree == to_tree:
        return []
    return (await git("diff-tree", "-r", "-z", "--name-only", "--no-renames", *options, since_tree, to_tree)).names


def _may_have_renames(differences: bytes) -> bool:
    """Whether files came and others went."""
    heads = [head.split() for head in differences.split(b"\0")[:-1:2]]
    return any(head[0] == b":000000" for head in heads) and any(head[1] == b"000000" for head in heads)


def _copy_index(git_dir: Path, into: Path) -> None:
    into.mkdir(exist_ok=True)
    for left in into.iterdir():
        left.unlink()
    with suppress(FileNotFoundError):
        (into / "index").write_bytes(read_beneath(git_dir, "index"))


def _make_way(tree: Path, removed_things: Path, names: Sequence[str]) -> None:
    """Remove what is not covered and stands where a file has to go: a folder of ignored files, a file as a parent."""
    try:
        for name in names:
            _make_way_for(tree, removed_things, name.split("/"))
    except OSError as error:
        raise WorkspaceFailed(f"{tree}: what stands in the way of a file cannot be removed: {error}") from error
    if not removed(removed_things):
        raise WorkspaceFailed(f"{removed_things} cannot be removed")


def _make_way_for(tree: Path, removed_things: Path, parts: Sequence[str]) -> None:
    for depth, part in enumerate(parts):
        try:
            with folder_beneath(tree, parts[:depth]) as folder:
                is_folder = stat.S_ISDIR(os.stat(part, dir_fd=folder, follow_symlinks=False).st_mode)
                is_last = depth == len(parts) - 1
                if is_last and is_folder:
                    removed_things.mkdir(exist_ok=True)
                    os.rename(part, removed_things / uuid.uuid4().hex, src_dir_fd=folder)
                elif not is_last and not is_folder:
                    os.unlink(part, dir_fd=folder)
                    return
        except FileNotFoundError:
            return
