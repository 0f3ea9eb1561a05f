"""A runner that leaves nothing behind."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from longshift.adapters.process.runner import ProcessRunner


@pytest.fixture
def runs_dir(tmp_path: Path) -> Path:
    """Where the runner keeps its runs; it does not exist yet."""
    return tmp_path / "state" / "runs"


@pytest.fixture
async def runner(runs_dir: Path) -> AsyncIterator[ProcessRunner]:
    """A runner; whatever it still runs is killed after the test."""
    runner = ProcessRunner(runs_dir, disk_floor_bytes=0)
    yield runner
    await runner.kill_all("", "the test is over")
