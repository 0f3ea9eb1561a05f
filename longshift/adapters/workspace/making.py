"""Making a workspace on this host: for the first time from its source, or from the store's checkpoints.

Every step can be repeated: a worker that takes over goes on where the last one has stopped. When there is nothing to
make, and who holds the result, is decided in `workspaces.py`.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from longshift.adapters.network.egress import Egress
from longshift.adapters.process.command_spec import CommandSpec
from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.secrets import SecretBook
from longshift.adapters.workspace.begun import BegunRepositories
from longshift.adapters.workspace.beneath import removed
from longshift.adapters.workspace.checkpoint_archive import CheckpointArchive
from longshift.adapters.workspace.checkpoint_descent import candidates
from longshift.adapters.workspace.checkpoint_recovery import Recovered, Recovery
from longshift.adapters.workspace.empty import EmptyShadow
from longshift.adapters.workspace.facts import Facts
from longshift.adapters.workspace.folder import Ready, WorkspaceFolder
from longshift.adapters.workspace.git import RunGit
from longshift.adapters.workspace.kept_repository import KeptRepository
from longshift.adapters.workspace.leftovers import refuse_leftovers
from longshift.adapters.workspace.names import readable
from longshift.adapters.workspace.rules import find_rules
from longshift.adapters.workspace.setup import SetupLost, begin_again, begin_life, discard, run_setup
from longshift.adapters.workspace.shadow import Shadow
from longshift.adapters.workspace.sources import PART_SUFFIX, fetch, remove_parts
from longshift.contracts import ids
from longshift.contracts.checkpoints import CheckpointPlace, CheckpointRecord, CheckpointStart
from longshift.contracts.errors import BadInput, WorkspaceFailed
from longshift.contracts.network import NetworkPhase
from longshift.contracts.task import TaskSpec
from longshift.contracts.workspace import Restoration, Workspace
from longshift.policy.restoration import remarks, remarks_without_checkpoint

STARTS_LIMIT = 5


@dataclass(frozen=True)
class Making:
    """One call that makes a workspace, under the lock of its folder."""

    task: TaskSpec
    generation: int
    host_id: str
    folder: WorkspaceFolder
    runner: ProcessRunner
    run: RunGit
    """Git for what is the operator's."""
    inside: RunGit
    """Git for all that lies in the folder."""
    facts: Facts
    empty: EmptyShadow
    archive: CheckpointArchive | None
    huge_bytes: int
    skip: Path
    """The runner's own data, which no source takes in."""
    egress: Egress
    bash: Callable[[str, str], CommandSpec]
    """A setup command in the sandbox, with the socket of its proxy."""
    on_progress: Callable[[str], None]
    secrets: SecretBook
    """Those that setup commands may be given."""
    begun: BegunRepositories
    clean: Callable[[str], str]
    """Takes known secrets out of text."""

    async def made(self) -> Ready:
        """Make the workspace, or go on where a worker that died has stopped.

        Raises: BadInput, WorkspaceFailed, DiskFull, StoreUnavailable.
        """
        starts = 0
        while starts < STARTS_LIMIT:
            await asyncio.to_thread(remove_parts, self.folder.path)
            recovered, complaints, is_begun = await self._recovered()
            await self._room_made(recovered)
            try:
                if recovered is None:
                    ready = await self._from_source(complaints)
                else:
                    ready = await self._from_checkpoint(recovered)
            except SetupLost as lost:
                begin_again(self.folder, lost)
                continue
            if is_begun or await self._is_first(recovered):
                return ready.model_copy(update={"life": self.folder.setup_progress().life})
            starts += 1
        raise WorkspaceFailed(f"slot {self.generation} of {self.task.id} is being prepared elsewhere at the same time")

    async def given_up(self) -> None:
        """Give up a workspace that is ready here, because work went on elsewhere."""
        await self._life_begun(None)
        self.folder.forget_ready()

    async def _recovered(self) -> tuple[Recovered | None, list[str], bool]:
        """The checkpoint to go on from, complaints about newer ones, and whether this slot had begun before."""
        if self.archive is None:
            return None, [], False
        history = await self.archive.history(self.task.id)
        recovery = Recovery(self.folder.path, self.inside, self.on_progress, self._known)
        recovered = await recovery.first_sound(candidates(history, self.task, self.generation))
        return recovered, recovery.complaints, self.generation in history.starts

    def _known(self, record: CheckpointRecord) -> KeptRepository | None:
        """A repository in which work that goes on from a checkpoint begins, where one was kept."""
        return None

    async def _room_made(self, recovered: Recovered | None) -> None:
        """Remove what was made for something else, and put the shadow repository into its place."""
        place = None if recovered is None else recovered.place
        progress = self.folder.setup_progress()
        if progress.restores != place or (self.generation > 1 and not self.folder.is_begun):
            await self._life_begun(place)
        await asyncio.to_thread(discard, self.folder)
        self.folder.home.mkdir(exist_ok=True)
        self.folder.tmp.mkdir(exist_ok=True)
        if recovered is not None and self.folder.shadow.exists():
            await asyncio.to_thread(removed, recovered.shadow)
        elif recovered is not None:
            recovered.shadow.rename(self.folder.shadow)

    async def _life_begun(self, place: CheckpointPlace | None) -> None:
        """Give up all that is here. Nothing may run on in it, and no run of it be taken for one to come."""
        await self.runner.kill_all(f"{self.task.id}/", "the workspace is made anew")
        attempt = 1
        while await asyncio.to_thread(self.runner.keys, ids.setup_run_prefix(self.task.id, self.generation, attempt)):
            attempt += 1
        begin_life(self.folder, self.generation, attempt, place)

    async def _from_source(self, complaints: list[str]) -> Ready:
        if not self.folder.tree.exists():
            self.on_progress("fetching the source")
            fetched = self._fetched_folder()
            commit = await fetch(self.task.workspace, fetched, skip=self.skip, run=self.run, inside=self.inside)
            self._tree_begun(fetched, source_commit=commit)
        shadow = self._shadow(self.task.protected)
        base = None if self.task.setup else await self.empty.record_base(shadow)
        if base is None:
            await shadow.create()
            await self._set_up()
            self.on_progress("recording the base tree")
            base = await shadow.record_base()
        sizes = await shadow.sizes(base.tree)
        is_again = self.generation > 1 or complaints or self.task.start_from is not None
        workspace = Workspace(
            workspace_id=self.task.id,
            host_id=self.host_id,
            host_queue="",
            root=str(self.folder.tree),
            base_tree=base.tree,
            files=len(sizes),
            total_bytes=sum(sizes.values()),
            rules_file=await asyncio.to_thread(find_rules, self.folder.tree),
            source_commit=self.folder.setup_progress().source_commit,
            restoration=Restoration(step=0, tree_hash=base.tree, remarks=remarks_without_checkpoint(complaints))
            if is_again
            else None,
        )
        left_out = tuple(readable(name) for name in base.left_out)
        return Ready(workspace=workspace, protected=self.task.protected, left_out=left_out)

    async def _from_checkpoint(self, recovered: Recovered) -> Ready:
        await self._files_recovered(recovered)
        return self._ready_as(recovered)

    async def _files_recovered(self, recovered: Recovered) -> str:
        """Fetch, set up and restore; gives what `Shadow.restore` does."""
        record, now = recovered.record, ""
        if not self.folder.tree.exists():
            await self._fetched_again(record)
        shadow = self._shadow(self._protected(recovered))
        if not self.folder.setup_progress().is_at_base:
            await shadow.track_user_files()
            now = await shadow.restore(record.workspace.base_tree)
            progress = self.folder.setup_progress()
            self.folder.write_setup_progress(progress.model_copy(update={"is_at_base": True}))
        await self._set_up()
        self.on_progress(f"restoring the files of step {record.step}")
        return await shadow.restore(record.tree, now="" if self.task.setup else now)

    def _protected(self, recovered: Recovered) -> tuple[str, ...]:
        return self.task.protected if recovered.place.session else recovered.record.protected

    def _ready_as(self, recovered: Recovered) -> Ready:
        record, session = recovered.record, recovered.place.session
        complaint = self.folder.setup_progress().source_complaint
        restoration = Restoration(
            step=record.step,
            session=session,
            agent=record.agent,
            from_generation=record.generation,
            tree_hash=record.tree,
            has_own_repository=not complaint,
            remarks=remarks(
                complaints=recovered.newer,
                source_complaint=complaint,
                has_own_repository=self.folder.has_own_repository,
                left_out=record.left_out,
            ),
        )
        workspace = record.workspace.model_copy(update={"workspace_id": self.task.id, "restoration": restoration})
        return Ready(workspace=workspace, protected=self._protected(recovered), left_out=record.left_out)

    async def _fetched_again(self, record: CheckpointRecord) -> None:
        """Fetch the source once more, or note why that cannot be done and begin with an empty tree."""
        self.on_progress("fetching the source again")
        # The files become those of the checkpoint: what is uncommitted in the source by now is of no matter.
        source = self.task.workspace.model_copy(update={"allow_dirty": True})
        fetched, commit, complaint = self._fetched_folder(), record.workspace.source_commit, ""
        try:
            await fetch(source, fetched, skip=self.skip, run=self.run, inside=self.inside, commit=commit)
        except (BadInput, WorkspaceFailed) as error:
            complaint = str(error)
            fetched.mkdir()
        self._tree_begun(fetched, source_commit=commit, source_complaint=complaint)

    def _tree_begun(self, fetched: Path, **facts: str) -> None:
        """Note what was fetched, then put it into its place."""
        if any(facts.values()):
            self.folder.write_setup_progress(self.folder.setup_progress().model_copy(update=facts))
        fetched.rename(self.folder.tree)

    async def _set_up(self) -> None:
        progress = self.folder.setup_progress()
        prefix = ids.setup_run_prefix(self.task.id, progress.life, progress.attempt)
        if not self.task.setup:
            return
        secrets = await asyncio.to_thread(self.secrets.resolved, self.task)
        access, _ = self.egress.access(self.task)
        socket = await self.egress.opened(self.task.id, NetworkPhase.SETUP, access.profile)
        try:
            commands = [(each, replace(self.bash(each, socket), secret_env=secrets)) for each in self.task.setup]
            await run_setup(self.runner, prefix, commands, self.on_progress, self.clean)
        except (SetupLost, WorkspaceFailed):
            await self.egress.closed(self.task.id, NetworkPhase.SETUP)
            raise
        # Not when this worker stops: the command goes on under its supervisor, and so does its way out.
        await self.egress.closed(self.task.id, NetworkPhase.SETUP)
        if secrets:
            self.on_progress("looking for secrets that the setup left")
            await asyncio.to_thread(refuse_leftovers, self.folder.path, secrets)

    async def _is_first(self, recovered: Recovered | None) -> bool:
        """Say what the workspace was made from, before anybody works in it; False when something else was said first.

        The first slot of a task needs not to say that it starts from the source, nor one that goes on from its own.
        """
        place = None if recovered is None else recovered.place
        is_own = place is None or not place.session
        is_known = is_own and self.generation == (1 if place is None else place.generation)
        if self.archive is None or is_known:
            return True
        start = CheckpointStart(generation=self.generation, host_id=self.host_id, restored=place)
        return (await self.archive.begin(self.task.id, start)).restored == place

    def _fetched_folder(self) -> Path:
        return self.folder.path / f".fetched{PART_SUFFIX}"

    def _shadow(self, protected: tuple[str, ...]) -> Shadow:
        return Shadow(self.folder.shadow, self.folder.tree, protected, self.inside, self.huge_bytes, self.facts)
