"""Root and an ordinary user make worktrees alike."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.adapters.limits.limits_places import USER, as_user, python_of
from tests.sandboxing import requires_bubblewrap

PROGRAM = Path(__file__).with_name("ordinary_program.py")
ROOT = Path(__file__).parents[3]

pytestmark = requires_bubblewrap()


@pytest.fixture
def folder() -> Generator[Path]:
    """A folder that other users may enter: pytest's own are closed to them."""
    with tempfile.TemporaryDirectory(prefix="longshift-trees-", ignore_cleanup_errors=True) as made:
        os.chmod(made, 0o777)
        yield Path(made)


@pytest.mark.parametrize("uid", sorted({os.getuid(), USER if os.getuid() == 0 else os.getuid()}))
def test_a_worktree_is_made_sealed_and_discarded(uid: int, folder: Path) -> None:
    python = python_of(uid)
    if python is None:
        pytest.skip(f"user {uid} may run no interpreter that has what the program needs")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
    }
    done = subprocess.run(
        as_user(uid, python, str(PROGRAM), str(folder)),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert "made\n/etc/shadow\n700" == found.pop("copied")
    assert {"linked": True, "own": "1", "lead": "0\nprint('one')", "files": ["app.py"], "left": []} == found
