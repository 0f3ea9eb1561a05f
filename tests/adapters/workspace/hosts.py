"""Hosts that share a store, each with a data directory of its own, and a store that can fail."""

import os
import stat
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.sandbox.none import NoSandbox
from longshift.adapters.sandbox.port import Sandbox
from longshift.adapters.store import Store
from longshift.adapters.workspace import CheckpointArchive, Workspaces
from longshift.adapters.workspace.checkpoint_upload import PART_BYTES
from longshift.adapters.workspace.git import GitCall, GitResult, RunGit, run_git
from longshift.adapters.worktrees.making import making_of_sub_agent
from longshift.contracts import ids
from longshift.contracts.checkpoints import CheckpointRecord
from longshift.contracts.errors import StoreUnavailable
from longshift.contracts.task import TaskSpec
from longshift.contracts.workspace import Restoration, Workspace

TASK_ID = "t-1"


def task(**fields: object) -> TaskSpec:
    """A task with these fields."""
    return TaskSpec.model_validate({"id": TASK_ID, "title": "T", "instructions": "Do.", **fields})


@dataclass
class Host:
    """One host, whose worker can be restarted."""

    folder: Path
    name: str
    store: Store
    huge_bytes: int = 100_000_000
    run: RunGit = run_git
    part_bytes: int = PART_BYTES
    sandbox: Sandbox = field(default_factory=NoSandbox)
    workspaces: Workspaces = field(init=False)
    runner: ProcessRunner = field(init=False)
    earlier: list[Workspaces] = field(default_factory=list[Workspaces])
    """Those of the workers before."""

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.restart()

    def restart(self) -> None:
        """A new worker on the same data directory."""
        self.earlier += [self.workspaces] if hasattr(self, "workspaces") else []
        self.runner = ProcessRunner(self.folder / "runs", disk_floor_bytes=0)
        self.workspaces = Workspaces(
            self.folder,
            self.runner,
            self.sandbox,
            self.name,
            f"longshift-host-{self.name}",
            archive=CheckpointArchive(self.store, part_bytes=self.part_bytes),
            run=self.run,
            huge_bytes=self.huge_bytes,
            making_of_sub_agent=making_of_sub_agent,
        )

    async def close(self) -> None:
        """End what stands ready for git."""
        for each in (*self.earlier, self.workspaces):
            await each.close()

    @property
    def tree(self) -> Path:
        """The files of the task."""
        return self.folder / "workspaces" / TASK_ID / "tree"

    async def prepare(self, spec: TaskSpec, generation: int) -> Workspace:
        """Prepare the task's workspace."""
        return await self.workspaces.prepare(spec, generation)

    async def step(self, workspace: Workspace, step: int, **files: str | None) -> None:
        """Write or remove files, then record a checkpoint that has to be archived."""
        self.edit(**files)
        digest = await self.workspaces.checkpoint(workspace, step)
        assert digest.archived

    def edit(self, **files: str | None) -> None:
        """Write or remove files at the top of the tree."""
        for name, text in files.items():
            if text is None:
                (self.tree / name).unlink()
            else:
                (self.tree / name).write_text(text)


class Killed(Exception):
    """The worker ends here."""


def raise_killed() -> None:
    """End a call as a bug would, with everything that cleans up after it."""
    raise Killed


@dataclass
class Fuse:
    """Burns at call number `burns_at` of git or of the store, before or after the call is made."""

    burns_at: int
    is_after: bool = False
    burn: Callable[[], None] = raise_killed
    calls: int = 0

    @property
    def is_intact(self) -> bool:
        """Whether there were fewer calls than that."""
        return self.calls < self.burns_at

    async def run_git(self, call: GitCall) -> GitResult:
        """Run git."""
        with self.around():
            return await run_git(call)

    @contextmanager
    def around(self) -> Generator[None]:
        """Count a call."""
        self.calls += 1
        burns = self.calls == self.burns_at
        if burns and not self.is_after:
            self.burn()
        yield
        if burns:
            self.burn()


class FailingStore(Store):
    """A store that is down while `is_down`, and that burns its fuse."""

    is_down = False
    fuse = Fuse(0)

    @contextmanager
    def _call(self, key: str) -> Generator[None]:
        if self.is_down:
            raise StoreUnavailable(f"store object {key!r}: down")
        with self.fuse.around():
            yield

    async def create(self, key: str, body: bytes, *, in_memory: bool = True) -> bytes:
        """Write unless down."""
        with self._call(key):
            return await super().create(key, body, in_memory=in_memory)

    async def find(self, key: str, *, in_memory: bool = True) -> bytes | None:
        """Read unless down."""
        with self._call(key):
            return await super().find(key, in_memory=in_memory)

    async def list(self, prefix: str) -> list[str]:
        """List unless down."""
        with self._call(prefix):
            return await super().list(prefix)


def files_of(tree: Path) -> dict[str, tuple[str, bytes]]:
    """Every file outside of `.git` by its path: its kind, and its content or where it leads."""
    found: dict[str, tuple[str, bytes]] = {}
    for folder, names, files in os.walk(tree):
        names[:] = [name for name in names if name != ".git"]
        for name in [*files, *(name for name in names if os.path.islink(os.path.join(folder, name)))]:
            path = Path(folder, name)
            status = path.lstat()
            key = os.fsencode(path.relative_to(tree)).decode("latin-1")
            if stat.S_ISLNK(status.st_mode):
                found[key] = ("link", os.fsencode(os.readlink(path)))
            else:
                found[key] = ("program" if status.st_mode & 0o100 else "file", path.read_bytes())
    return found


async def records(store: Store) -> list[CheckpointRecord]:
    """The records of the task, in order."""
    keys = [key for key in await store.list(f"checkpoints/{TASK_ID}") if (ids.checkpoint_of(key) or (0, 0))[1]]
    return [CheckpointRecord.model_validate_json(await store.get(key)) for key in keys]


def restored(restoration: Restoration | None) -> tuple[int, int]:
    """Step and generation of a restoration."""
    assert restoration is not None
    return restoration.step, restoration.from_generation
