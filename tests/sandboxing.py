"""Which sandbox the tests run commands in: bubblewrap where it works on this machine, else none."""

import functools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from longshift.adapters.sandbox.bubblewrap import Bubblewrap, BubblewrapOptions
from longshift.adapters.sandbox.none import NoSandbox
from longshift.adapters.sandbox.port import Sandbox
from longshift.adapters.tools import find_ripgrep

BWRAP = shutil.which("bwrap") or ""


@functools.cache
def why_not() -> str:
    """Why bubblewrap cannot be used here; empty when it can."""
    if not BWRAP:
        return "bubblewrap is not installed"
    line = [BWRAP, "--unshare-all", "--unshare-user", "--disable-userns", "--ro-bind", "/", "/", "--proc", "/proc"]
    tried = subprocess.run([*line, "true"], capture_output=True, text=True, check=False)
    return "" if tried.returncode == 0 else f"bubblewrap does not work here: {tried.stderr.strip()}"


def requires_bubblewrap() -> pytest.MarkDecorator:
    """Skips with the reason where it cannot be used."""
    return pytest.mark.skipif(bool(why_not()), reason=why_not() or "it can")


def sandbox_variables() -> dict[str, str]:
    """The environment of a worker whose commands are confined wherever that can be."""
    return {"LONGSHIFT_SANDBOX": os.environ.get("LONGSHIFT_SANDBOX") or ("none" if why_not() else "bubblewrap")}


def best_sandbox(data_dir: Path) -> Sandbox:
    """Bubblewrap for the workspaces below `data_dir`, or none."""
    return NoSandbox() if why_not() else bubblewrap(data_dir)


def bubblewrap(data_dir: Path) -> Bubblewrap:
    """The backend as a worker with this data directory has it."""
    options = BubblewrapOptions(readable=(find_ripgrep(),))
    return Bubblewrap(executable=BWRAP, folder=data_dir / "sandbox", hidden=(data_dir,), options=options)
