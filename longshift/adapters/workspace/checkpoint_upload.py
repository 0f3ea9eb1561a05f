"""Making one checkpoint's bundle and storing it, in parts where it is large. Its record is stored by the archive."""

import asyncio
import hashlib
import io
import os
import shutil
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from longshift.adapters.store import Store
from longshift.adapters.workspace.beneath import open_beneath
from longshift.adapters.workspace.bundles import write_bundle
from longshift.adapters.workspace.folder import disk_full_named
from longshift.adapters.workspace.names import readable
from longshift.adapters.workspace.shadow import Checkpoint, Shadow
from longshift.contracts import ids
from longshift.contracts.checkpoints import CheckpointKind, CheckpointRecord
from longshift.contracts.errors import StoreUnavailable
from longshift.contracts.workspace import Workspace
from longshift.policy.checkpoints import linked, next_kind

PART_BYTES = 32_000_000
"""A larger bundle is stored in parts, so that no more than this is in memory."""
NAMES_LIMIT = 200
_OUTGOING = "outgoing"


@dataclass(frozen=True)
class Upload:
    """One checkpoint that is to be stored, under the generation of `workspace`."""

    store: Store
    workspace: Workspace
    shadow: Shadow
    recorded: Checkpoint
    step: int
    agent: str = ""
    """Whose step it is."""
    part_bytes: int = PART_BYTES
    back_to_step: int | None = None
    """Of a rollback."""

    async def bundle_stored(self, last: CheckpointRecord | None, number: int) -> CheckpointRecord | None:
        """Store what leads here from `last`; gives the record that is to be stored under `number`.

        None when another call has recorded a newer checkpoint meanwhile, which will be stored instead.

        Raises: WorkspaceFailed, DiskFull, StoreUnavailable.
        """
        kind = next_kind(last)
        with _outgoing(self.shadow.git_dir) as path:
            async with self.shadow.held() as git:
                since = last.commit if last is not None and kind is CheckpointKind.INCREMENTAL else ""
                written = await write_bundle(git, path, kind, tip=self.recorded.commit, since=since)
                if written is None:
                    return None
                own_rules, base_rules = git.rules() if kind is CheckpointKind.FULL else (b"", b"")
            size_bytes, sha256 = await asyncio.to_thread(_measured, path)
            parts = await self._parts_stored(path, number, sha256)
        record = CheckpointRecord(
            generation=self.workspace.generation,
            number=number,
            step=self.step,
            agent=self.agent,
            back_to_step=self.back_to_step,
            kind=kind,
            tree=self.recorded.tree,
            commit=written.commit,
            base_commit=written.base_commit or (last.base_commit if last is not None else ""),
            workspace=self.workspace.model_copy(update={"restoration": None}),
            protected=self.shadow.protected,
            left_out=tuple(readable(name) for name in self.recorded.left_out[:NAMES_LIMIT]),
            own_rules=own_rules.decode("latin-1"),
            base_rules=base_rules.decode("latin-1"),
            bundle_sha256=sha256,
            bundle_bytes=size_bytes,
            bundle_parts=parts,
        )
        return linked(record, last)

    async def _parts_stored(self, path: Path, number: int, sha256: str) -> int:
        """Store the file; in how many parts."""
        part = 0
        with _opened(path) as file:
            while body := await asyncio.to_thread(file.read, self.part_bytes):
                part += 1
                key = ids.bundle_key(self.workspace.workspace_id, self.workspace.generation, number, sha256, part)
                if await self.store.create(key, body, in_memory=False) != body:
                    raise StoreUnavailable(f"store object {key!r} is damaged")
        return part


def forget_unsent(git_dir: Path) -> None:
    """Remove what calls that were killed have left."""
    shutil.rmtree(git_dir / _OUTGOING, ignore_errors=True)


@contextmanager
def _outgoing(git_dir: Path) -> Generator[Path]:
    """A place for a bundle on its way."""
    path = git_dir / _OUTGOING / f"{uuid.uuid4().hex}.bundle"
    with disk_full_named(path):
        path.parent.mkdir(exist_ok=True)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _measured(path: Path) -> tuple[int, str]:
    with _opened(path) as file:
        return os.fstat(file.fileno()).st_size, hashlib.file_digest(file, "sha256").hexdigest()


def _opened(path: Path) -> io.BufferedReader:
    return open(open_beneath(path.parent, path.name), "rb")
