"""The attacks of `adapters.sandbox.attacks`: bubblewrap stops each one for root and for an ordinary user.

That each of them can succeed is shown against commands that nothing confines, and by the plain line with which
bubblewrap is often called.
"""

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from longshift.adapters.sandbox.attacks import ATTACKS
from tests.sandboxing import requires_bubblewrap

ORDINARY = 1001
"""A user without rights, and without an entry in the host's list of users."""
SYSTEM_PYTHON = "/usr/bin/python3"
"""An ordinary user may not enter the folder of this environment's interpreter."""
REPOSITORY = Path(__file__).parents[3]
ROOTS = {"capabilities", "devices", "file-through-proc", "kernel-settings", "write-system"}
"""What ordinary users do not reach, whatever confines them, or not on every host."""
USERS = [
    pytest.param("root", marks=pytest.mark.skipif(os.getuid() != 0, reason="the tests run as an ordinary user")),
    "ordinary",
]

pytestmark = requires_bubblewrap()


@pytest.fixture
def folder() -> Generator[Path]:
    """A folder that other users may enter: pytest's own are closed to them."""
    with tempfile.TemporaryDirectory(prefix="longshift-matrix-", ignore_cleanup_errors=True) as made:
        os.chmod(made, 0o777)
        yield Path(made)


def attacked(user: str, sandbox: str, folder: Path) -> dict[str, Any]:
    """The report of a probe in a process of its own, which is the worker."""
    python = sys.executable
    identity: dict[str, Any] = {}
    if user == "ordinary" and os.getuid() == 0:
        if not all(place.stat().st_mode & 0o001 for place in (REPOSITORY, *REPOSITORY.parents)):
            pytest.skip(f"an ordinary user may not enter {REPOSITORY}")
        python = SYSTEM_PYTHON
        identity = {"user": ORDINARY, "group": ORDINARY, "extra_groups": []}
    done: subprocess.CompletedProcess[str] = subprocess.run(
        [python, str(Path(__file__).with_name("attack_program.py")), sandbox, str(folder)],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONPATH": f"{REPOSITORY}:{sysconfig.get_path('purelib')}",
            "PLANTED": "a secret of the worker",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        **identity,
    )
    assert 0 == done.returncode, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("user", USERS)
def test_bubblewrap_stops_every_attack(user: str, folder: Path) -> None:
    report = attacked(user, "bubblewrap", folder)
    assert (sorted(ATTACKS), {}, len(ATTACKS)) == (sorted(report["tried"]), report["reached"], report["stopped"])


@pytest.mark.skipif(os.getuid() != 0, reason="some of them need root to succeed")
def test_every_attack_but_the_inherited_environment_succeeds_without_a_sandbox(folder: Path) -> None:
    assert {"environment"} == set(ATTACKS) - set(attacked("root", "none", folder)["reached"])


def test_without_a_sandbox_an_ordinary_user_is_reached_too(folder: Path) -> None:
    reached = attacked("ordinary", "none", folder)["reached"]
    assert set() == set(ATTACKS) - ROOTS - {"environment"} - set(reached)


@pytest.mark.parametrize("user", USERS)
def test_the_plain_line_of_bubblewrap_leaves_files_and_sockets_open(user: str, folder: Path) -> None:
    reached = attacked(user, "naive", folder)["reached"]
    assert {"environment", "file-beside", "mount", "unix-socket", "user-namespace"} <= set(reached)


@pytest.mark.skipif(os.getuid() != 0, reason="only root has them")
def test_the_plain_line_leaves_root_its_capabilities_and_the_kernels_settings(folder: Path) -> None:
    assert {"capabilities", "kernel-settings"} <= set(attacked("root", "naive", folder)["reached"])
