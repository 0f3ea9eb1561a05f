"""A worker may die at any moment while a workspace is made again: the next one makes it whole."""

import asyncio
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from obstore.store import LocalStore

from longshift.adapters.workspace.checkpoint_history import History
from longshift.contracts.checkpoints import CheckpointPlace
from longshift.contracts.task import TaskSpec
from tests.adapters.workspace.hosts import TASK_ID, FailingStore, Fuse, Host, Killed, files_of, task

ROOT = Path(__file__).parents[3]


def spec_of(source: Path) -> TaskSpec:
    """A task whose setup can be counted: it leaves one ignored line each time that it runs."""
    return task(workspace={"directory": str(source)}, setup=("echo ran >> setup.o; echo base > base.txt",))


class Scene:
    """A session that was on host a, then on host b, and comes back to a, whose tree is stale."""

    def __init__(self, folder: Path, source: Path) -> None:
        self.folder = folder
        self.source = source
        self.spec = spec_of(source)
        self.files: dict[str, tuple[str, bytes]] = {}
        self.base_tree = ""

    async def play(self) -> None:
        """Until b is lost."""
        a, b = self.host("a", self.folder / "a"), self.host("b", self.folder / "b")
        first = await a.prepare(self.spec, 1)
        await a.step(first, 1, x="1")
        second = await b.prepare(self.spec, 2)
        await b.step(second, 2, x="2", y="2")
        a.edit(x="stale", stray="stale")
        self.files, self.base_tree = files_of(b.tree), second.base_tree

    def host(self, name: str, data: Path, fuse: Fuse | None = None) -> Host:
        """A host in this scene, its worker freshly started."""
        store = FailingStore(LocalStore(self.folder / "store", mkdir=True), local_root=self.folder / "store")
        if fuse is None:
            return Host(data, name, store)
        store.fuse = fuse
        return Host(data, name, store, run=fuse.run_git)

    def stale_copy(self, name: str) -> Path:
        """The data directory of host a as it was when the session had left it."""
        copy = self.folder / f"a-{name}"
        shutil.copytree(self.folder / "a", copy, symlinks=True)
        return copy

    async def assert_whole(self, data: Path, generation: int) -> None:
        """Prepare once more, and find everything as it has to be."""
        host = self.host("a", data)
        workspace = await host.prepare(self.spec, generation)
        assert self.files == files_of(host.tree)
        assert self.base_tree == workspace.base_tree
        assert "ran\n" == (host.tree / "setup.o").read_text()
        assert workspace.restoration is not None
        assert 2 == workspace.restoration.step
        assert [] == list((data / "workspaces" / TASK_ID).glob("*.part"))
        assert ["x", "y"] == await host.workspaces.shadow(workspace).changed_files(self.base_tree)
        digest = await host.workspaces.checkpoint(workspace, 3)
        assert digest.archived


@pytest.fixture
async def scene(tmp_path: Path, repository: Path) -> Scene:
    made = Scene(tmp_path, repository)
    await made.play()
    return made


@pytest.mark.parametrize("is_after", [False, True], ids=["odd, before", "even, after"])
async def test_a_worker_may_die_at_every_call(scene: Scene, is_after: bool) -> None:
    number, fuse, store = 2 if is_after else 1, Fuse(0), scene.folder / "store"
    while not fuse.is_intact:
        kept = shutil.copytree(store, scene.folder / "store-kept")
        data = scene.stale_copy(str(number))
        fuse = Fuse(number, is_after)
        host = scene.host("a", data, fuse)
        with suppress(Killed):
            await host.prepare(scene.spec, 3)
        # Every other time it is a newer slot that finds what the dead one has left.
        await scene.assert_whole(data, 3 if fuse.is_intact or number // 2 % 2 else 4)
        shutil.rmtree(data)
        shutil.rmtree(store)
        kept.rename(store)
        number += 2
    assert number > 20


@pytest.mark.parametrize("call", [3, 14, 19, 26])
async def test_a_worker_may_be_killed(scene: Scene, call: int) -> None:
    data = scene.stale_copy("killed")
    script = str(Path(__file__).with_name("workspace_killed.py"))
    arguments = [str(data), str(scene.folder / "store"), str(scene.source), "3", str(call)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, script, *arguments], env=environment, capture_output=True, check=False
    )
    assert (-9, b"") == (done.returncode, done.stderr)
    await scene.assert_whole(data, 3)


async def test_a_slot_that_died_before_it_was_granted_binds_the_next_attempt(scene: Scene) -> None:
    data = scene.stale_copy("ready")
    await scene.assert_whole(data, 3)
    old = scene.host("b", scene.folder / "b")
    history = await History.read(old.store, TASK_ID)
    start = await history.start(3)
    assert start is not None
    assert CheckpointPlace(generation=2, number=2) == start.restored


async def test_setup_that_runs_when_the_worker_dies_is_followed_by_the_next(scene: Scene) -> None:
    data, gate = scene.stale_copy("setup"), scene.folder / "gate"
    os.mkfifo(gate)
    waiting = scene.spec.model_copy(
        update={"setup": (f"echo ran >> setup.o; read line < {gate}; echo base > base.txt",)}
    )
    began = asyncio.Event()
    host = scene.host("a", data)
    worker = asyncio.create_task(
        host.workspaces.prepare(waiting, 3, lambda line: began.set() if line.startswith("setup") else None)
    )
    await began.wait()
    worker.cancel()
    with pytest.raises(asyncio.CancelledError):
        await worker
    again = asyncio.create_task(scene.host("a", data).prepare(waiting, 4))
    await asyncio.to_thread(gate.write_text, "go\n")
    await again
    await scene.assert_whole(data, 4)
    assert 1 == len(host.runner.keys(f"{TASK_ID}/setup-g0003"))
