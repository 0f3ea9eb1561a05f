"""Checkpoints as git bundles: written out of a shadow repository, read into another one. Storing them is the archive's.

A bundle is read by `index-pack` alone, so no protocol of git's is allowed, and every object is checked on its way in.
"""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from longshift.adapters.workspace.beneath import open_beneath
from longshift.adapters.workspace.git import LONG_TIMEOUT_SECONDS, GitResult
from longshift.adapters.workspace.repository import BASE_REF, CHECKPOINTS_REF, KEPT_REFS, Repository
from longshift.contracts.checkpoints import CheckpointKind

HEADER_LIMIT_BYTES = 1_000_000
LINK_CHECKS = ("symlinkPointsToGitDir", "symlinkTargetBlob", "symlinkTargetLength", "symlinkTargetMissing")
"""Git knows all of these or none: they came with one change."""
LENIENT = (
    "gitattributesBlob",
    "gitattributesLarge",
    "gitattributesLineLength",
    "gitattributesMissing",
    "gitmodulesBlob",
    "gitmodulesLarge",
    "gitmodulesMissing",
    "gitmodulesName",
    "gitmodulesParse",
    "gitmodulesPath",
    "gitmodulesSymlink",
    "gitmodulesUpdate",
    "gitmodulesUrl",
    "hasDotgit",
    *LINK_CHECKS,
)
"""What a session may well have in its files, and what nothing here interprets. Git's own name `.git` is refused when
files are written, whatever stands here."""
_UNKNOWN_CHECK = re.compile(r"Unhandled message id: (\S+)")


class Written(NamedTuple):
    """What a bundle leads to."""

    commit: str
    base_commit: str


async def write_bundle(
    git: Repository, path: Path, kind: CheckpointKind, *, tip: str, since: str = ""
) -> Written | None:
    """Write the checkpoint `tip` to `path`; an incremental one leads there from the commit `since`.

    Others are rooted in the base first, so that a bundle does not hold all states in between: the checkpoint becomes a
    child of the base, and the old chain is kept under a ref of its own. None when `tip` is not the last checkpoint.
    """
    command = ("bundle", "create", "--quiet", str(path), CHECKPOINTS_REF)
    if kind is CheckpointKind.INCREMENTAL:
        await git(*command, f"^{since}", timeout_seconds=LONG_TIMEOUT_SECONDS)
        return Written(tip, "") if await asyncio.to_thread(_tip, path) == tip else None
    rooted = await _rooted(git, tip)
    if rooted is not None and kind is CheckpointKind.FULL:
        # Without a search for similar files: over a whole tree it takes long and saves little.
        await git("-c", "pack.window=0", *command, BASE_REF, timeout_seconds=LONG_TIMEOUT_SECONDS)
    elif rooted is not None:
        await git(*command, f"^{BASE_REF}", timeout_seconds=LONG_TIMEOUT_SECONDS)
    return rooted


async def _rooted(git: Repository, expected_tip: str) -> Written | None:
    tip, base = git.loose_commit_of(CHECKPOINTS_REF), git.loose_commit_of(BASE_REF)
    if tip in git.facts.commits and base:
        tree, *parents = git.facts.commits[tip]
    else:
        names = (CHECKPOINTS_REF, f"{CHECKPOINTS_REF}^{{tree}}", BASE_REF, f"{CHECKPOINTS_REF}^@")
        tip, tree, base, *parents = (await git("rev-parse", *names)).text.split("\n")
    if tip != expected_tip:
        return None
    if parents == [base]:
        return Written(tip, base)
    commit = (await git("commit-tree", tree, "-p", base, "-m", "checkpoint")).text
    updates = f"update {CHECKPOINTS_REF} {commit} {tip}\nupdate {KEPT_REFS}/{tip} {tip}\n"
    await git("update-ref", "--stdin", stdin=updates.encode())
    return Written(commit, base)


def _tip(path: Path) -> str:
    """The commit that a bundle leads to, as its head says."""
    with open(open_beneath(path.parent, path.name), "rb") as file:
        for line in file.read(HEADER_LIMIT_BYTES).split(b"\n\n", 1)[0].splitlines():
            commit, _, name = line.partition(b" ")
            if name == CHECKPOINTS_REF.encode():
                return commit.decode()
    return ""


def head_bytes(beginning: bytes) -> int:
    """How long the head of a bundle is, before the pack; 0 if this is no bundle."""
    end = beginning.find(b"\n\n", 0, HEADER_LIMIT_BYTES)
    return end + 2 if beginning.startswith((b"# v2 git bundle\n", b"# v3 git bundle\n")) and end > 0 else 0


def _without(checks: Sequence[str], unknown: str) -> list[str]:
    """Those without one that this git does not know, and without what came with it."""
    gone = {name.lower() for name in LINK_CHECKS}
    gone = gone if unknown.lower() in gone else {unknown.lower()}
    return [name for name in checks if name.lower() not in gone]


async def known_checks(git: Repository, lenient: Sequence[str] = LENIENT) -> tuple[str, ...]:
    """Those of `lenient` that this git knows, for whoever reads many packs."""
    known = list(lenient)
    while True:
        strict = f"--strict={','.join(f'{name}=ignore' for name in known)}"
        unknown = _UNKNOWN_CHECK.search((await git("index-pack", "--stdin", strict, check=False)).stderr)
        if unknown is None or not known:
            return tuple(known)
        known = _without(known, unknown[1])


async def read_pack(git: Repository, pack: Path, lenient: Sequence[str] = LENIENT) -> GitResult:
    """Take in the pack of a bundle, each object checked, and each object that it refers to looked for."""
    while True:
        strict = f"--strict={','.join(f'{name}=ignore' for name in lenient)}" if lenient else "--strict"
        command = ("index-pack", "--stdin", "--fix-thin", strict)
        result = await git(*command, stdin_file=pack, check=False, timeout_seconds=LONG_TIMEOUT_SECONDS)
        unknown = _UNKNOWN_CHECK.search(result.stderr)
        if unknown is None:
            return result
        # A git that does not know a check does not make it.
        lenient = _without(lenient, unknown[1])
