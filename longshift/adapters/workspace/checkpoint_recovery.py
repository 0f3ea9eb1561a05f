"""Making a shadow repository whole again out of the store: the newest checkpoint of which every bundle is sound.

The working files are no concern here; see `making.py`.
"""

import asyncio
import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from longshift.adapters.workspace.bundles import head_bytes, read_pack
from longshift.adapters.workspace.checkpoint_history import History, UnsoundCheckpoint
from longshift.adapters.workspace.folder import disk_full_named
from longshift.adapters.workspace.git import RunGit
from longshift.adapters.workspace.repository import BASE_REF, CHECKPOINTS_REF, Repository, held
from longshift.adapters.workspace.sources import PART_SUFFIX
from longshift.contracts import ids
from longshift.contracts.checkpoints import CheckpointPlace, CheckpointRecord

CHAIN_LIMIT = 1_000


@dataclass(frozen=True)
class Recovered:
    """A checkpoint that was fetched whole."""

    record: CheckpointRecord
    shadow: Path
    """A shadow repository with its base and this checkpoint, not yet in its place."""
    newer: tuple[str, ...] = ()
    """Why newer checkpoints could not be taken, a sentence each."""


@dataclass
class Recovery:
    """One search for the newest sound checkpoint, into parts of `folder`."""

    history: History
    folder: Path
    run: RunGit
    on_progress: Callable[[str], None]
    complaints: list[str] = field(default_factory=list[str])
    """Why checkpoints could not be taken, the newest first."""
    _unsound: set[CheckpointPlace] = field(default_factory=set[CheckpointPlace])

    async def newest(self, generation: int) -> Recovered | None:
        """Fetch the checkpoint that a slot goes on from; None without a sound one.

        Raises: WorkspaceFailed, DiskFull, StoreUnavailable.
        """
        async for place in self.history.places(generation):
            shadow = self.folder / f".shadow.{uuid.uuid4().hex}{PART_SUFFIX}"
            try:
                chain = await self._chain(place)
                if any(record.place in self._unsound for record in chain):
                    continue
                await self._fetched(chain, shadow)
            except UnsoundCheckpoint as error:
                self.complaints.append(str(error))
                continue
            return Recovered(chain[-1], shadow, tuple(self.complaints))
        return None

    async def take_in(self, git: Repository, place: CheckpointPlace) -> None:
        """Fetch a checkpoint, and what it builds on, into a shadow repository that is in use.

        Raises:
            UnsoundCheckpoint: it is damaged, or something that it builds on is.
        """
        chain = await self._chain(place)
        for record in chain:
            if not await git.has_commit(record.commit):
                await self._read(git, record)
        last = chain[-1]
        tree = await git("rev-parse", f"{last.commit}^{{tree}}", check=False)
        if tree.exit_code != 0 or tree.text != last.tree:
            raise UnsoundCheckpoint(f"{_named(place)} does not lead to its tree")

    async def _chain(self, place: CheckpointPlace) -> list[CheckpointRecord]:
        """What has to be read for the checkpoint at `place`, in order."""
        chain: list[CheckpointRecord] = []
        current: CheckpointPlace | None = place
        while current is not None:
            if len(chain) == CHAIN_LIMIT:
                raise UnsoundCheckpoint(f"{_named(place)} builds on too many others")
            chain.append(await self.history.record(current))
            current = chain[-1].builds_on
        return chain[::-1]

    async def _fetched(self, chain: list[CheckpointRecord], shadow: Path) -> None:
        with disk_full_named(shadow):
            await asyncio.to_thread(shadow.mkdir)
        async with held(shadow, self.folder, self.run) as git:
            await git.create()
            for index, record in enumerate(chain):
                self.on_progress(f"fetching checkpoints: {index + 1} of {len(chain)}")
                try:
                    await self._read(git, record)
                except UnsoundCheckpoint:
                    self._unsound.add(record.place)
                    raise
            first, last = chain[0], chain[-1]
            trees = await git("rev-parse", f"{first.base_commit}^{{tree}}", f"{last.commit}^{{tree}}", check=False)
            if trees.exit_code != 0 or trees.text.split() != [last.workspace.base_tree, last.tree]:
                self._unsound.add(last.place)
                raise UnsoundCheckpoint(f"{_named(last.place)} does not lead to its tree")
            updates = f"update {BASE_REF} {first.base_commit}\nupdate {CHECKPOINTS_REF} {last.commit}\n"
            await git("update-ref", "--stdin", stdin=updates.encode())
            git.write_rules(first.own_rules.encode("latin-1"), first.base_rules.encode("latin-1"))

    async def _read(self, git: Repository, record: CheckpointRecord) -> None:
        """Fetch one bundle, compare its checksum, and take in what it holds."""
        pack = git.git_dir / "incoming.pack"
        digest = hashlib.sha256()
        with disk_full_named(pack), pack.open("wb") as file:
            for part in range(1, record.bundle_parts + 1):
                key = ids.bundle_key(self.history.task_id, record.generation, record.number, record.bundle_sha256, part)
                body = await self.history.store.find(key, in_memory=False)
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


def _named(place: CheckpointPlace) -> str:
    return f"checkpoint {place.number} of slot {place.generation}"
