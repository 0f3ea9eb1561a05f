"""Making the workspace of a sub-agent on this host: a worktree with a repository of its own.

In a sandbox it is copied from the lead's workspace, and seen at that one's paths. Without one paths differ, so each
item is made as the lead's workspace was, its setup included. Either way every step can be repeated, as in
`workspace.making`.
"""

import asyncio
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from longshift.adapters.store import Store
from longshift.adapters.workspace.begun import Begun
from longshift.adapters.workspace.beneath import removed
from longshift.adapters.workspace.checkpoint_recovery import Recovered
from longshift.adapters.workspace.folder import Ready, WorkspaceFolder
from longshift.adapters.workspace.git import LONG_TIMEOUT_SECONDS, RunGit
from longshift.adapters.workspace.kept_repository import KeptRepository
from longshift.adapters.workspace.making import Making
from longshift.adapters.workspace.quota import Quota, in_thread
from longshift.adapters.workspace.repository import BASE_REF, CHECKPOINTS_REF, INDEX_TREE, Repository, held
from longshift.adapters.workspace.rules import find_rules
from longshift.adapters.workspace.sources import PART_SUFFIX
from longshift.adapters.worktrees import history
from longshift.adapters.worktrees.copying import Copying
from longshift.adapters.worktrees.origins import Origin, Origins, Prepare, as_session
from longshift.contracts import ids
from longshift.contracts.checkpoints import CheckpointRecord
from longshift.contracts.conflict import Conflict
from longshift.contracts.errors import WorkspaceFailed
from longshift.contracts.sub_agent import SubAgent
from longshift.contracts.task import TaskSpec
from longshift.contracts.workspace import Restoration
from longshift.policy.restoration import remarks_without_checkpoint

SHOWN_UNREADABLE = 5

log = logging.getLogger("longshift.workspace")


def making_of_sub_agent(making: Making, prepare: Prepare, inside_of: Callable[[WorkspaceFolder], RunGit]) -> Making:
    """The same for a task that has a `sub_agent`.

    `prepare` makes another workspace on this host, `inside_of` gives git for what lies in one.
    """
    sub_agent = making.task.sub_agent
    if sub_agent is None:
        raise ValueError(f"{making.task.id} is no task of a swarm")
    if making.task.id == ids.seed_id(sub_agent.swarm):
        return SeedMaking(**_fields(replace(making, task=as_session(making.task, sub_agent))))
    if not making.folder.seen_root:
        return SetUpMaking(**_fields(replace(making, task=as_session(making.task, sub_agent))), sub_agent=sub_agent)
    return CopyMaking(**_fields(making), sub_agent=sub_agent, prepare=prepare, inside_of=inside_of)


@dataclass(frozen=True)
class SeedMaking(Making):
    """Makes a seed: each host has one of its own, whatever the others have made theirs from."""

    async def _is_first(self, recovered: Recovered | None) -> bool:
        return True

    async def _from_source(self, complaints: list[str]) -> Ready:
        raise _missing(self.task, complaints)


@dataclass(frozen=True, kw_only=True)
class WorktreeMaking(Making):
    """What the making of every worktree has in common: where its work begins."""

    sub_agent: SubAgent

    async def _begun(self, ready: Ready, complaints: list[str], now: str = "") -> Ready:
        """Make the files those that the work begins with, and count changes from there; `now`: as for a restore."""
        self.on_progress("writing the files that the work begins with")
        shadow = self._shadow(self.task.protected)
        async with shadow.held() as git:
            tree, begins_with = await self._moved(git)
        await shadow.restore(begins_with, now=now)
        counted: dict[str, int] = {}
        if tree != ready.workspace.base_tree:
            sizes = await shadow.sizes(tree)
            counted = {"files": len(sizes), "total_bytes": sum(sizes.values())}
        workspace = ready.workspace.model_copy(
            update={
                **counted,
                "workspace_id": self.task.id,
                "base_tree": tree,
                "rules_file": await asyncio.to_thread(find_rules, self.folder.tree),
                "restoration": Restoration(step=0, tree_hash=tree, remarks=remarks_without_checkpoint(complaints))
                if self.generation > 1 or complaints
                else None,
            }
        )
        return ready.model_copy(update={"workspace": workspace, "protected": self.task.protected})

    async def _moved(self, git: Repository) -> tuple[str, str]:
        """Set the refs to where the work begins; gives the tree that it is counted from, and the first files'."""
        recovered, begun = git.loose_commit_of(CHECKPOINTS_REF), self.begun.found(self._beginning)
        if begun is not None and recovered == git.loose_commit_of(BASE_REF) == begun.base:
            git.facts.learn_commit(begun.base, begun.tree)
            return begun.tree, begun.tree
        base, tree = await self._base(git)
        begins_with = await self._begins_with(git, tree)
        both = f"update {BASE_REF} {base}\nupdate {CHECKPOINTS_REF} {base}\n"
        await git("update-ref", "--stdin", stdin=both.encode())
        git.facts.learn_commit(base, tree)
        if begins_with == tree:
            repository = await asyncio.to_thread(KeptRepository.read, git.git_dir, ("index", INDEX_TREE))
            if repository is not None:
                self.begun.keep(self._beginning, Begun(repository, recovered, base, tree))
        return tree, begins_with

    @property
    def _beginning(self) -> tuple[str, ...]:
        """What settles where the work of an item begins."""
        of = self.sub_agent
        return of.swarm, of.base_tree, str(of.integration), of.conflict

    async def _base(self, git: Repository) -> tuple[str, str]:
        """The commit that the work is counted from, and its tree: the lead's files, or an integrated state on top."""
        base, tree = await history.base_commit(git, self.sub_agent.base_tree), self.sub_agent.base_tree
        number = self.sub_agent.integration
        if not number:
            return base, tree
        body = await self._bundle(ids.integration_key(self.sub_agent.swarm, number))
        commit = await history.fetched(git, body, history.INTEGRATED_REF)
        return commit, await history.tree_of(git, commit)

    async def _begins_with(self, git: Repository, base_tree: str) -> str:
        """The tree of the first files: that of the base, or of a merge that is to be mended."""
        if not self.sub_agent.conflict:
            return base_tree
        conflict = Conflict.model_validate_json(await self._object(self.sub_agent.conflict))
        if not conflict.bundle_key:
            return base_tree
        return await history.tree_of(git, await history.fetched(git, await self._bundle(conflict.bundle_key)))

    async def _object(self, key: str) -> bytes:
        return await self._store(key).get(key)

    async def _bundle(self, key: str) -> bytes:
        """The same for what is too large to be kept in memory."""
        body = await self._store(key).find(key, in_memory=False)
        if body is None:
            raise WorkspaceFailed(f"{self.task.id}: the store does not have {key!r}, which its work begins with")
        return body

    def _store(self, key: str) -> Store:
        if self.archive is None:
            raise WorkspaceFailed(f"{self.task.id}: this host has no store, from which {key!r} could be read")
        return self.archive.store


@dataclass(frozen=True, kw_only=True)
class SetUpMaking(WorktreeMaking):
    """Without a sandbox: fetches the source, and runs the setup at the item's own paths."""

    async def _from_checkpoint(self, recovered: Recovered) -> Ready:
        now = await self._files_recovered(recovered)
        ready, is_own = self._ready_as(recovered), not recovered.place.session
        return ready if is_own else await self._begun(ready, list(recovered.newer), now)

    def _known(self, record: CheckpointRecord) -> KeptRepository | None:
        begun = self.begun.found(self._beginning)
        return begun.repository if begun is not None and begun.checkpoint == record.commit else None

    async def _from_source(self, complaints: list[str]) -> Ready:
        raise _missing(self.task, complaints)


@dataclass(frozen=True, kw_only=True)
class CopyMaking(WorktreeMaking):
    """In a sandbox: copies the lead's workspace, or a seed."""

    prepare: Prepare
    inside_of: Callable[[WorkspaceFolder], RunGit]

    async def _from_source(self, complaints: list[str]) -> Ready:
        origin = await self._origin()
        if not self.folder.tree.exists():
            await self._copied(origin)
        await self._repository_made(origin)
        ready = Ready(workspace=origin.ready.workspace, left_out=origin.ready.left_out)
        return await self._begun(ready, complaints)

    async def _fetched_again(self, record: CheckpointRecord) -> None:
        """Another host's worktree of this item: what its checkpoint does not hold is copied like the first time."""
        await self._copied(await self._origin())

    async def _set_up(self) -> None:
        """The setup has run in what this is copied from."""

    async def _origin(self) -> Origin:
        origins = Origins(self.sub_agent, self.folder, self.inside_of, self._read_task, self.prepare)
        return await origins.found(self.on_progress)

    async def _read_task(self, task_id: str) -> TaskSpec:
        return TaskSpec.model_validate_json(await self._object(ids.task_key(task_id)))

    async def _copied(self, origin: Origin) -> None:
        """Copy all files and the home; the tree comes into its place last."""
        self.on_progress("copying the lead's files")
        home = self.folder.path / f".home{PART_SUFFIX}"
        tree = self._fetched_folder()
        for part in (home, tree):
            await asyncio.to_thread(removed, part)
        await self._copy(origin.folder.home, home)
        await self._copy(origin.folder.tree, tree)
        await asyncio.to_thread(removed, self.folder.home)
        home.rename(self.folder.home)
        self._tree_begun(tree, source_commit=origin.ready.workspace.source_commit)

    async def _copy(self, origin: Path, into: Path) -> None:
        copying = Copying(origin, into, Quota("copy", sys.maxsize), self.on_progress)
        await in_thread(copying.all_files, copying.quota)
        if copying.unreadable:
            shown = ", ".join(copying.unreadable[:SHOWN_UNREADABLE])
            log.warning("%s: %d unreadable paths are not copied: %s", into, len(copying.unreadable), shown)

    async def _repository_made(self, origin: Origin) -> None:
        """A shadow repository with all objects and rules of the origin's, whose index knows the files that are here."""
        begun = self.begun.found(self._beginning)
        self.folder.shadow.mkdir(exist_ok=True)
        if begun is None:
            await self._repository_copied(origin)
        async with held(self.folder.shadow, self.folder.tree, self.inside) as git:
            if begun is not None:
                await asyncio.to_thread(begun.repository.write, git.git_dir)
            await git("read-tree", "--reset", self.sub_agent.base_tree)
            await git("update-index", "-q", "--refresh", check=False, timeout_seconds=LONG_TIMEOUT_SECONDS)
            git.index_is(self.sub_agent.base_tree)

    async def _repository_copied(self, origin: Origin) -> None:
        shadow = self.folder.shadow
        async with held(origin.folder.shadow, origin.folder.tree, self.inside_of(origin.folder)) as theirs:
            rules = theirs.rules()
            copying = Copying(theirs.git_dir, shadow, Quota("copy", sys.maxsize))
            await in_thread(copying.objects, copying.quota)
        async with held(shadow, self.folder.tree, self.inside) as git:
            await git.create()
            git.write_rules(*rules)


def _missing(task: TaskSpec, complaints: list[str]) -> WorkspaceFailed:
    start = task.start_from.place if task.start_from is not None else "the lead"
    return WorkspaceFailed(f"{task.id}: no checkpoint of {start}: {'; '.join(complaints) or 'it is not in the store'}")


def _fields(making: Making) -> dict[str, Any]:
    return {field.name: getattr(making, field.name) for field in fields(making)}
