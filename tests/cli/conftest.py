"""Commands in this process, away from the user's home: every test has its own folder and no key, engine or setting."""

import asyncio
import functools
import json
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from longshift.adapters.engine import EmbeddedEngine, find_engine_binary
from longshift.cli import run
from longshift.contracts.search import SEARCH_ATTRIBUTES
from tests.ports import free_port
from tests.sandboxing import sandbox_variables

Command = Callable[..., "Outcome"]
Said = Callable[..., Awaitable["Outcome"]]


@dataclass(frozen=True)
class Outcome:
    """What came of a command."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """All of stdout as one JSON value."""
        return json.loads(self.out)


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data directory of the test; nothing of the machine's own configuration is left."""
    for name in list(os.environ):
        if name.startswith(("LONGSHIFT_", "TEMPORAL_", "OTEL_")) or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("LONGSHIFT_DATA_DIR", str(tmp_path / "data"))
    for name, value in sandbox_variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


@pytest.fixture
def longshift(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs one command."""

    def command(*arguments: str) -> Outcome:
        capsys.readouterr()
        code = run(arguments)
        said = capsys.readouterr()
        return Outcome(code, said.out, said.err)

    return command


@pytest.fixture
def said(longshift: Command) -> Said:
    """Runs one command in a thread, as it has an event loop of its own."""
    return functools.partial(asyncio.to_thread, longshift)


@pytest_asyncio.fixture
async def client(data_dir: Path) -> AsyncGenerator[Client]:
    """The embedded engine of the test's data directory."""
    data_dir.mkdir()
    engine = EmbeddedEngine(
        data_dir, binary=find_engine_binary(), search_attributes=SEARCH_ATTRIBUTES, ui=False, port=free_port()
    )
    address = await engine.start()
    try:
        yield await Client.connect(address.address, data_converter=pydantic_data_converter)
    finally:
        await engine.stop()
