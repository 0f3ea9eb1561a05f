"""The history of a swarm inside a shadow repository: its base, sealed work, and the bundles in which both travel.

The same tree gives the same base commit on every host, so that a bundle made on one can be read on another. Merging is
done elsewhere; so is the writing of files. Every function is given a repository whose lock is held.
"""

import asyncio
import os
import re
from collections.abc import Collection, Sequence

from longshift.adapters.workspace.beneath import open_beneath
from longshift.adapters.workspace.bundles import LENIENT, head_bytes, read_pack
from longshift.adapters.workspace.folder import disk_full_named
from longshift.adapters.workspace.git import LONG_TIMEOUT_SECONDS
from longshift.adapters.workspace.repository import Repository
from longshift.contracts.errors import WorkspaceFailed

WORK_REF = "refs/heads/work"
"""In a bundle: the sealed work of an item."""
INTEGRATED_REF = "refs/heads/integrated"
"""In a bundle, and in the integration's repository: the integrated state."""
BASE_MESSAGE = "The files as they were when the swarm began"
MODES = frozenset({"100644", "100755", "120000"})


class UnfitBundle(WorkspaceFailed):
    """A bundle that is damaged, or holds what no workspace has: trying again does not help."""


_COMMIT = re.compile(rb"[0-9a-f]{40}")
_INCOMING = "incoming.pack"


async def committed(git: Repository, tree: str, parents: Sequence[str], message: str, *, seconds: int = 0) -> str:
    """A commit whose hash depends on nothing but what is given; `seconds` since 1970 are both of its dates.

    Raises: WorkspaceFailed, DiskFull.
    """
    date = f"@{seconds} +0000"
    command = ("commit-tree", tree, *(part for parent in parents for part in ("-p", parent)), "-F", "-")
    environment = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    return (await git(*command, stdin=message.encode("utf-8", "surrogatepass"), environment=environment)).text


async def base_commit(git: Repository, tree: str) -> str:
    """The commit without a parent that holds `tree`, the same on every host.

    Raises: WorkspaceFailed, where the tree is not here; DiskFull.
    """
    return await committed(git, tree, (), BASE_MESSAGE)


async def tree_of(git: Repository, commit: str) -> str:
    """The tree of a commit.

    Raises: WorkspaceFailed, where it is not here.
    """
    return (await git("rev-parse", "--verify", f"{commit}^{{tree}}")).text


async def seal_bundle(git: Repository, base: str, tree: str, message: str, *, seconds: int = 0) -> bytes:
    """A bundle that leads from the commit `base` to one of `tree` on top of it, under `WORK_REF`.

    Raises: WorkspaceFailed, DiskFull.
    """
    return await bundled(git, await committed(git, tree, (base,), message, seconds=seconds), base, ref=WORK_REF)


async def bundled(git: Repository, commit: str, base: str, *, ref: str = INTEGRATED_REF) -> bytes:
    """A bundle that leads from the commit `base` to `commit`, under `ref`, which is moved nowhere.

    Its head is written here (gitformat-bundle(5)): git needs neither the ref nor a process around the one that packs.

    Raises: WorkspaceFailed, DiskFull.
    """
    command = ("pack-objects", "--quiet", "--revs", "--thin", "--delta-base-offset", "--stdout")
    wanted = f"{commit}\n^{base}\n".encode()
    pack = (await git(*command, stdin=wanted, timeout_seconds=LONG_TIMEOUT_SECONDS)).stdout
    return f"# v2 git bundle\n-{base} \n{commit} {ref}\n\n".encode() + pack


async def fetched(git: Repository, bundle: bytes, ref: str = WORK_REF) -> str:
    """Take in a bundle, each object checked; gives the commit of its one ref, which no ref here names yet.

    Raises:
        UnfitBundle: it is damaged, builds on what is not here, or its files are such as no workspace has: a link to
            another repository, a path with `.git` in it.
        DiskFull: there is no space.
    """
    commit = await received(git, bundle, ref)
    await refuse_unfit(git, commit)
    return commit


async def received(
    git: Repository,
    bundle: bytes,
    ref: str = WORK_REF,
    *,
    lenient: Sequence[str] = LENIENT,
    known: Collection[str] = (),
) -> str:
    """The same for whoever looks at the files in it otherwise; raises as `fetched` does.

    `lenient`: what `bundles.known_checks` gave; each check that git does not know costs another run. `known`: commits
    that are here.
    """
    needed, commit = _head(bundle, ref)
    for each in needed:
        if each not in known and not await git.has_commit(each):
            raise UnfitBundle(f"the bundle builds on {each}, which is not in {git.git_dir}")
    pack = git.git_dir / _INCOMING
    try:
        await asyncio.to_thread(_write_pack, git, bundle)
        read = await read_pack(git, pack, lenient)
    finally:
        pack.unlink(missing_ok=True)
    if read.exit_code != 0:
        if read.is_disk_full or read.timed_out:
            raise read.failure()
        raise UnfitBundle(f"the bundle is damaged: {read.stderr.strip()[-300:]}")
    return commit


async def refuse_unfit(git: Repository, commit: str) -> None:
    """Look at every entry of a commit's tree.

    Raises:
        UnfitBundle: one is no file or link, or would be written into a repository's own folder.
    """
    listed = await git("ls-tree", "-r", "-z", "--full-tree", commit, timeout_seconds=LONG_TIMEOUT_SECONDS)
    for entry in listed.names:
        head, _, path = entry.partition("\t")
        refuse_entry(head.split()[0], path)


def refuse_entry(mode: str, path: str) -> None:
    """See that a path may be in a worktree as what its mode says.

    Raises:
        UnfitBundle: it may not.
    """
    if mode not in MODES:
        raise UnfitBundle(f"{path[:300]!r} has the mode {mode}; only files and links can be merged")
    if any(part.lower() == ".git" for part in path.split("/")):
        raise UnfitBundle(f"{path[:300]!r} lies in a .git, which is never merged")


def _write_pack(git: Repository, bundle: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    path = git.git_dir / _INCOMING
    with disk_full_named(path), open(open_beneath(git.git_dir, _INCOMING, flags), "wb") as file:
        file.write(memoryview(bundle)[head_bytes(bundle) :])


def _head(bundle: bytes, ref: str) -> tuple[list[str], str]:
    """What a bundle builds on, and the commit that `ref` names."""
    needed: list[str] = []
    commit = ""
    for line in bundle[: head_bytes(bundle)].splitlines()[1:]:
        found = _COMMIT.match(line.removeprefix(b"-"))
        if line.startswith(b"-") and found:
            needed.append(found[0].decode())
        elif found and line.partition(b" ")[2] == ref.encode():
            commit = found[0].decode()
    if not commit:
        raise UnfitBundle(f"the bundle is damaged: it does not lead to {ref}")
    return needed, commit
