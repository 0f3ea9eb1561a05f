"""A command without a supervisor is under its limits from its first instruction too."""

import os
import resource
import subprocess
from pathlib import Path

import pytest
from limits_places import HOST, SMALL, first_hierarchies, groups_for

from longshift.adapters.limits.control_groups import ControlGroups
from longshift.adapters.limits.direct import UNITS, started_directly
from longshift.adapters.sandbox.port import WrappedCommand

LIMITS = {"NOFILE": 123, "FSIZE": 1_024_000, "CORE": 0, "DATA": 64_000_000 // 1_024 * 1_024, "NPROC": 4_000}


def run(wrapped: WrappedCommand) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        started_directly(wrapped), env=dict(wrapped.env), cwd=wrapped.cwd, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("shell", ["/bin/sh", "/bin/bash"])
def test_every_limit_is_set_as_it_was_meant(shell: str, tmp_path: Path) -> None:
    script = "import resource; print([resource.getrlimit(getattr(resource, 'RLIMIT_' + name)) for name in %s])"
    argv = ("/usr/bin/python3", "-IS", "-c", script % list(LIMITS))
    command = list(started_directly(WrappedCommand(argv, {}, "/", limits=LIMITS)))
    (tmp_path / "sh").symlink_to(shell)
    command[0] = str(tmp_path / "sh")
    said = subprocess.run(command, env={}, capture_output=True, text=True, check=True).stdout
    assert f"{[(value, value) for value in LIMITS.values()]}\n" == said


def test_a_group_is_joined(tmp_path: Path) -> None:
    if os.getuid() != 0 or first_hierarchies() is None:
        pytest.skip("no writable control groups of version 1")
    with groups_for(0) as hierarchies:
        groups = ControlGroups(hierarchies, SMALL, tmp_path, HOST)
        seen = run(WrappedCommand(("/bin/cat", "/proc/self/cgroup"), {}, "/", cgroups=groups.folders("s-1")))
        assert len(groups.controllers) == seen.stdout.count("/session-s-1\n")
        groups.sweep()


def test_a_group_that_cannot_be_joined_ends_it_before_it_begins(tmp_path: Path) -> None:
    made = tmp_path / "made"
    seen = run(WrappedCommand(("/usr/bin/touch", str(made)), {}, "/", cgroups=(str(tmp_path / "gone"),)))
    assert (126, False) == (seen.returncode, made.exists())


def test_arguments_reach_the_command_as_they_are() -> None:
    odd = ("a b", "", "$(id)", "'\"", "-n", "line\nbreak")
    argv = ("/usr/bin/python3", "-c", "import sys; print(sys.argv[1:])", *odd)
    assert f"{list(odd)}\n" == run(WrappedCommand(argv, {}, "/", limits={"CORE": 0})).stdout


def test_a_command_without_limits_is_itself() -> None:
    assert ("true",) == started_directly(WrappedCommand(("true",), {}, "/"))


def test_what_cannot_be_done_is_refused() -> None:
    with pytest.raises(ValueError, match="the limit STACK"):
        started_directly(WrappedCommand(("true",), {}, "/", limits={"STACK": 1}))
    with pytest.raises(ValueError, match="space in its name"):
        started_directly(WrappedCommand(("true",), {}, "/", cgroups=("/a b",)))


def test_all_limits_that_are_put_onto_commands_can_be_set() -> None:
    assert {*SMALL.of_process(), "NPROC", "DATA"} <= UNITS.keys()
    assert [True] * len(UNITS) == [hasattr(resource, f"RLIMIT_{name}") for name in UNITS]
