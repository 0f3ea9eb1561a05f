"""What a session leaves behind: the patch against the base tree and its numbers. Storing it is the caller's."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from longshift.adapters.workspace.change_bundle import changes_of
from longshift.adapters.workspace.git import LONG_TIMEOUT_SECONDS
from longshift.adapters.workspace.names import readable
from longshift.adapters.workspace.shadow import Shadow, Snapshot
from longshift.contracts.errors import WorkspaceFailed
from longshift.contracts.verification import DiffRecord

PATCH_LIMIT_BYTES = 200_000_000
"""Sum of the changed files, before and after; beyond it the largest are left out of the patch, by name."""


TEXT_LIMIT_BYTES = 20_000_000
TEXT_CHARACTERS = 150_000
"""Of a patch that is read by a model: some 40,000 tokens."""
LISTED_FILES = 1_000


@dataclass(frozen=True)
class DeliveryCounts:
    """The numbers of a patch, and the names of what changed."""

    files: int
    insertions: int
    deletions: int
    changed_files: tuple[str, ...]
    left_out: tuple[str, ...]
    """Files that were changed or made, but are not in the patch: together or alone too large, or unreadable."""
    numstat: str
    """Insertions, deletions and path per line; `-` for binary files."""
    tree_hash: str
    names: tuple[str, ...] = ()
    """The changed files as git names them: for comparing, not for showing."""


async def export(
    shadow: Shadow, base_tree: str, *, limit_bytes: int = PATCH_LIMIT_BYTES, known: Snapshot | None = None
) -> tuple[bytes, DeliveryCounts]:
    """The patch from `base_tree` to what the files are now, binary files included; `known` as for a snapshot.

    Raises:
        WorkspaceFailed: git cannot read the files.
    """
    snapshot = await shadow.snapshot(with_protected=True, known=known)
    changed = await _changed_sizes(shadow, base_tree, snapshot.tree)
    without = _too_much(changed, limit_bytes)
    patch, numstat = await shadow.diff(base_tree, to_tree=snapshot.tree, without=without)
    rows = [line.split("\t") for line in numstat.splitlines()]
    return patch, DeliveryCounts(
        files=len(changed),
        insertions=sum(int(row[0]) for row in rows if row[0].isdigit()),
        deletions=sum(int(row[1]) for row in rows if row[0].isdigit()),
        changed_files=tuple(readable(name) for name in changed),
        left_out=tuple(readable(name) for name in (*without, *snapshot.left_out)),
        numstat=numstat,
        tree_hash=snapshot.tree,
        names=tuple(changed),
    )


async def export_text(
    shadow: Shadow, base_tree: str, *, limit_bytes: int = TEXT_LIMIT_BYTES, limit_characters: int = TEXT_CHARACTERS
) -> DiffRecord:
    """The changes for reading: the head of the patch where it is too large, and the names of all files.

    Raises:
        WorkspaceFailed: git cannot read the files.
    """
    snapshot = await shadow.snapshot(with_protected=True)
    changed = await _changed_sizes(shadow, base_tree, snapshot.tree)
    without = _too_much(changed, limit_bytes)
    patch, _ = await shadow.diff(base_tree, to_tree=snapshot.tree, without=without, binary=False)
    text = patch[: 4 * limit_characters].decode(errors="replace")[:limit_characters]
    return DiffRecord(
        text=text,
        files=tuple(readable(name) for name in list(changed)[:LISTED_FILES]),
        files_count=len(changed),
        is_whole=not without and not snapshot.left_out and len(text.encode()) >= len(patch),
    )


async def _changed_sizes(shadow: Shadow, base_tree: str, tree: str) -> dict[str, int]:
    """The files that differ between two trees, sorted, each with the sum of its sizes in both."""
    if base_tree == tree:
        return {}
    async with shadow.held() as git:
        changes = changes_of(await git.differences(base_tree, tree))
        blobs = {blob for change in changes for blob in (change.old_blob, change.blob) if blob.strip("0")}
        asked = "".join(f"{blob}\n" for blob in sorted(blobs)).encode()
        command = ("cat-file", "--batch-check=%(objectname) %(objectsize)")
        answered = (await git(*command, stdin=asked, timeout_seconds=LONG_TIMEOUT_SECONDS)).text.splitlines()
    sizes = {blob: int(size) for blob, size in (row.split() for row in answered) if size != "missing"}
    if missing := sorted(blobs - sizes.keys()):
        raise WorkspaceFailed(f"{shadow.git_dir} lacks the content {missing[0]} of a changed file")
    return {os.fsdecode(each.path): sizes.get(each.old_blob, 0) + sizes.get(each.blob, 0) for each in changes}


def _too_much(sizes: Mapping[str, int], limit_bytes: int) -> list[str]:
    """The largest changed files, as many as have to go to come below the limit."""
    total = sum(sizes.values())
    without: list[str] = []
    for name in sorted(sizes, key=lambda name: sizes[name], reverse=True):
        if total <= limit_bytes:
            break
        total -= sizes[name]
        without.append(name)
    return without
