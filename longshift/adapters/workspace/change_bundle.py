"""What a session changed, as a git bundle that needs nothing else: what a branch is made of, outside of the sandbox.

Its one commit holds every changed file's new content under its number, and the list of the changes. Neither the user's
repository nor its history, its refs or its messages are in it: what an agent wrote into those is of no use to anybody.
"""

import asyncio
from dataclasses import dataclass

from longshift.adapters.workspace.git import LONG_TIMEOUT_SECONDS
from longshift.adapters.workspace.repository import Repository
from longshift.adapters.workspace.shadow import Shadow
from longshift.contracts.errors import WorkspaceFailed

CHANGES_REF = "refs/heads/delivery"
CHANGES_FILE = "changes"
"""The list, as `git diff-tree -r -z --raw` prints it."""
MODES = frozenset({"100644", "100755", "120000"})
DELETED = "000000"


@dataclass(frozen=True)
class Change:
    """One changed path."""

    path: bytes
    mode: str
    """As it is now; `000000`: it is gone."""
    blob: str
    old_blob: str
    """As it was before work began; zeros: it was not there."""

    @property
    def is_deleted(self) -> bool:
        """Whether it is gone."""
        return self.mode == DELETED


def changes_of(listed: bytes) -> list[Change]:
    """The changes in a list.

    Raises:
        WorkspaceFailed: it is no such list.
    """
    parts = listed.split(b"\0")[:-1]
    changes: list[Change] = []
    for head, path in zip(parts[::2], parts[1::2], strict=False):
        fields = head.decode("ascii", "replace").lstrip(":").split()
        if len(fields) != 5 or not path or fields[1] not in MODES | {DELETED}:
            raise WorkspaceFailed(f"the list of changes has a line that is none: {head[:100]!r} {path[:100]!r}")
        changes.append(Change(path=path, mode=fields[1], blob=fields[3], old_blob=fields[2]))
    return changes


async def bundle_changes(shadow: Shadow, base_tree: str, tree: str) -> bytes:
    """The bundle of what differs between two recorded trees.

    Raises:
        WorkspaceFailed, DiskFull: git cannot make it.
    """
    path = shadow.git_dir / "delivery.bundle"
    try:
        async with shadow.held() as git:
            await _committed(git, base_tree, tree)
            command = ("bundle", "create", "--quiet", str(path), CHANGES_REF)
            await git(*command, timeout_seconds=LONG_TIMEOUT_SECONDS)
            return await asyncio.to_thread(path.read_bytes)
    finally:
        path.unlink(missing_ok=True)


async def _committed(git: Repository, base_tree: str, tree: str) -> None:
    command = ("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", base_tree, tree)
    listed = (await git(*command, timeout_seconds=LONG_TIMEOUT_SECONDS)).stdout
    written = (await git("hash-object", "-w", "--stdin", stdin=listed)).text
    blobs = sorted({change.blob for change in changes_of(listed) if not change.is_deleted})
    rows = [f"100644 blob {blob}\t{number:08d}" for number, blob in enumerate(blobs)]
    rows.append(f"100644 blob {written}\t{CHANGES_FILE}")
    made = (await git("mktree", "-z", stdin="".join(f"{row}\0" for row in rows).encode())).text
    commit = (await git("commit-tree", made, "-m", "changes")).text
    await git("update-ref", CHANGES_REF, commit)
