"""The bare repository behind a shadow: its lock, its rules, and git calls on it. What to record is not decided here."""

import asyncio
import os
import re
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from longshift.adapters.workspace.beneath import open_beneath, read_beneath, write_beneath
from longshift.adapters.workspace.facts import Facts
from longshift.adapters.workspace.git import LONG_TIMEOUT_SECONDS, GitCall, GitResult, RunGit
from longshift.adapters.workspace.git_environment import hardened_environment
from longshift.adapters.workspace.hindrances import run_past_pipes
from longshift.adapters.workspace.ignore import NOISE
from longshift.adapters.workspace.lock import locked

BASE_REF = "refs/heads/base"
CHECKPOINTS_REF = "refs/heads/checkpoints"
KEPT_REFS = "refs/kept"
"""Chains of checkpoints whose newest one was rooted anew in the base."""
OWN_RULES_LIMIT_BYTES = 1_000_000
_RULES = "info/exclude"
_BASE_RULES = "base-exclude"
LOOSE_OBJECTS_LIMIT = 20_000
_COMMIT_LINE = re.compile(rb"[0-9a-f]{40}\n")
INDEX_TREE = "index-tree"
"""The checksum of an index, and the tree that it was written as."""
_INDEX_TREE_LINE = re.compile(rb"[0-9a-f]{40} [0-9a-f]{40}\n")
_CHECKSUM_BYTES = 20
_REF_LIMIT_BYTES = 100
_LOCKS = ("index.lock", "HEAD.lock", "config.lock", f"{BASE_REF}.lock", f"{CHECKPOINTS_REF}.lock")
_ATTRIBUTES = "* -text -ident !eol !filter !working-tree-encoding !diff !merge\n"
"""Outranks every `.gitattributes`: no conversion of content, no driver."""


@dataclass(frozen=True)
class Repository:
    """Git on one shadow repository, while its lock is held."""

    git_dir: Path
    tree: Path
    run: RunGit
    descriptor: int
    facts: Facts = field(default_factory=Facts)

    async def __call__(
        self,
        *arguments: str,
        stdin: bytes = b"",
        check: bool = True,
        stdin_file: Path | None = None,
        git_dir: Path | None = None,
        environment: Mapping[str, str] | None = None,
        writable: tuple[Path, ...] = (),
        timeout_seconds: float = 300.0,
    ) -> GitResult:
        """Run git on the tree; with `check`, anything but success is raised.

        It may write to the repository and not to the tree, unless `writable` names what it may write to instead.

        Raises:
            WorkspaceFailed: git failed.
            DiskFull: there is no space left.
        """
        whole = {
            **hardened_environment(),
            **(environment or {}),
            "GIT_DIR": os.fspath(git_dir or self.git_dir),
            "GIT_WORK_TREE": os.fspath(self.tree),
        }
        call = GitCall(
            arguments,
            self.tree,
            whole,
            stdin,
            timeout_seconds,
            keep_open=(self.descriptor,),
            stdin_file=stdin_file,
            writable=writable or (self.git_dir,),
            readable=tuple({self.tree, self.git_dir}.difference(writable or (self.git_dir,))),
        )
        result = await run_past_pipes(self.run, call, self.tree)
        if check and (result.exit_code != 0 or result.is_cut):
            raise result.failure()
        return result

    async def create(self) -> None:
        """Make the repository; one that is there stays."""
        arguments = ("init", "--quiet", "--bare", "--template=", "--object-format=sha1", os.fspath(self.git_dir))
        environment, locks = hardened_environment(), (self.descriptor,)
        result = await self.run(
            GitCall(arguments, self.git_dir, environment, keep_open=locks, writable=(self.git_dir,))
        )
        if result.exit_code != 0:
            raise result.failure()
        await asyncio.to_thread(self._write_info)

    def _write_info(self) -> None:
        (self.git_dir / "info").mkdir(exist_ok=True)
        write_beneath(self.git_dir, "info/attributes", _ATTRIBUTES.encode())
        own = b""
        with suppress(OSError):
            own = read_beneath(self.tree, ".git/info/exclude", OWN_RULES_LIMIT_BYTES)
        self._write_rules(_RULES, [*NOISE, *os.fsdecode(own).splitlines()])

    @property
    def base_rules(self) -> Path:
        """The ignore rules as they were before work started, in one file."""
        return self.git_dir / _BASE_RULES

    def write_base_rules(self, rules: Iterable[str] | None) -> None:
        """Keep the ignore rules of the base tree; None stands for a time when nothing but noise is ignored."""
        own = os.fsdecode(read_beneath(self.git_dir, _RULES)).splitlines()
        self._write_rules(_BASE_RULES, NOISE if rules is None else [*own, *rules])

    def rules(self) -> tuple[bytes, bytes]:
        """The ignore rules, and those from before work started."""
        return read_beneath(self.git_dir, _RULES), read_beneath(self.git_dir, _BASE_RULES)

    def write_rules(self, own_rules: bytes, base_rules: bytes) -> None:
        """Take over the ignore rules of another host's shadow repository, and those from before work started."""
        write_beneath(self.git_dir, _RULES, own_rules)
        write_beneath(self.git_dir, _BASE_RULES, base_rules)

    def _write_rules(self, name: str, rules: Iterable[str]) -> None:
        write_beneath(self.git_dir, name, b"".join(os.fsencode(rule) + b"\n" for rule in rules))

    async def commit_of(self, ref: str) -> str:
        """The commit that a ref names.

        Raises: WorkspaceFailed, where there is none.
        """
        return self.loose_commit_of(ref) or (await self("rev-parse", "--verify", f"{ref}^{{commit}}")).text

    def loose_commit_of(self, ref: str) -> str:
        """The same where the ref is a file with one line (gitrepository-layout(5)); empty: ask git."""
        line = b""
        with suppress(OSError):
            line = read_beneath(self.git_dir, ref, _REF_LIMIT_BYTES)
        return line.decode().strip() if _COMMIT_LINE.fullmatch(line) else ""

    async def differences(self, since_tree: str, to_tree: str) -> bytes:
        """What differs between two trees, as `git diff-tree -r -z --raw` lists it, without renames.

        Raises: WorkspaceFailed.
        """
        known = b"" if since_tree == to_tree else self.facts.listings.get((since_tree, to_tree))
        if known is None:
            command = ("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", since_tree, to_tree)
            known = (await self(*command, timeout_seconds=LONG_TIMEOUT_SECONDS)).stdout
            self.facts.learn_listing(since_tree, to_tree, known)
        return known

    async def changed_files(self, since_tree: str, to_tree: str) -> list[str]:
        """The paths that differ between two trees, sorted as git does.

        Raises: WorkspaceFailed.
        """
        return [os.fsdecode(name) for name in (await self.differences(since_tree, to_tree)).split(b"\0")[1::2]]

    async def index_written(self) -> str:
        """The tree of the index; git is asked only where the index is not the one that it was asked about last.

        Raises: WorkspaceFailed, DiskFull.
        """
        known = b""
        with suppress(OSError):
            known = read_beneath(self.git_dir, INDEX_TREE, _REF_LIMIT_BYTES)
        checksum = self._index_checksum()
        if checksum and _INDEX_TREE_LINE.fullmatch(known) and known.startswith(checksum):
            return known.decode().split()[1]
        tree = (await self("write-tree")).text
        self.index_is(tree)
        return tree

    def index_is(self, tree: str) -> None:
        """The index was written as a tree, or read from it."""
        checksum = self._index_checksum()
        if checksum:
            write_beneath(self.git_dir, INDEX_TREE, checksum + f" {tree}\n".encode())

    def _index_checksum(self) -> bytes:
        """Of all that is in the index, as its last bytes say (gitformat-index(5)); empty where they do not."""
        try:
            with open(open_beneath(self.git_dir, "index"), "rb") as file:
                file.seek(-_CHECKSUM_BYTES, os.SEEK_END)
                checksum = file.read()
        except OSError:
            return b""
        return checksum.hex().encode() if any(checksum) else b""

    async def last_checkpoint(self) -> tuple[str, str] | None:
        """Tree and commit of the last checkpoint."""
        known = self.loose_commit_of(CHECKPOINTS_REF)
        if known in self.facts.commits:
            return self.facts.commits[known][0], known
        shown = await self("log", "-1", "--format=%T %H", CHECKPOINTS_REF, "--", check=False)
        tree, _, commit = shown.text.partition(" ")
        return (tree, commit) if shown.exit_code == 0 and commit else None

    async def checkpoint_names(self) -> list[str]:
        """Tree and name of every checkpoint that is here, the newest first: `<tree> step 7`."""
        shown = await self("log", "--topo-order", "--format=%T %s", CHECKPOINTS_REF, f"--glob={KEPT_REFS}", "--")
        return shown.text.splitlines()

    async def has_commit(self, commit: str) -> bool:
        """Whether a commit is here."""
        return (await self("cat-file", "-e", f"{commit}^{{commit}}", check=False)).exit_code == 0

    def is_due_for_packing(self) -> bool:
        """Judge all loose objects by one of their 256 folders, as git does."""
        sample = self.git_dir / "objects" / "17"
        return sample.is_dir() and 256 * len(os.listdir(sample)) > LOOSE_OBJECTS_LIMIT


@asynccontextmanager
async def held(git_dir: Path, tree: Path, run: RunGit, facts: Facts | None = None) -> AsyncGenerator[Repository]:
    """Hold the repository's lock.

    Every git call inherits the lock. So once it is ours no git is at work here, and a lock file of git's own
    was left behind by one that was killed.
    """
    async with locked(git_dir / "longshift.lock") as descriptor:
        for name in _LOCKS:
            (git_dir / name).unlink(missing_ok=True)
        yield Repository(git_dir, tree, run, descriptor, facts or Facts())
