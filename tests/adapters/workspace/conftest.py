"""Repositories, runners and workspaces for the tests beside."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.workspace import Workspaces
from tests.adapters.workspace.hosts import FailingStore, Host
from tests.sandboxing import best_sandbox

Git = Callable[..., str]

USER_ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "u",
    "GIT_AUTHOR_EMAIL": "u@example.org",
    "GIT_COMMITTER_NAME": "u",
    "GIT_COMMITTER_EMAIL": "u@example.org",
    "GIT_CONFIG_COUNT": "2",
    "GIT_CONFIG_KEY_0": "init.defaultBranch",
    "GIT_CONFIG_VALUE_0": "main",
    "GIT_CONFIG_KEY_1": "protocol.file.allow",
    "GIT_CONFIG_VALUE_1": "always",
}


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


@pytest.fixture
def workspaces(data_dir: Path, runner: ProcessRunner) -> Workspaces:
    return Workspaces(data_dir, runner, best_sandbox(data_dir), "host-1", "longshift-host-host-1", quick_calls=True)


@pytest.fixture
def store() -> FailingStore:
    return FailingStore(MemoryStore())


@pytest.fixture
def a(tmp_path: Path, store: FailingStore) -> Host:
    return Host(tmp_path / "a", "a", store)


@pytest.fixture
def b(tmp_path: Path, store: FailingStore) -> Host:
    return Host(tmp_path / "b", "b", store)
