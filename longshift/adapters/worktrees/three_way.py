"""A three-way merge of whole trees inside a repository: no index, no files, any base.

Whose work it is, and what becomes of a conflict, is decided by the callers. The repository's lock is held.
"""

import re
from dataclasses import dataclass

from longshift.adapters.workspace.git import LONG_TIMEOUT_SECONDS, GitResult
from longshift.adapters.workspace.repository import Repository
from longshift.adapters.worktrees.history import committed
from longshift.contracts.errors import WorkspaceFailed

NEEDED_VERSION = (2, 38)
"""Of git: the first that knows `merge-tree --write-tree`."""
USAGE_EXIT_CODE = 129
"""How a git ends that does not know it."""


@dataclass(frozen=True)
class Sides:
    """The names of both sides, as marks in files and names of files beside show them."""

    ours: str = "MERGED"
    theirs: str = "ITEM"


@dataclass(frozen=True)
class Merged:
    """What a merge came to."""

    tree: str
    """With a conflict, its files hold marks."""
    conflicts: tuple[str, ...] = ()
    """The paths that are in conflict, sorted, those on both sides of a rename included; empty: the merge is clean."""
    words: tuple[str, ...] = ()
    """What git says of each conflict."""
    binaries: tuple[str, ...] = ()
    """Those whose two versions cannot be shown in one file; what is there is `ours`."""


def too_old(version: str) -> str:
    """Why a git cannot merge here, of what `git version` says; empty: it can, or says nothing that can be read."""
    found = re.search(r"(\d+)\.(\d+)[\w.]*", version)
    if found is None or (int(found[1]), int(found[2])) >= NEEDED_VERSION:
        return ""
    needed = ".".join(map(str, NEEDED_VERSION))
    return f"git {found[0]} cannot merge without a work tree: install git {needed} or later on this host"


async def merge_trees(
    git: Repository, base: str, ours: str, theirs: str, sides: Sides | None = None, *, renames: bool = True
) -> Merged:
    """Merge the tree `theirs` into `ours`, both as changed since `base`; raises as `merge_commits` does."""
    if theirs in {base, ours}:
        return Merged(ours)
    since = await committed(git, base, (), "base")
    commits = [await committed(git, tree, (since,), "side") for tree in (ours, theirs)]
    return await merge_commits(git, *commits, sides=sides, renames=renames)


async def merge_commits(
    git: Repository, ours: str, theirs: str, *, sides: Sides | None = None, renames: bool = True
) -> Merged:
    """Merge two commits, both as changed since the newest one that both come from.

    Raises:
        WorkspaceFailed: git cannot do it; also one before 2.38.
        DiskFull: there is no space.
    """
    options = ("-c", f"merge.renames={str(renames).lower()}", "-c", "merge.conflictStyle=diff3")
    command = (*options, "merge-tree", "--write-tree", "-z", "--messages")
    result = await git(*command, ours, theirs, check=False, timeout_seconds=LONG_TIMEOUT_SECONDS)
    if result.exit_code == 1:
        # Once more, so that the marks of the conflict have the names of the sides.
        sides = sides or Sides()
        updates = f"update refs/heads/{sides.ours} {ours}\nupdate refs/heads/{sides.theirs} {theirs}\n"
        await git("update-ref", "--stdin", stdin=updates.encode())
        result = await git(*command, sides.ours, sides.theirs, check=False, timeout_seconds=LONG_TIMEOUT_SECONDS)
    if result.exit_code == USAGE_EXIT_CODE:
        raise WorkspaceFailed(too_old((await git("version")).text) or result.stderr.strip()[-500:])
    if result.exit_code not in {0, 1} or result.is_cut:
        raise result.failure()
    return _parsed(result)


def _parsed(result: GitResult) -> Merged:
    """Read `merge-tree -z`: the tree, a row for each entry in conflict, an empty field, messages."""
    fields = result.stdout.decode("utf-8", "surrogateescape").split("\0")
    tree, rest = fields[0], fields[1:]
    if result.exit_code == 0:
        return Merged(tree)
    end = rest.index("")
    paths = {row.partition("\t")[2] for row in rest[:end]}
    words: list[str] = []
    binaries: list[str] = []
    fields = rest[end + 1 :]
    while fields and fields[0]:
        count = int(fields[0])
        named, kind, text = fields[1 : count + 1], fields[count + 1], fields[count + 2]
        fields = fields[count + 3 :]
        if kind.startswith("CONFLICT"):
            paths.update(named)
            words.append(text.strip())
        if kind == "CONFLICT (binary)":
            binaries += named
    return Merged(tree, tuple(sorted(paths)), tuple(dict.fromkeys(words)), tuple(binaries))
