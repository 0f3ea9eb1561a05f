"""What a session leaves behind: the patch against the base tree and its numbers. Storing it is the caller's."""

from dataclasses import dataclass

from longshift.adapters.workspace.names import readable
from longshift.adapters.workspace.shadow import Shadow
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


async def export(
    shadow: Shadow, base_tree: str, *, limit_bytes: int = PATCH_LIMIT_BYTES
) -> tuple[bytes, DeliveryCounts]:
    """The patch from `base_tree` to what the files are now, binary files included.

    Raises:
        WorkspaceFailed: git cannot read the files.
    """
    snapshot = await shadow.snapshot(with_protected=True)
    changed = await shadow.changed_files(base_tree, to_tree=snapshot.tree)
    without = await _too_much(shadow, base_tree, snapshot.tree, changed, limit_bytes)
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
    )


async def export_text(
    shadow: Shadow, base_tree: str, *, limit_bytes: int = TEXT_LIMIT_BYTES, limit_characters: int = TEXT_CHARACTERS
) -> DiffRecord:
    """The changes for reading: the head of the patch where it is too large, and the names of all files.

    Raises:
        WorkspaceFailed: git cannot read the files.
    """
    snapshot = await shadow.snapshot(with_protected=True)
    changed = await shadow.changed_files(base_tree, to_tree=snapshot.tree)
    without = await _too_much(shadow, base_tree, snapshot.tree, changed, limit_bytes)
    patch, _ = await shadow.diff(base_tree, to_tree=snapshot.tree, without=without, binary=False)
    text = patch[: 4 * limit_characters].decode(errors="replace")[:limit_characters]
    return DiffRecord(
        text=text,
        files=tuple(readable(name) for name in changed[:LISTED_FILES]),
        files_count=len(changed),
        is_whole=not without and not snapshot.left_out and len(text.encode()) >= len(patch),
    )


async def _too_much(shadow: Shadow, base_tree: str, tree: str, changed: list[str], limit_bytes: int) -> list[str]:
    """The largest changed files, as many as have to go to come below the limit."""
    before, after = await shadow.sizes(base_tree), await shadow.sizes(tree)
    sizes = {name: before.get(name, 0) + after.get(name, 0) for name in changed}
    total = sum(sizes.values())
    without: list[str] = []
    for name in sorted(sizes, key=lambda name: sizes[name], reverse=True):
        if total <= limit_bytes:
            break
        total -= sizes[name]
        without.append(name)
    return without
