"""The watchdog sees what is there, believes no command line, ends what is asked for, and goes on when looking fails."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from limits_places import SMALL

from longshift.adapters.limits.disk_watch import DiskWatch, FreeSpace
from longshift.adapters.limits.running_commands import RunningCommand, RunningCommands, memory_bytes
from longshift.adapters.limits.session_limits import SessionLimits
from longshift.adapters.limits.watchdog import Watchdog
from longshift.adapters.process.command_spec import CommandSpec
from longshift.adapters.process.run_state import Finished, Running
from longshift.adapters.process.runner import ProcessRunner

PLENTY = FreeSpace(1 << 50, None)
ROOMY = replace(SMALL, processes=100_000, memory_bytes=1 << 50, disk_bytes=1 << 50)


@pytest.fixture
async def runner(tmp_path: Path) -> AsyncIterator[ProcessRunner]:
    runner = ProcessRunner(tmp_path / "runs", disk_floor_bytes=0)
    yield runner
    await runner.kill_all("", "the test is over")


def command(script: str, group: str = "s-1") -> CommandSpec:
    env = {"PATH": "/usr/bin:/bin"}
    return CommandSpec(argv=("bash", "-c", script), cwd="/", env=env, group=group, grace_seconds=1.0)


def watchdog(
    runner: ProcessRunner, folder: Path, limits: SessionLimits, disk: DiskWatch | None = None, look_seconds: float = 0.1
) -> Watchdog:
    disk = disk or DiskWatch(folder / "workspaces", limits.disk_bytes, 0, free=lambda _: PLENTY)
    running = RunningCommands(folder / "runs")
    return Watchdog(runner, running, limits, None, disk, look_seconds=look_seconds, linger_seconds=30.0)


async def ended(runner: ProcessRunner, key: str) -> Finished:
    state = await runner.wait(key, 30)
    assert isinstance(state, Finished), state
    return state


async def seen(running: RunningCommands, session: str, count: int) -> dict[str, list[RunningCommand]]:
    """All sessions, as soon as this one has so many processes."""
    async with asyncio.timeout(30):
        while True:
            sessions = await asyncio.to_thread(running.by_session)
            if count == sum(len(each.processes) for each in sessions.get(session, [])):
                return sessions
            await asyncio.sleep(0.01)


async def test_commands_are_seen_with_all_that_they_started(runner: ProcessRunner, tmp_path: Path) -> None:
    await runner.start("s-1/a", command("sleep 60 & (setsid sleep 60 &); sleep 60; true"))
    await runner.start("s-2/a", command("sleep 60", "s-2"))
    await runner.start("nobody/a", command("sleep 60", ""))
    running = RunningCommands(tmp_path / "runs")
    sessions = await seen(running, "s-1", 4)
    assert {"s-1": ["s-1/a"], "s-2": ["s-2/a"]} == {
        name: [each.key for each in commands] for name, commands in sessions.items()
    }
    await runner.kill_all("", "enough")
    assert {} == await asyncio.to_thread(running.by_session)


async def test_a_command_that_calls_itself_anothers_supervisor_is_not_believed(
    runner: ProcessRunner, tmp_path: Path
) -> None:
    await runner.start("s-2/a", command("sleep 60", "s-2"))
    victim = tmp_path / "runs" / "s-2" / "a.run"
    forged = f"exec -a python bash -c 'sleep 60; true' -IS {victim}"
    await runner.start("s-1/a", command(forged))
    sessions = await seen(RunningCommands(tmp_path / "runs"), "s-1", 2)
    state = runner.state("s-2/a")
    assert isinstance(state, Running)
    assert [[state.pid]] == [[row.pid for row in each.processes] for each in sessions["s-2"]]


async def test_shared_memory_is_counted_once_before_a_command_is_ended(runner: ProcessRunner, tmp_path: Path) -> None:
    forks = """import os, time
held = bytearray(os.urandom(1_000_000)) * 50
for _ in range(5):
    if os.fork() == 0:
        time.sleep(60)
time.sleep(60)"""
    await runner.start("s-1/a", command(f"exec /usr/bin/python3 -c '{forks}'"))
    running = RunningCommands(tmp_path / "runs")
    [found] = (await seen(running, "s-1", 6))["s-1"]
    assert memory_bytes(found.processes, exactly=False) > 300_000_000
    assert 50_000_000 < memory_bytes(found.processes, exactly=True) < 120_000_000
    async with watchdog(runner, tmp_path, SMALL).on_watch():
        await asyncio.sleep(0.5)
        assert isinstance(await asyncio.to_thread(runner.state, "s-1/a"), Running)


async def test_the_largest_command_is_ended_and_the_others_go_on(runner: ProcessRunner, tmp_path: Path) -> None:
    many = "for i in $(seq 30); do sleep 60 & done; wait"
    await runner.start("s-1/few", command("sleep 60 & wait"))
    await runner.start("s-1/many", command(many))
    await runner.start("s-2/few", command("sleep 60", "s-2"))
    async with watchdog(runner, tmp_path, replace(ROOMY, processes=20)).on_watch():
        state = await ended(runner, "s-1/many")
    assert state.killed_reason is not None
    assert state.killed_reason.startswith("the session's commands had ")
    assert [Running, Running] == [type(runner.state(key)) for key in ("s-1/few", "s-2/few")]


async def test_what_ignores_the_request_is_killed(runner: ProcessRunner, tmp_path: Path) -> None:
    spec = command("trap '' TERM; for i in $(seq 30); do sleep 60 & done; while :; do wait; done")
    await runner.start("s-1/a", replace(spec, grace_seconds=20.0))
    async with watchdog(runner, tmp_path, replace(ROOMY, processes=20)).on_watch():
        state = await ended(runner, "s-1/a")
    assert (0, True) == (state.survivors, state.duration_seconds < 20)


async def test_it_sleeps_while_no_command_runs_and_wakes_for_the_next(runner: ProcessRunner, tmp_path: Path) -> None:
    looks: list[int] = []

    def free(folder: Path) -> FreeSpace:
        looks.append(len(looks))
        return PLENTY

    disk = DiskWatch(tmp_path / "workspaces", 1 << 50, 0, free=free)
    watching = watchdog(runner, tmp_path, replace(ROOMY, processes=20), disk)
    async with watching.on_watch():
        await asyncio.sleep(0.5)
        assert [] == looks
        watching.expect()
        await runner.start("s-1/a", command("for i in $(seq 30); do sleep 60 & done; wait"))
        assert (await ended(runner, "s-1/a")).killed_reason is not None


async def test_a_look_that_fails_is_not_the_last(runner: ProcessRunner, tmp_path: Path) -> None:
    failures = iter([OSError("no descriptors"), BlockingIOError("no processes")])

    def free(folder: Path) -> FreeSpace:
        for failure in failures:
            raise failure
        return FreeSpace(1, None)

    async def measure(folder: Path) -> int | None:
        return None

    await runner.start("s-1/a", command("sleep 60"))
    disk = DiskWatch(tmp_path / "workspaces", 1 << 50, 1_000, free=free, measure=measure)
    async with watchdog(runner, tmp_path, ROOMY, disk).on_watch():
        state = await ended(runner, "s-1/a")
    assert state.killed_reason is not None
    assert "the host's disk is nearly full (0 KB free, the floor is 1 KB)" in state.killed_reason


async def test_a_worker_that_stops_waits_for_no_command(runner: ProcessRunner, tmp_path: Path) -> None:
    await runner.start("s-1/a", command("trap '' TERM; for i in $(seq 30); do sleep 60 & done; sleep 60"))
    started = os.times().elapsed
    async with watchdog(runner, tmp_path, replace(ROOMY, processes=20), look_seconds=5.0).on_watch():
        await asyncio.sleep(0.5)
    assert os.times().elapsed - started < 5
