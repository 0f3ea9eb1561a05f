"""Sealing an item's work: what it changed, whether it may have, and the bundle for it. Storing is the caller's.

The same work gives the same bundle, so that a repeated call changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pathspec import GitIgnoreSpec

from longshift.adapters.workspace import Workspaces
from longshift.adapters.workspace.delivery import DeliveryCounts, export
from longshift.adapters.workspace.published import SECRET_IN
from longshift.adapters.workspace.repository import BASE_REF
from longshift.adapters.workspace.shadow import Shadow, Snapshot
from longshift.adapters.workspace.write_scope import outside_scope
from longshift.adapters.worktrees import history
from longshift.contracts.swarm import ItemFailure
from longshift.contracts.task import TaskSpec
from longshift.contracts.workspace import Workspace

NAMED_FILES = 5


class NotSealed(Exception):
    """The work may not be merged as it is: why, in words for the lead, and as what the attempt has failed."""

    def __init__(self, failure: ItemFailure, text: str) -> None:
        super().__init__(text)
        self.failure = failure


@dataclass(frozen=True)
class Sealed:
    """Work that may be merged."""

    tree: str
    counts: DeliveryCounts
    bundle: bytes
    """Empty: nothing was changed."""


async def sealed(
    workspaces: Workspaces, workspace: Workspace, task: TaskSpec, *, message: str, seconds: int, proved_tree: str = ""
) -> Sealed:
    """The work of an item whose agent has ended; `proved_tree` are the files that its checks were green for.

    Raises:
        NotSealed: it lies outside of the write scope, changes what is protected, or cannot be shown whole.
        WorkspaceFailed, DiskFull, StaleGeneration: it cannot be read.
    """
    shadow = workspaces.shadow(workspace)
    known = await _restored(shadow, proved_tree) if proved_tree else None
    patch, counts = await export(shadow, workspace.base_tree, known=known)
    guilty = await workspaces.named_with_secrets(patch)
    if guilty:
        raise NotSealed(ItemFailure.CHECKS_RED, f"the changes hold {SECRET_IN} {guilty}: take it out of the files")
    _refuse(counts.names, task, counts)
    if not counts.names:
        return Sealed(counts.tree_hash, counts, b"")
    async with shadow.held() as git:
        base = await git.commit_of(BASE_REF)
        bundle = await history.seal_bundle(git, base, counts.tree_hash, message, seconds=seconds)
    return Sealed(counts.tree_hash, counts, bundle)


async def tree_of_bundle(workspaces: Workspaces, workspace: Workspace, bundle: bytes) -> str:
    """The files that a bundle leads to which an earlier call has stored."""
    async with workspaces.shadow(workspace).held() as git:
        return await history.tree_of(git, await history.fetched(git, bundle))


async def _restored(shadow: Shadow, tree: str) -> Snapshot | None:
    """Make the files those that were proved: what was left running may have changed them since.

    Gives what was seen where they are those; None where they were written, and have to be looked at again.

    Raises: NotSealed, where they were lost with the host that proved them.
    """
    found = await shadow.snapshot()
    if found.tree == tree:
        return found
    async with shadow.held() as git:
        found = await git("cat-file", "-e", f"{tree}^{{tree}}", check=False)
    if found.exit_code != 0:
        raise NotSealed(ItemFailure.HOST, "the files that the checks have proved were lost with their host")
    await shadow.restore(tree)
    return None


def _refuse(changed: Sequence[str], task: TaskSpec, counts: DeliveryCounts) -> None:
    scope = task.sub_agent.write_scope if task.sub_agent is not None else None
    outside = outside_scope(changed, scope)
    if outside:
        raise NotSealed(ItemFailure.OUT_OF_SCOPE, f"changed outside of its write scope: {_named(outside)}")
    protected = [name for name in changed if GitIgnoreSpec.from_lines(task.protected).match_file(name)]
    if protected:
        raise NotSealed(ItemFailure.CHECKS_RED, f"changed protected files: {_named(protected)}")
    unseen = sorted({*counts.left_out} & {*counts.changed_files})
    if unseen:
        raise NotSealed(ItemFailure.CHECKS_RED, f"changed files that are too large to be searched: {_named(unseen)}")


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED_FILES} more" if len(names) > NAMED_FILES else ""
    shown = (name.encode("utf-8", "replace").decode() for name in names[:NAMED_FILES])
    return f"{', '.join(shown)}{more}"
