"""The layout of one workspace on a host, and its record of being ready. Nothing here decides when it is."""

import errno
import os
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from longshift.contracts.checkpoints import CheckpointPlace
from longshift.contracts.errors import DiskFull
from longshift.contracts.wire import Wire
from longshift.contracts.workspace import Workspace


class Ready(Wire):
    """What `ready.json` says: written last, so a workspace without it is not ready."""

    workspace: Workspace
    protected: tuple[str, ...] = ()
    """The task's protected globs."""
    left_out: tuple[str, ...] = ()
    """Files of the source that checkpoints do not cover."""
    life: int = 1
    """The slot under which the tree was begun anew, 1 for the first; see `ids.run_prefix_of_life`."""
    seen_root: str = ""
    """Where commands see the tree; empty: at its own path."""
    seen_home: str = ""


class SetupProgress(Wire):
    """What `setup.json` says: how far the making of the workspace has come."""

    attempt: int = 1
    """Counts from 1 within a life; a new one starts from a freshly fetched tree."""
    is_discarded: bool = False
    """What the attempt before has left is still to be removed."""
    lost_count: int = 0
    """How often a setup command was lost, so that the tree had to be fetched again."""
    life: int = 1
    """The slot under which the tree was begun anew, 1 for the first."""
    restores: CheckpointPlace | None = None
    """The archived checkpoint that is made again; None from the source."""
    source_commit: str = ""
    """The commit of a git source that was fetched."""
    source_complaint: str = ""
    """Why the source could not be fetched again."""
    is_at_base: bool = False
    """The files were made those of the base tree again; what the setup does from then on stays."""


@dataclass(frozen=True)
class WorkspaceFolder:
    """The paths of one workspace."""

    path: Path
    seen_root: str = ""
    """Where commands see the tree; empty: at its own path."""
    seen_home: str = ""

    @property
    def tree(self) -> Path:
        """The files: all that the agent works on."""
        return self.path / "tree"

    @property
    def shadow(self) -> Path:
        """The shadow repository."""
        return self.path / "shadow.git"

    @property
    def home(self) -> Path:
        """`HOME` of commands: beside the tree, so that caches are not part of it."""
        return self.path / "home"

    @property
    def tmp(self) -> Path:
        """`/tmp` of commands in a sandbox, kept from one to the next."""
        return self.path / "tmp"

    @property
    def prepare_lock(self) -> Path:
        """Held while the workspace is prepared."""
        return self.path / "prepare.lock"

    def checks_file(self, key_prefix: str) -> Path:
        """What is known so far of one run of the checks."""
        return self.path / "checks" / f"{key_prefix.replace('/', '~')}.json"

    def ready(self) -> Ready | None:
        """The record of being ready, or nothing."""
        text = read_file(self.path / "ready.json")
        return Ready.model_validate_json(text) if text else None

    def write_ready(self, ready: Ready) -> None:
        """Record that the workspace is ready."""
        replace_file(self.path / "ready.json", ready.model_dump_json(indent=1).encode())

    def held(self) -> Workspace | None:
        """The slot under which a session holds the workspace, as far as this host knows."""
        text = read_file(self.path / "held.json")
        return Workspace.model_validate_json(text) if text else None

    def write_held(self, workspace: Workspace | None) -> None:
        """Record that a session holds the workspace, or that none does."""
        if workspace is None:
            (self.path / "held.json").unlink(missing_ok=True)
        else:
            replace_file(self.path / "held.json", workspace.model_dump_json(indent=1).encode())

    def setup_progress(self) -> SetupProgress:
        """How often the setup was begun."""
        text = read_file(self.path / "setup.json")
        return SetupProgress.model_validate_json(text) if text else SetupProgress()

    def forget_ready(self) -> None:
        """Take the record of being ready back."""
        (self.path / "ready.json").unlink(missing_ok=True)

    @property
    def is_begun(self) -> bool:
        """Whether anything was made here yet."""
        return (self.path / "setup.json").exists() or self.tree.exists()

    @property
    def has_own_repository(self) -> bool:
        """Whether there is a repository in the tree, of the source or of the agent."""
        return os.path.lexists(self.tree / ".git")

    def write_setup_progress(self, progress: SetupProgress) -> None:
        """Record how often the setup was begun."""
        replace_file(self.path / "setup.json", progress.model_dump_json().encode())


@contextmanager
def disk_full_named(path: Path) -> Generator[None]:
    """Turn the system's word for a full disk into ours while something is written to `path` or below it."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"the disk is full: {path}: {error}") from error
        raise


def replace_file(path: Path, body: bytes) -> None:
    """Write a file whole or not at all, and force it to disk.

    Raises: DiskFull.
    """
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with disk_full_named(path), part.open("xb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_file(path: Path) -> bytes:
    """The bytes of a file, none when it is not there."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
