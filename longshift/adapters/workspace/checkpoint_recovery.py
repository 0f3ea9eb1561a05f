"""Making a shadow repository whole again out of the store: the best checkpoint of which every bundle is sound.

The working files are no concern here; see `making.py`.
"""

import asyncio
import hashlib
import os
import uuid
from collections.abc import AsyncIterable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from longshift.adapters.workspace.beneath import open_beneath
from longshift.adapters.workspace.bundles import head_bytes, read_pack
from longshift.adapters.workspace.checkpoint_descent import Candidate
from longshift.adapters.workspace.checkpoint_history import History, UnsoundCheckpoint
from longshift.adapters.workspace.folder import disk_full_named
from longshift.adapters.workspace.git import RunGit
from longshift.adapters.workspace.kept_repository import KeptRepository
from longshift.adapters.workspace.repository import BASE_REF, CHECKPOINTS_REF, Repository, held
from longshift.adapters.workspace.sources import PART_SUFFIX
from longshift.contracts import ids
from longshift.contracts.checkpoints import CheckpointPlace, CheckpointRecord

CHAIN_LIMIT = 1_000


@dataclass(frozen=True)
class Recovered:
    """A checkpoint that was fetched whole."""

    record: CheckpointRecord
    place: CheckpointPlace
    shadow: Path
    """A shadow repository with its base and this checkpoint, not yet in its place."""
    newer: tuple[str, ...] = ()
    """Why newer checkpoints could not be taken, a sentence each."""


@dataclass
class Recovery:
    """One search for the best sound checkpoint, into parts of `folder`."""

    folder: Path
    run: RunGit
    on_progress: Callable[[str], None]
    known: Callable[[CheckpointRecord], KeptRepository | None] = lambda record: None
    """A repository that holds this checkpoint, made on this host before."""
    complaints: list[str] = field(default_factory=list[str])
    """Why checkpoints could not be taken, the newest first."""
    _unsound: set[tuple[str, CheckpointPlace]] = field(default_factory=set[tuple[str, CheckpointPlace]])
    """By the task whose they are."""

    async def first_sound(self, candidates: AsyncIterable[Candidate]) -> Recovered | None:
        """Fetch the first of the candidates that is sound; None where none is.

        Raises: WorkspaceFailed, DiskFull, StoreUnavailable.
        """
        async for candidate in candidates:
            history, place = candidate.history, candidate.place
            shadow = self.folder / f".shadow.{uuid.uuid4().hex}{PART_SUFFIX}"
            try:
                chain = await self._chain(history, place)
                if any((history.task_id, record.place) in self._unsound for record in chain):
                    continue
                known = None if place.is_base else self.known(chain[-1])
                if known is not None:
                    with disk_full_named(shadow):
                        await asyncio.to_thread(known.write, shadow)
                else:
                    await self._fetched(history, chain, shadow)
                if place.is_base:
                    await self._reset(chain[0], shadow)
            except UnsoundCheckpoint as error:
                self.complaints.append(str(error))
                continue
            record = _base_of(chain[-1]) if place.is_base else chain[-1]
            return Recovered(record, place, shadow, tuple(self.complaints))
        return None

    async def take_in(self, history: History, git: Repository, place: CheckpointPlace) -> str:
        """Fetch a checkpoint, and what it builds on, into a shadow repository that is in use; gives its tree.

        Raises:
            UnsoundCheckpoint: it is damaged, or something that it builds on is.
        """
        chain = await self._chain(history, place)
        for record in chain:
            if not await git.has_commit(record.commit):
                await self._read(history, git, record)
        record = _base_of(chain[-1]) if place.is_base else chain[-1]
        tree = await git("rev-parse", f"{record.commit}^{{tree}}", check=False)
        if tree.exit_code != 0 or tree.text != record.tree:
            raise UnsoundCheckpoint(f"{_named(place)} does not lead to its tree")
        return record.tree

    async def _chain(self, history: History, place: CheckpointPlace) -> list[CheckpointRecord]:
        """What has to be read for the checkpoint at `place`, in order."""
        chain: list[CheckpointRecord] = []
        current: CheckpointPlace | None = place
        while current is not None:
            if len(chain) == CHAIN_LIMIT:
                raise UnsoundCheckpoint(f"{_named(place)} builds on too many others")
            chain.append(await history.record(current))
            current = chain[-1].builds_on
        return chain[::-1]

    async def _fetched(self, history: History, chain: list[CheckpointRecord], shadow: Path) -> None:
        with disk_full_named(shadow):
            await asyncio.to_thread(shadow.mkdir)
        async with held(shadow, shadow, self.run) as git:
            await git.create()
            for index, record in enumerate(chain):
                self.on_progress(f"fetching checkpoints: {index + 1} of {len(chain)}")
                try:
                    await self._read(history, git, record)
                except UnsoundCheckpoint:
                    self._unsound.add((history.task_id, record.place))
                    raise
            first, last = chain[0], chain[-1]
            trees = await git("rev-parse", f"{first.base_commit}^{{tree}}", f"{last.commit}^{{tree}}", check=False)
            if trees.exit_code != 0 or trees.text.split() != [last.workspace.base_tree, last.tree]:
                self._unsound.add((history.task_id, last.place))
                raise UnsoundCheckpoint(f"{_named(last.place)} does not lead to its tree")
            updates = f"update {BASE_REF} {first.base_commit}\nupdate {CHECKPOINTS_REF} {last.commit}\n"
            await git("update-ref", "--stdin", stdin=updates.encode())
            git.write_rules(first.own_rules.encode("latin-1"), first.base_rules.encode("latin-1"))

    async def _reset(self, first: CheckpointRecord, shadow: Path) -> None:
        """Forget all that was done since the base."""
        async with held(shadow, shadow, self.run) as git:
            await git("update-ref", CHECKPOINTS_REF, first.base_commit)

    async def _read(self, history: History, git: Repository, record: CheckpointRecord) -> None:
        """Fetch one bundle, compare its checksum, and take in what it holds."""
        pack = git.git_dir / "incoming.pack"
        digest = hashlib.sha256()
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with disk_full_named(pack), os.fdopen(open_beneath(git.git_dir, pack.name, flags), "wb") as file:
            for part in range(1, record.bundle_parts + 1):
                key = ids.bundle_key(history.task_id, record.generation, record.number, record.bundle_sha256, part)
                body = await history.store.find(key, in_memory=False)
                if body is None:
                    raise UnsoundCheckpoint(f"the bundle of {_named(record.place)} is missing")
                digest.update(body)
                await asyncio.to_thread(file.write, body if part > 1 else body[head_bytes(body) :])
        if digest.hexdigest() != record.bundle_sha256:
            raise UnsoundCheckpoint(f"the bundle of {_named(record.place)} is damaged")
        result = await read_pack(git, pack)
        if result.is_disk_full or result.timed_out:
            raise result.failure()
        if result.exit_code != 0:
            raise UnsoundCheckpoint(f"the bundle of {_named(record.place)} is damaged: {result.stderr.strip()[-300:]}")
        pack.unlink()


def _base_of(record: CheckpointRecord) -> CheckpointRecord:
    """The record as it would be of the files before any work."""
    update = {"step": 0, "tree": record.workspace.base_tree, "commit": record.base_commit, "left_out": ()}
    return record.model_copy(update=update)


def _named(place: CheckpointPlace) -> str:
    return f"checkpoint {place.number} of slot {place.generation}"
