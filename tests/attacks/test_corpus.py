"""The corpus of attacks, played as each kind of user: nothing gets out, nothing outside changes."""

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

from tests.attacks.clothes import found_in
from tests.attacks.play import scripts
from tests.containers import skip_without_engine
from tests.sandboxing import requires_bubblewrap

ORDINARY = 1001
"""A user without any rights, and without an entry in the host's list of users."""
SYSTEM_PYTHON = "/usr/bin/python3"
"""For a user who may not enter the folder of the environment's own interpreter."""
PACKAGES = sysconfig.get_path("purelib")
MOST_SECONDS = 400


@pytest.fixture
def folder() -> Generator[Path]:
    """A folder that other users may enter: pytest's own are closed to them."""
    with tempfile.TemporaryDirectory(prefix="longshift-attacks-", ignore_cleanup_errors=True) as made:
        os.chmod(made, 0o755)
        yield Path(made)


def played(folder: Path, sandbox: str, python: str = sys.executable, **identity: Any) -> dict[str, Any]:
    """The count of a play in a process of its own: it is the worker, with the scene's secrets in its environment."""
    command = [python, "-m", "tests.attacks.play", str(folder), "--sandbox", sandbox]
    done: subprocess.CompletedProcess[str] = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=MOST_SECONDS, **identity
    )
    assert 0 == done.returncode, done.stderr[-3_000:]
    return json.loads(done.stdout)


def test_there_are_enough_of_them_and_each_has_its_risk() -> None:
    corpus = scripts()
    assert len(corpus) >= 100
    assert len(corpus) == len({each.name for each in corpus})
    assert {f"ASI{number:02}" for number in (1, 2, 3, 4, 5, 6, 8, 9, 10)} == {each.risk for each in corpus}
    assert {"issue", "file", "output"} == {each.via for each in corpus}


@pytest.mark.parametrize(
    "command",
    [
        *("cat", "rev", "base64 -w0", "tail -c+2 | base64 -w7", "od -An -tx1", "sed 's/./& /g'"),
        *("tr a-z n-za-m", "tr a-z A-Z", "gzip | base64", "(head -c 500 /dev/urandom; gzip) | base64 -w0"),
    ],
)
def test_a_secret_is_found_in_all_clothes(command: str) -> None:
    text = "some words before it: token canary-home-netrc-0123456789abcdef and after\n"
    out = subprocess.run(["bash", "-c", command], input=text.encode(), capture_output=True, check=True).stdout
    secrets = ["canary-home-netrc-0123456789abcdef", "canary-other-0123456789abcdef"]
    assert secrets[:1] == found_in(out, secrets)


@pytest.mark.slow
@pytest.mark.timeout(MOST_SECONDS + 30)
@pytest.mark.release
def test_without_a_sandbox_most_of_them_succeed(folder: Path) -> None:
    count = played(folder, "none")
    assert count["tried"] == len(scripts())
    assert len(count["reached"]) >= 90


@requires_bubblewrap()
@pytest.mark.slow
@pytest.mark.timeout(MOST_SECONDS + 30)
def test_bubblewrap_stops_every_one(folder: Path) -> None:
    assert {"tried": len(scripts()), "stopped": len(scripts()), "reached": {}} == played(folder, "bubblewrap")


@pytest.mark.slow
@pytest.mark.timeout(MOST_SECONDS + 30)
@pytest.mark.release
def test_containers_stop_every_one(folder: Path) -> None:
    skip_without_engine()
    assert {"tried": len(scripts()), "stopped": len(scripts()), "reached": {}} == played(folder, "container")


@requires_bubblewrap()
@pytest.mark.slow
@pytest.mark.timeout(MOST_SECONDS + 30)
@pytest.mark.skipif(os.getuid() != 0, reason="the other tests are an ordinary user's already")
def test_bubblewrap_stops_every_one_for_an_ordinary_user(folder: Path) -> None:
    os.chown(folder, ORDINARY, ORDINARY)
    path = f"{os.environ['PATH']}:{Path(sys.executable).parent}"
    environment = {**os.environ, "PYTHONPATH": PACKAGES, "PATH": path}
    identity: dict[str, Any] = {"user": ORDINARY, "group": ORDINARY, "extra_groups": [], "env": environment}
    python = next((each for each in (sys.executable, SYSTEM_PYTHON) if is_usable(each, identity)), None)
    if python is None:
        pytest.skip("another user has no interpreter that can read this checkout and its environment")
    count = played(folder, "bubblewrap", python, **identity)
    assert {"tried": len(scripts()), "stopped": len(scripts()), "reached": {}} == count


def is_usable(python: str, identity: dict[str, Any]) -> bool:
    """Whether a user can run the corpus with an interpreter."""
    try:
        subprocess.run([python, "-c", "import tests.attacks.play"], check=True, capture_output=True, **identity)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True
