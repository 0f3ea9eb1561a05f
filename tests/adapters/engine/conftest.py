"""Engines on directories of their own, always stopped again."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from longshift.adapters.engine import EmbeddedEngine, EngineBinary, find_engine_binary
from longshift.contracts.search import SEARCH_ATTRIBUTES
from tests.ports import free_port

MakeEngine = Callable[..., EmbeddedEngine]


@pytest.fixture(scope="session")
def binary() -> EngineBinary:
    """The binary of this environment."""
    return find_engine_binary()


@pytest_asyncio.fixture
async def make_engine(tmp_path: Path, binary: EngineBinary) -> AsyncIterator[MakeEngine]:
    """Builds headless engines on the test's own directory and a port of their own; `port=None` is the default one."""
    made: list[EmbeddedEngine] = []

    def make(**options: object) -> EmbeddedEngine:
        given = {"binary": binary, "search_attributes": SEARCH_ATTRIBUTES, "ui": False, "port": free_port(), **options}
        made.append(EmbeddedEngine(tmp_path, **given))  # pyright: ignore[reportArgumentType]  # tests pass fields by name
        return made[-1]

    yield make
    for engine in made:
        await engine.stop()
