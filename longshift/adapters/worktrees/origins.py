"""What the worktree of an item is copied from: the lead's workspace where this host has it, else a seed made for that.

A seed is the workspace that the lead had when it delegated, made again from the store: its setup runs at the lead's own
paths. A host makes one for each swarm, and all worktrees of that swarm there are copied from it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from longshift.adapters.workspace.folder import Ready, WorkspaceFolder
from longshift.adapters.workspace.git import RunGit
from longshift.adapters.workspace.repository import held
from longshift.contracts import ids
from longshift.contracts.sub_agent import SubAgent
from longshift.contracts.task import StartFrom, TaskSpec
from longshift.contracts.workspace import Workspace

OnProgress = Callable[[str], None]
Prepare = Callable[[TaskSpec, int, OnProgress], Awaitable[Workspace]]
"""Makes the workspace of a task on this host, or gives the one that is ready."""
SEED_GENERATION = 1
"""Nobody holds a slot for a seed."""


@dataclass(frozen=True)
class Origin:
    """A workspace on this host from which worktrees are copied."""

    folder: WorkspaceFolder
    ready: Ready


def as_session(task: TaskSpec, sub_agent: SubAgent) -> TaskSpec:
    """A task of a swarm as one that goes on from the lead's files when it delegated: they are in the store."""
    start = StartFrom(
        session=sub_agent.session, step=sub_agent.base_step, shift=ids.shift_of_agent(sub_agent.base_agent)
    )
    return task.model_copy(update={"start_from": start})


@dataclass(frozen=True)
class Origins:
    """Finds, or makes, what worktrees are copied from."""

    sub_agent: SubAgent
    folder: WorkspaceFolder
    """Of the worktree: the others lie beside it."""
    inside: Callable[[WorkspaceFolder], RunGit]
    read_task: Callable[[str], Awaitable[TaskSpec]]
    prepare: Prepare

    async def found(self, on_progress: OnProgress) -> Origin:
        """The lead's workspace, or a seed, which is made first where there is none.

        Raises: BadInput, WorkspaceFailed, DiskFull, StoreUnavailable, as making a workspace does.
        """
        lead = self._beside(self.sub_agent.session)
        ready = lead.ready()
        if ready is not None and await self._is_fit(lead, ready):
            return Origin(lead, ready)
        seed = self._beside(ids.seed_id(self.sub_agent.swarm))
        on_progress("making the seed of this swarm's worktrees")
        await self.prepare(await self.read_task(ids.seed_id(self.sub_agent.swarm)), SEED_GENERATION, on_progress)
        made = seed.ready()
        assert made is not None, "a workspace that was prepared is ready"
        return Origin(seed, made)

    async def _is_fit(self, lead: WorkspaceFolder, ready: Ready) -> bool:
        """Whether these are the lead's files at the paths that it knew them by, and not those of an earlier time."""
        if ready.workspace.root != self.sub_agent.root:
            return False
        async with held(lead.shadow, lead.tree, self.inside(lead)) as git:
            found = await git("cat-file", "-e", f"{self.sub_agent.base_tree}^{{tree}}", check=False)
            return found.exit_code == 0

    def _beside(self, task_id: str) -> WorkspaceFolder:
        return replace(self.folder, path=self.folder.path.with_name(task_id))
