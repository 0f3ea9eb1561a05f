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
    agent: str,
    shadow: Shadow,
    archive: CheckpointArchive | None,
    to_step: int,
    on_progress: Callable[[str], None],
) -> Recorded:
    """The files as they were after `to_step` of an agent, in the shadow repository when this returns.

    Raises: WorkspaceFailed, DiskFull, StoreUnavailable.
    """
    async with shadow.held() as git:
        found = [line.split(" ", 1) for line in await git.checkpoint_names()]
    newest = rollback.newest_of([name for _, name in found], agent, to_step)
    if newest is not None:
        index, step = newest
        return Recorded(found[index][0], step)
    fetched = None
    if archive is not None:
        fetched = await _fetched(workspace, agent, shadow, archive, to_step, on_progress)
    return fetched or Recorded(workspace.base_tree, 0)


async def _fetched(
    workspace: Workspace,
    agent: str,
    shadow: Shadow,
    archive: CheckpointArchive,
    to_step: int,
    on_progress: Callable[[str], None],
) -> Recorded | None:
    """Out of the archive, whose last place may be in that of the session that this one goes on from."""
    history = await archive.history(workspace.workspace_id)
    recovery = Recovery(shadow.git_dir, shadow.run, on_progress)
    async for place in history.places(workspace.generation):
        whose = await archive.history(place.session) if place.session else history
        try:
            record = await whose.record(place)
            is_own = not place.session and rollback.is_own(agent, record.agent)
            if is_own and not rollback.counts(agent, record.agent, record.step, record.back_to_step, to_step):
                continue
            async with shadow.held() as git:
                tree = await recovery.take_in(whose, git, place)
        except UnsoundCheckpoint as error:
            recovery.complaints.append(str(error))
            continue
        return Recorded(tree, record.step if is_own else 0, tuple(recovery.complaints))
    return None
