"""Checkpoints on their way to the store: git bundles, mostly small ones, each with a record that is written after it.

A store that cannot be written does not stop a session: the next bundle spans what is missing. Which records another
host may use is in `checkpoint_history.py`, how it uses them in `checkpoint_recovery.py`.
"""

import asyncio
import logging
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from longshift.adapters.store import Store
from longshift.adapters.workspace.checkpoint_history import History, UnsoundCheckpoint
from longshift.adapters.workspace.checkpoint_upload import PART_BYTES, Upload, forget_unsent
from longshift.adapters.workspace.shadow import Checkpoint, Shadow
from longshift.contracts import ids
from longshift.contracts.checkpoints import CheckpointRecord, CheckpointStart
from longshift.contracts.errors import StoreUnavailable
from longshift.contracts.workspace import Workspace

ATTEMPTS = 5

log = logging.getLogger("longshift.workspace")


class Archived(NamedTuple):
    """What became of a checkpoint."""

    commit: str
    """Its commit, which may have been rooted anew in the base."""
    is_archived: bool


@dataclass
class _Chain:
    """What one workspace has in the store, as far as this process knows."""

    last: CheckpointRecord | None = None
    next_number: int = 0
    """0 until the store was looked into, or as long as another host writes under the same slot."""
    is_failing: bool = False
    """The store could not be written the last time: it is asked before a bundle is made for it."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class CheckpointArchive:
    """The archived checkpoints of all tasks, in one store."""

    def __init__(self, store: Store, *, part_bytes: int = PART_BYTES) -> None:
        self.store = store
        self._part_bytes = part_bytes
        self._chains: dict[str, _Chain] = {}

    async def keep(
        self,
        workspace: Workspace,
        shadow: Shadow,
        recorded: Checkpoint,
        step: int,
        agent: str,
        *,
        back_to_step: int | None = None,
    ) -> Archived:
        """Store what the last archived checkpoint lacks of this one, under the generation of `workspace`.

        A store that is unavailable is no failure: it is logged, and made up for later.

        Raises: WorkspaceFailed, DiskFull.
        """
        task_id = workspace.workspace_id
        chain = self._chains.setdefault(task_id, _Chain())
        upload = Upload(self.store, workspace, shadow, recorded, step, agent, self._part_bytes, back_to_step)
        async with chain.lock:
            try:
                if not chain.next_number:
                    forget_unsent(shadow.git_dir)
                    await self._look_up(chain, workspace, shadow)
                    if not chain.next_number:
                        return Archived(recorded.commit, is_archived=False)
                archived = await self._kept(chain, upload)
            except StoreUnavailable as error:
                if not chain.is_failing:
                    log.warning("checkpoints of %s are not archived for now: %s", task_id, error)
                chain.is_failing = True
                return Archived(recorded.commit, is_archived=False)
            chain.is_failing = False
            return archived

    def forget(self, task_id: str) -> None:
        """Look into the store again before the task's next checkpoint."""
        self._chains.pop(task_id, None)

    async def history(self, task_id: str) -> History:
        """What the store has of a task. Raises: StoreUnavailable."""
        return await History.read(self.store, task_id)

    async def begin(self, task_id: str, start: CheckpointStart) -> CheckpointStart:
        """Say what a slot's workspace was made from; gives what was said first. Raises: DiskFull, StoreUnavailable."""
        key = ids.checkpoint_start_key(task_id, start.generation)
        return CheckpointStart.model_validate_json(await self.store.create(key, start.model_dump_json().encode()))

    async def _kept(self, chain: _Chain, upload: Upload) -> Archived:
        workspace, commit = upload.workspace, upload.recorded.commit
        for _ in range(ATTEMPTS):
            if chain.last is not None and chain.last.commit == commit:
                return Archived(commit, is_archived=True)
            key = ids.checkpoint_key(workspace.workspace_id, workspace.generation, chain.next_number)
            stored = await self.store.find(key) if chain.is_failing else None
            if stored is None:
                record = await upload.bundle_stored(chain.last, chain.next_number)
                if record is None:
                    break
                commit = record.commit
                upload = replace(upload, recorded=upload.recorded._replace(commit=commit))
                body = record.model_dump_json().encode()
                stored = await self.store.create(key, body)
                if stored == body:
                    chain.last, chain.next_number = record, record.number + 1
                    continue
            # A call that was given up may have come this far: then the worker knows nothing of it.
            await self._look_up(chain, workspace, upload.shadow)
            if not chain.next_number:
                break
        return Archived(commit, is_archived=False)

    async def _look_up(self, chain: _Chain, workspace: Workspace, shadow: Shadow) -> None:
        """Find the newest record that this workspace goes on from; what it leads to has to be here.

        Where another host writes under the same slot, one of the two was not granted: nothing is written then.
        """
        history = await self.history(workspace.workspace_id)
        chain.last, chain.next_number = None, 0
        number = max(history.numbers.get(workspace.generation, (0,)))
        async for place in history.places(workspace.generation):
            if place.session:
                break  # of another session: this task's archive has to stand by itself
            try:
                record = await history.record(place)
            except UnsoundCheckpoint:
                continue
            async with shadow.held() as git:
                is_here = await git.has_commit(record.commit)
            if is_here:
                chain.last, number = record, max(number, record.number)
            elif record.generation == workspace.generation and record.workspace.host_id != workspace.host_id:
                log.warning("%s: slot %d writes on another host too", workspace.workspace_id, workspace.generation)
                return
            break
        chain.next_number = number + 1
