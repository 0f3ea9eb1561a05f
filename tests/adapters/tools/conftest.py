"""Fixtures: tools on an empty workspace, with a real process runner."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tools_workshop import Workshop

from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.tools.ripgrep import find_ripgrep
from longshift.adapters.tools.toolbox import Toolbox
from tests.sandboxing import best_sandbox


@pytest.fixture
def new_workshop(tmp_path: Path) -> Callable[[], Workshop]:
    """Makes workshops on the same folders: a second one is what a restarted worker has."""

    def make() -> Workshop:
        (tmp_path / "workspace").mkdir(exist_ok=True)
        (tmp_path / "runs" / "task-1").mkdir(parents=True, exist_ok=True)
        runner = ProcessRunner(tmp_path / "runs", disk_floor_bytes=0)
        return Workshop(tmp_path, runner, Toolbox(runner, best_sandbox(tmp_path / "data"), ripgrep=find_ripgrep()))

    return make


@pytest.fixture
def workshop(new_workshop: Callable[[], Workshop]) -> Workshop:
    """Tools on an empty workspace."""
    return new_workshop()
