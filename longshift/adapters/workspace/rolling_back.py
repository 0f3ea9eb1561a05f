"""Finding the files as they were after an earlier step: in the shadow repository, else in the store.

The shadow repository of a host has every checkpoint since the last one that it was made from. Older ones are fetched,
with what they build on. Which checkpoint counts for a step is decided in `policy.rollback`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from longshift.adapters.workspace.checkpoint_archive import CheckpointArchive
from longshift.adapters.workspace.checkpoint_history import UnsoundCheckpoint
from longshift.adapters.workspace.checkpoint_recovery import Recovery
from longshift.adapters.workspace.shadow import Shadow
from longshift.contracts.workspace import Workspace
from longshift.policy import rollback


@dataclass(frozen=True)
class Recorded:
    """The files of an earlier step."""

    tree: str
    step: int
    """When they were recorded; 0: they are those of the beginning."""
    complaints: tuple[str, ...] = ()
    """Why later checkpoints before the wanted step could not be taken, a sentence each."""


async def find_recorded(
    workspace: Workspace,
    shadow: Shadow,
    archive: CheckpointArchive | None,
    to_step: int,
    on_progress: Callable[[str], None],
) -> Recorded:
    """The files as they were after `to_step`, in the shadow repository when this returns.

    Raises: WorkspaceFailed, DiskFull, StoreUnavailable.
    """
    beginning = Recorded(workspace.base_tree, 0)
    if to_step == 0:
        return beginning
    async with shadow.held() as git:
        found = [line.split(" ", 1) for line in await git.checkpoint_names()]
    newest = rollback.newest_of([name for _, name in found], to_step)
    if newest is not None:
        index, step = newest
        return Recorded(found[index][0], step)
    if archive is None:
        return beginning
    return await _fetched(workspace, shadow, archive, to_step, on_progress) or beginning


async def _fetched(
    workspace: Workspace,
    shadow: Shadow,
    archive: CheckpointArchive,
    to_step: int,
    on_progress: Callable[[str], None],
) -> Recorded | None:
    history = await archive.history(workspace.workspace_id)
    recovery = Recovery(history, shadow.git_dir, shadow.run, on_progress)
    async for place in history.places(workspace.generation):
        try:
            record = await history.record(place)
            if not rollback.is_of(record.step, record.back_to_step, to_step):
                continue
            async with shadow.held() as git:
                await recovery.take_in(git, place)
        except UnsoundCheckpoint as error:
            recovery.complaints.append(str(error))
            continue
        return Recorded(record.tree, record.step, tuple(recovery.complaints))
    return None
