"""A runner that leaves nothing behind, and the proxies that it runs."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from longshift.adapters.process.runner import ProcessRunner


@pytest.fixture
async def runner(tmp_path: Path) -> AsyncIterator[ProcessRunner]:
    """A runner; whatever it still runs is killed after the test."""
    runner = ProcessRunner(tmp_path / "data" / "runs", disk_floor_bytes=0)
    yield runner
    await runner.kill_all("", "the test is over")
