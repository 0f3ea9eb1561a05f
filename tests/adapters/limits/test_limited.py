"""Limits are put onto commands whatever the sandbox, and the supervisor sees to them before the command starts."""

import asyncio
import os
import resource
from dataclasses import replace
from pathlib import Path

import pytest
from limits_places import HOST, SMALL, imitated

from longshift.adapters.limits.control_groups import ControlGroups
from longshift.adapters.limits.hierarchies import Hierarchies, find_hierarchies
from longshift.adapters.limits.limited import Limited
from longshift.adapters.process.command_spec import CommandSpec
from longshift.adapters.process.run_state import Finished
from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.sandbox.none import NoSandbox
from longshift.adapters.sandbox.port import SandboxCommand, WrappedCommand


class Strict(NoSandbox):
    """A sandbox with a limit and a group of its own."""

    name = "strict"

    def wrap(self, command: SandboxCommand) -> WrappedCommand:
        return replace(super().wrap(command), limits={"NOFILE": 99}, cgroups=("/its/own",))


def wanted(group: str = "s-1") -> SandboxCommand:
    return SandboxCommand(argv=("true",), cwd="/", workspace_root="/", home="/", group=group)


def groups_at(folder: Path) -> ControlGroups:
    found = find_hierarchies(*imitated(folder))
    assert isinstance(found, Hierarchies)
    return ControlGroups(found, SMALL, folder, HOST)


def test_the_sandbox_within_is_the_one_that_is_shown_and_its_own_limits_go_before() -> None:
    limited = Limited(Strict(), SMALL, None)
    wrapped = limited.wrap(wanted())
    assert ("strict", 99, ("/its/own",), "s-1") == (
        limited.name,
        wrapped.limits["NOFILE"],
        wrapped.cgroups,
        wrapped.group,
    )


def test_with_control_groups_a_command_joins_its_sessions(tmp_path: Path) -> None:
    groups = groups_at(tmp_path)
    wrapped = Limited(NoSandbox(), SMALL, groups).wrap(wanted())
    assert (groups.folders("s-1"), {"FSIZE": 50_000_000, "NOFILE": 256, "CORE": 0}) == (wrapped.cgroups, wrapped.limits)


def test_without_them_each_process_is_limited(tmp_path: Path) -> None:
    (tmp_path / "loadavg").write_text("0.1 0.1 0.1 2/345 4711\n")
    wrapped = Limited(NoSandbox(), SMALL, None, loadavg=tmp_path / "loadavg").wrap(wanted())
    assert (345 + 60, 160_000_000) == (wrapped.limits["NPROC"], wrapped.limits["DATA"])


def test_a_command_of_nobodys_share_has_a_process_limits_only(tmp_path: Path) -> None:
    asked: list[str] = []
    limited = Limited(NoSandbox(), SMALL, groups_at(tmp_path), on_command=lambda: asked.append("command"))
    wrapped = limited.wrap(wanted(""))
    assert ((), "", 256, []) == (wrapped.cgroups, wrapped.group, wrapped.limits["NOFILE"], asked)


async def test_the_supervisor_sees_to_the_limits_and_keeps_its_own(tmp_path: Path) -> None:
    runner = ProcessRunner(tmp_path / "runs", disk_floor_bytes=0)
    script = "ulimit -n; ulimit -Hn; ulimit -c; grep 'open files' /proc/$PPID/limits | tr -s ' '"
    limits = {"NOFILE": 123, "CORE": 0, "FSIZE": 4_096}
    spec = CommandSpec(argv=("bash", "-c", script), cwd="/", env={"PATH": "/usr/bin:/bin"}, limits=limits)
    await runner.start("s-1/a", spec)
    assert isinstance(await runner.wait("s-1/a", 20), Finished)
    said = (await asyncio.to_thread(runner.output, "s-1/a")).text.splitlines()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert ["123", "123", "0", f"Max open files {soft} {hard} files"] == [line.strip() for line in said]


async def test_a_tighter_limit_of_the_hosts_stays(tmp_path: Path) -> None:
    runner = ProcessRunner(tmp_path / "runs", disk_floor_bytes=0)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    argv = ("bash", "-c", "ulimit -n")
    await runner.start("s-1/a", CommandSpec(argv=argv, cwd="/", limits={"NOFILE": max(hard, 1) * 2}))
    assert isinstance(await runner.wait("s-1/a", 20), Finished)
    assert f"{hard}\n" == (await asyncio.to_thread(runner.output, "s-1/a")).text


@pytest.mark.parametrize(
    ("limits", "complaint"), [({"OPEN": 1}, "no RLIMIT_OPEN"), ({"NOFILE": -1}, "must not be negative")]
)
def test_a_limit_that_does_not_exist_is_refused(limits: dict[str, int], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        CommandSpec(argv=("true",), cwd="/", limits=limits)


def test_limits_and_groups_are_claimed_with_the_command(tmp_path: Path) -> None:
    spec = CommandSpec(argv=("true",), cwd="/", limits={"NOFILE": 7}, cgroups=("/a", "/b"), group="s-1")
    (tmp_path / "spec.json").write_bytes(spec.to_json())
    assert spec == CommandSpec.load(tmp_path / "spec.json")


async def test_the_command_is_offered_to_the_kernel_first(tmp_path: Path) -> None:
    runner = ProcessRunner(tmp_path / "runs", disk_floor_bytes=0)
    await runner.start("s-1/a", CommandSpec(argv=("/bin/cat", "/proc/self/oom_score_adj"), cwd="/"))
    assert isinstance(await runner.wait("s-1/a", 20), Finished)
    own = int(Path(f"/proc/{os.getpid()}/oom_score_adj").read_text())
    assert f"{max(own, 900)}\n" == (await asyncio.to_thread(runner.output, "s-1/a")).text
