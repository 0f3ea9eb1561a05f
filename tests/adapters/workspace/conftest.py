"""Repositories, runners and workspaces for the tests beside."""

import subprocess
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from obstore.store import MemoryStore

from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.sandbox.none import NoSandbox
from longshift.adapters.sandbox.port import Sandbox
from longshift.adapters.workspace import Workspaces
from tests.adapters.workspace.confined import every_sandbox, sandbox_named
from tests.adapters.workspace.hosts import FailingStore, Host
from tests.user_git import USER_ENVIRONMENT

Git = Callable[..., str]


@pytest.fixture
def git() -> Git:
    """Git as a user runs it, in a folder; gives what it printed."""

    def run(folder: Path, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, env=USER_ENVIRONMENT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


@pytest.fixture
def repository(tmp_path: Path, git: Git) -> Path:
    """A user's repository with one commit."""
    folder = tmp_path / "user"
    folder.mkdir()
    git(folder, "init", "--quiet")
    (folder / "src").mkdir()
    (folder / "src" / "app.py").write_text("print('one')\n")
    (folder / "AGENTS.md").write_text("Be kind.\n")
    (folder / ".gitignore").write_text("*.o\nbuild/\n")
    (folder / "kept.o").write_text("tracked although ignored\n")
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--message", "first")
    return folder


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def runner(data_dir: Path) -> ProcessRunner:
    return ProcessRunner(data_dir / "runs", disk_floor_bytes=0)


@pytest.fixture(params=every_sandbox())
def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> Sandbox:
    return sandbox_named(request.param, tmp_path / "hidden")


@pytest.fixture
def workspaces(data_dir: Path, runner: ProcessRunner) -> Workspaces:
    """Without a sandbox, as commands of these tests tell what they do outside of their workspace."""
    return Workspaces(data_dir, runner, NoSandbox(), "host-1", "longshift-host-host-1", quick_calls=True)


@pytest.fixture
def store() -> FailingStore:
    return FailingStore(MemoryStore())


@pytest_asyncio.fixture
async def a(tmp_path: Path, store: FailingStore, sandbox: Sandbox) -> AsyncGenerator[Host]:
    host = Host(tmp_path / "a", "a", store, sandbox=sandbox)
    yield host
    await host.close()


@pytest_asyncio.fixture
async def b(tmp_path: Path, store: FailingStore, sandbox: Sandbox) -> AsyncGenerator[Host]:
    host = Host(tmp_path / "b", "b", store, sandbox=sandbox)
    yield host
    await host.close()
