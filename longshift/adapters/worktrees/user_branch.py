"""A swarm's history as a branch of the project's own repository, on top of its HEAD.

Only a branch is made that was not there, and objects are added: no other ref, no index, no HEAD is touched. Git works
on the repository as on all that a workspace holds: inside the sandbox, and nothing of its configuration runs.
"""

import os
import re
from dataclasses import dataclass

from longshift.adapters.workspace.git import LONG_TIMEOUT_SECONDS, GitResult
from longshift.adapters.workspace.repository import Repository
from longshift.adapters.worktrees import history
from longshift.contracts.errors import WorkspaceFailed
from longshift.policy.merge_message import ITEM_TRAILER, short_name

PREFIX = "longshift/"
IMPORTED = "refs/longshift/imported"
NAMES_LIMIT = 9
BUNDLE_LIMIT_BYTES = 400_000_000
_IDENTITY = "longshift <longshift@localhost>"


@dataclass(frozen=True)
class Branch:
    """What became of the branch."""

    name: str = ""
    """In the project's own repository; empty: there is none."""
    why: str = ""
    """Why there is none, in words."""
    commits: dict[str, str] | None = None
    """Item → the commit that brings in its work."""
    bundle: bytes = b""
    """The branch for any other repository; empty: it is too large."""


def branch_name(swarm: str) -> str:
    """`longshift/mend.swarm1`, as git allows it."""
    return PREFIX + re.sub(r"\.{2,}", ".", swarm)


@dataclass(frozen=True)
class UserBranch:
    """One branch, of one shadow repository whose lock is held, and of the repository in its tree."""

    git: Repository
    swarm: str
    base: str
    """The commit of the shadow repository that holds the lead's files as they were when the swarm began."""
    tip: str
    """That of the integrated state."""

    async def made(self, source_commit: str = "") -> Branch:
        """Make it; made already, it is found. Where the project has no repository, the shadow has the branch alone.

        `source_commit` is what the project's files were fetched at: whoever reads the bundle may have it.

        Raises: WorkspaceFailed, DiskFull.
        """
        name = branch_name(self.swarm)
        await self.git("update-ref", f"refs/heads/{name}", self.tip)
        why = await self._why_not()
        if why:
            return Branch(why=why, commits=await self._commits(self.tip, own=False), bundle=await self._whole(name))
        await self._objects_moved()
        head = await self._own("rev-parse", "--verify", "--quiet", "HEAD^{commit}", check=False)
        tip = await self._imported(head.text if head.exit_code == 0 else "")
        name = await self._named(name, tip)
        bundle = await self._thin(name, source_commit) or await self._whole(branch_name(self.swarm))
        return Branch(name=name, commits=await self._commits(tip, own=True), bundle=bundle)

    async def _why_not(self) -> str:
        own = self.git.tree / ".git"
        if own.is_symlink() or not own.is_dir():
            return "the project has no repository of its own"
        form = await self._own("rev-parse", "--show-object-format", check=False)
        if form.exit_code != 0:
            return f"git cannot read the project's repository: {form.stderr.strip()[-300:]}"
        return "" if form.text == "sha1" else f"the project's repository names its objects by {form.text}"

    async def _objects_moved(self) -> None:
        """Give the repository all files of the history that it lacks, in one pack."""
        command = ("rev-list", "--objects", "--no-object-names", self.tip)
        listed = (await self.git(*command, timeout_seconds=LONG_TIMEOUT_SECONDS)).stdout.decode().split()
        commits = set((await self.git("rev-list", self.tip)).text.split())
        names = "".join(f"{name}\n" for name in listed if name not in commits).encode()
        checked = await self._own("cat-file", "--batch-check=%(objectname)", stdin=names)
        rows = (row.split() for row in checked.stdout.decode().splitlines())
        missing = "".join(f"{row[0]}\n" for row in rows if row[1:] == ["missing"])
        if missing:
            pack = os.fspath(self.git.tree / ".git" / "objects" / "pack" / "pack")
            await self._own("pack-objects", "--quiet", pack, stdin=missing.encode(), borrows=True)

    async def _imported(self, head: str) -> str:
        """The history again with `head` in place of nothing at its beginning; gives its last commit."""
        stream = await self._stream(head)
        await self._own("fast-import", "--quiet", "--force", "--done", stdin=stream, borrows=True)
        return (await self._own("rev-parse", "--verify", IMPORTED)).text

    async def _stream(self, head: str) -> bytes:
        """The commits as `git fast-import` reads them; trees are there already."""
        base_tree, seconds = await history.tree_of(self.git, self.base), "0"
        marks: dict[str, str] = {}
        if head:
            tree, seconds = (await self._own("log", "-1", "--format=%T %ct", head)).text.split()
            marks = {self.base: head} if tree == base_tree else {}
        if not marks:
            marks[self.base] = ":1"
        lines: list[bytes] = [b"feature done\n"]
        if marks[self.base] == ":1":
            message = f"{short_name(self.swarm)}: what was not committed when it began\n"
            lines += _commit(1, base_tree, [head] if head else [], seconds, message)
        for number, (commit, tree, parents, date, message) in enumerate(await self._history(), start=2):
            lines += _commit(number, tree, [marks[each] for each in parents.split()], date, message)
            marks[commit] = f":{number}"
        return b"".join((*lines, f"reset {IMPORTED}\nfrom {marks[self.tip]}\n\ndone\n".encode()))

    async def _history(self) -> list[list[str]]:
        """Name, tree, parents, date and message of all commits but the base, each after its parents."""
        command = ("log", "--topo-order", "--reverse", "-z", "--format=%H%x00%T%x00%P%x00%ct%x00%B")
        listed = await self.git(*command, f"{self.base}..{self.tip}", timeout_seconds=LONG_TIMEOUT_SECONDS)
        fields = listed.stdout.decode("utf-8", "surrogateescape").split("\0")
        return [fields[place : place + 5] for place in range(0, len(fields) - 4, 5)]

    async def _named(self, name: str, tip: str) -> str:
        """Make a branch that is not there yet; gives its name."""
        for number in range(1, NAMES_LIMIT + 1):
            each = name if number == 1 else f"{name}-{number}"
            made = await self._own("update-ref", f"refs/heads/{each}", tip, "0" * 40, check=False)
            there = await self._own("rev-parse", "--verify", "--quiet", f"refs/heads/{each}", check=False)
            if made.exit_code == 0 or there.text == tip:
                await self._own("update-ref", "-d", IMPORTED)
                return each
        raise WorkspaceFailed(f"{self.git.tree}: all branches from {name} to {name}-{NAMES_LIMIT} are taken")

    async def _thin(self, name: str, source_commit: str) -> bytes:
        """The branch without what `source_commit` leads to; empty where that does not lead to it."""
        if not source_commit:
            return b""
        ancestor = await self._own("merge-base", "--is-ancestor", source_commit, f"refs/heads/{name}", check=False)
        if ancestor.exit_code != 0:
            return b""
        command = ("bundle", "create", "--quiet", "-", f"refs/heads/{name}", f"^{source_commit}")
        return (await self._own(*command)).stdout

    async def _whole(self, name: str) -> bytes:
        """The branch of the shadow repository, which needs nothing else; empty where that is too much."""
        rows = (await self.git("ls-tree", "-r", "-l", "-z", self.tip, timeout_seconds=LONG_TIMEOUT_SECONDS)).names
        if sum(int(row.split()[3]) for row in rows) > BUNDLE_LIMIT_BYTES:
            return b""
        command = ("bundle", "create", "--quiet", "-", f"refs/heads/{name}")
        return (await self.git(*command, timeout_seconds=LONG_TIMEOUT_SECONDS)).stdout

    async def _commits(self, tip: str, *, own: bool) -> dict[str, str]:
        """Item → its merge: in the project's repository, or in the shadow's."""
        merges = (await self.git("rev-list", "--first-parent", f"{self.base}..{self.tip}")).text.split()
        form = f"--format=%H %(trailers:key={ITEM_TRAILER},valueonly,separator=%x20)"
        command = ("log", "--first-parent", f"--max-count={len(merges)}", form, tip)
        listed = await self._own(*command) if own else await self.git(*command)
        rows = (row.split(maxsplit=1) for row in listed.text.splitlines())
        return {row[1].strip(): row[0] for row in rows if len(row) == 2}

    async def _own(self, *arguments: str, stdin: bytes = b"", check: bool = True, borrows: bool = False) -> GitResult:
        """Git on the project's repository; it `borrows` the shadow's objects where it needs to read them."""
        objects = os.fspath(self.git.git_dir / "objects")
        return await self.git(
            *arguments,
            stdin=stdin,
            check=check,
            git_dir=self.git.tree / ".git",
            environment={"GIT_ALTERNATE_OBJECT_DIRECTORIES": objects} if borrows else {},
            writable=(self.git.tree,),
            timeout_seconds=LONG_TIMEOUT_SECONDS,
        )


def _commit(number: int, tree: str, parents: list[str], seconds: str, message: str) -> list[bytes]:
    body = message.encode("utf-8", "surrogateescape")
    words = ("from", *("merge" for _ in parents))
    return [
        f"commit {IMPORTED}\nmark :{number}\n".encode(),
        *(f"{role} {_IDENTITY} {seconds} +0000\n".encode() for role in ("author", "committer")),
        f"data {len(body)}\n".encode() + body + b"\n",
        *(f"{word} {parent}\n".encode() for word, parent in zip(words, parents, strict=False)),
        f'M 040000 {tree} ""\n\n'.encode(),
    ]
