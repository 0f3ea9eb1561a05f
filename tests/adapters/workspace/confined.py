"""Sandboxes in which the tests beside let git work."""

from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from longshift.adapters.sandbox.none import NoSandbox
from longshift.adapters.sandbox.port import Sandbox
from tests.sandboxing import best_sandbox, requires_bubblewrap

BUBBLEWRAP = "bubblewrap"


def every_sandbox() -> list[ParameterSet]:
    """The names of the sandboxes that a test is to pass in, as parameters of a fixture."""
    return [pytest.param(NoSandbox.name), pytest.param(BUBBLEWRAP, marks=requires_bubblewrap())]


def sandbox_named(name: str, data_dir: Path) -> Sandbox:
    """The sandbox of this name for workspaces below `data_dir`."""
    return NoSandbox() if name == NoSandbox.name else best_sandbox(data_dir)
