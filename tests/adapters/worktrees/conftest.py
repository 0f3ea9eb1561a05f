"""A session that delegates, and hosts that make worktrees for it."""

from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from obstore.store import MemoryStore

from longshift.adapters.sandbox.port import Sandbox
from longshift.adapters.workspace.git_places import GitPlaces
from tests.adapters.workspace.confined import BUBBLEWRAP, every_sandbox, sandbox_named
from tests.adapters.workspace.hosts import FailingStore
from tests.adapters.worktrees.merge_lab import Lab
from tests.adapters.worktrees.swarms import SwarmHost
from tests.sandboxing import requires_bubblewrap


@pytest.fixture(params=every_sandbox())
def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> Sandbox:
    """Each sandbox in turn."""
    return sandbox_named(request.param, tmp_path / "hidden")


@pytest.fixture
def store() -> FailingStore:
    return FailingStore(MemoryStore())


@pytest.fixture(params=[pytest.param(BUBBLEWRAP, marks=requires_bubblewrap())])
def confined(request: pytest.FixtureRequest, tmp_path: Path) -> Sandbox:
    """A sandbox that can show a folder elsewhere."""
    return sandbox_named(request.param, tmp_path / "hidden")


@pytest_asyncio.fixture
async def hosts(tmp_path: Path, store: FailingStore) -> AsyncGenerator[Callable[[str, Sandbox], SwarmHost]]:
    """Makes hosts that share the store."""
    made: list[SwarmHost] = []

    def make(name: str, sandbox: Sandbox) -> SwarmHost:
        made.append(SwarmHost(tmp_path / name, name, store, sandbox=sandbox))
        return made[-1]

    yield make
    for host in made:
        await host.close()


@pytest_asyncio.fixture
async def lab(tmp_path: Path, sandbox: Sandbox) -> AsyncGenerator[Lab]:
    """Where work is merged; nothing is in it yet."""
    places = GitPlaces(sandbox)
    yield Lab(tmp_path, places)
    await places.close_all()
