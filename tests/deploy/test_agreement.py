"""What `deploy/` says of the program is true of the program: settings, commands, times, versions."""

import importlib.util
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from longshift.settings import KNOWN, Settings
from tests.deploy.files import (
    DEPLOY,
    DOCKERFILE,
    ROLES,
    SERVICES,
    compose_services,
    installed,
    our_services,
    pods,
    text_files,
    unit,
)

COMPOSE_ONLY = {"LONGSHIFT_IMAGE"}
"""Read by compose, never by the program."""
PINNED = re.compile(r"^[\w./-]+:\d+\.\d+\.?[\w.-]*$")
COMMANDS = {
    **{f"compose {name}": each["command"] for name, each in our_services().items() if "entrypoint" not in each},
    **{f"kubernetes {name}": pod["containers"][0]["args"] for name, pod in pods().items()},
    **{f"systemd {path.name}": shlex.split(unit(path)["ExecStart"][0]) for path in SERVICES},
}


def seconds(text: str) -> int:
    """A time of compose or systemd."""
    number, unit_name = re.fullmatch(r"(\d+)([sm]?)", text).groups()  # type: ignore[union-attr]  # a wrong one may fail
    return int(number) * (60 if unit_name == "m" else 1)


def test_every_variable_named_is_a_setting() -> None:
    known = {f"LONGSHIFT_{name.upper()}" for name in KNOWN} | COMPOSE_ONLY
    named = {
        (path.relative_to(DEPLOY).as_posix(), name)
        for path in text_files()
        for name in re.findall(r"\bLONGSHIFT_[A-Z_]+\b", path.read_text(encoding="utf-8"))
    }
    assert len(named) > 20
    assert [] == sorted((place, name) for place, name in named if name not in known)


@pytest.mark.parametrize("place", COMMANDS)
def test_every_service_runs_something_that_exists(place: str) -> None:
    command = COMMANDS[place]
    if command[-1] == "up":
        told = subprocess.run([installed(Path(command[0]).name), "up", "--help"], capture_output=True, check=False)
        assert 0 == told.returncode
        return
    assert "python" == Path(command[0]).name
    arguments = [each for each in command[1:] if each != "-P"]
    assert "-m" == arguments[0]
    assert importlib.util.find_spec(arguments[1]) is not None
    assert arguments[2:] in ([], *(["--role", role] for role in (*ROLES, "%i")))


def test_whoever_stops_a_worker_waits_longer_than_it_takes() -> None:
    graceful_seconds = Settings.model_fields["graceful_shutdown_seconds"].default
    given = [seconds(unit(path)["TimeoutStopSec"][0]) for path in SERVICES]
    given += [seconds(each["stop_grace_period"]) for each in our_services().values()]
    given += [pod["terminationGracePeriodSeconds"] for pod in pods().values()]
    assert min(given) > 2 * graceful_seconds


def test_every_image_is_pinned() -> None:
    images = {each["image"] for each in compose_services().values()}
    images |= {pod["containers"][0]["image"] for pod in pods().values()}
    images |= set(re.findall(r"^ARG \w+_IMAGE=(\S+)$", DOCKERFILE.read_text(encoding="utf-8"), re.MULTILINE))
    bare = {re.sub(r"^\$\{\w+:-(.*)\}$", r"\1", each) for each in images}
    assert [] == sorted(each for each in bare if not PINNED.match(each))


def test_the_guide_speaks_of_every_file() -> None:
    guide = (DEPLOY / "README.md").read_text(encoding="utf-8")
    assert [] == [path.name for path in text_files() if path.name not in guide and path.name != "README.md"]


def test_the_guide_restarts_every_service_of_ours() -> None:
    guide = (DEPLOY / "README.md").read_text(encoding="utf-8")
    [listed] = re.findall(r"^for service in ([\w -]+); do$", guide, re.MULTILINE)
    assert sorted(set(our_services()) - {"cli"}) == sorted(listed.split())
