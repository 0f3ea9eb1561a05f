"""Workers, supervisors and hosts that die."""

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from process_commands import is_running, program, record, shell, spawn, supervisors_of, text_of, until

from longshift.adapters.process.launch import supervisor_command
from longshift.adapters.process.run_state import Finished, Lost, NotStarted, Running
from longshift.adapters.process.run_tree import RunTree
from longshift.adapters.process.runner import ProcessRunner


@pytest.mark.parametrize("whole_group", [False, True])
async def test_a_command_outlives_its_worker_and_is_attached_to(
    runner: ProcessRunner, runs_dir: Path, tmp_path: Path, whole_group: bool
) -> None:
    script = f"cd {tmp_path}; echo x >> ran; echo before; while [ ! -e go ]; do sleep 0.02; done; echo after; exit 4"
    command = program(str(runs_dir), "t/1", script)
    with spawn(command, stdout=subprocess.PIPE, start_new_session=True) as worker:
        assert worker.stdout is not None
        assert b"started\n" == await asyncio.to_thread(worker.stdout.readline)
        await until((tmp_path / "ran").exists)
        (os.killpg if whole_group else os.kill)(worker.pid, signal.SIGKILL)
    assert isinstance(await runner.start("t/1", shell("echo never")), Running)
    (tmp_path / "go").touch()
    state = await runner.wait("t/1")
    assert isinstance(state, Finished)
    assert (4, "before\nafter\n", "x\n") == (
        state.exit_code,
        runner.output("t/1").text,
        (tmp_path / "ran").read_text(),
    )


async def start_with_daemon(runner: ProcessRunner, tmp_path: Path) -> list[int]:
    """Start a command with a child and a daemon in a session of its own; gives the three pids."""
    script = "echo $$ > a; sleep 60 & echo $! > b; setsid sleep 60 & echo $! > c; mv c d; wait"
    await runner.start("t/1", shell(script, tmp_path))
    await until((tmp_path / "d").exists)
    return [int((tmp_path / name).read_text()) for name in "abd"]


async def test_a_dead_supervisor_is_a_lost_run_and_its_orphans_are_killed(
    runner: ProcessRunner, runs_dir: Path, tmp_path: Path
) -> None:
    pids = await start_with_daemon(runner, tmp_path)
    started = record(runs_dir / "t" / "1.run", "started.json")
    waiting = asyncio.create_task(runner.wait("t/1"))
    await asyncio.sleep(0)
    os.kill(started["supervisor_pid"], signal.SIGKILL)
    state = await waiting
    assert Lost("its supervisor died while the command ran; what it left running was killed") == state
    assert [False] * 3 == [is_running(pid) for pid in pids]
    assert state == await runner.start("t/1", shell("echo never")) == await runner.kill("t/1", "late")
    assert state == ProcessRunner(runs_dir).state("t/1")


async def test_lost_is_final_even_when_the_supervisors_pid_lives_again(
    runner: ProcessRunner, runs_dir: Path, tmp_path: Path
) -> None:
    run = runs_dir / "t" / "1.run"
    await start_with_daemon(runner, tmp_path)
    os.kill(record(run, "started.json")["supervisor_pid"], signal.SIGKILL)
    lost = await runner.wait("t/1")
    assert isinstance(lost, Lost)
    with spawn(supervisor_command("python3", RunTree(runs_dir, 0).run("t/1"))) as starter:
        assert 0 == starter.wait(), "a supervisor that comes late ends without a word"
    await until(lambda: not supervisors_of(run))
    assert lost == runner.state("t/1")


def claim_as_started(runs_dir: Path, **changes: Any) -> Path:
    """A run that was started by a supervisor that is gone."""
    directory = RunTree(runs_dir, 0).run("t/1")
    directory.claim(shell("true"))
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    started = {
        "pid": 1,
        "starttime": 0,
        "supervisor_pid": 1,
        "supervisor_starttime": 0,
        "boot_id": boot_id,
        "boot_seconds": 0.0,
        "nonce": "0" * 32,
    }
    (directory.path / "started.json").write_text(json.dumps({**started, **changes}))
    (directory.path / "lock").touch()
    return directory.path


def test_a_restarted_host_is_a_lost_run(runs_dir: Path) -> None:
    claim_as_started(runs_dir, boot_id="00000000-0000-0000-0000-000000000000")
    assert Lost("the host was restarted while the command ran") == ProcessRunner(runs_dir).state("t/1")


async def test_another_process_with_the_old_pid_is_neither_running_nor_killed(runs_dir: Path) -> None:
    with spawn(["sleep", "60"]) as stranger:
        claim_as_started(runs_dir, pid=stranger.pid, starttime=1, supervisor_pid=stranger.pid, supervisor_starttime=1)
        runner = ProcessRunner(runs_dir)
        assert isinstance(await runner.wait("t/1"), Lost)
        assert is_running(stranger.pid)
        stranger.kill()


def test_an_orphan_is_found_by_pid_and_start_time(runs_dir: Path) -> None:
    with subprocess.Popen(["sleep", "60"], env={}) as orphan:
        starttime = int(Path(f"/proc/{orphan.pid}/stat").read_bytes().rpartition(b")")[2].split()[19])
        claim_as_started(runs_dir, pid=orphan.pid, starttime=starttime)
        assert isinstance(ProcessRunner(runs_dir).state("t/1"), Lost)
        assert -signal.SIGKILL == orphan.wait()


@pytest.mark.slow
async def test_supervisors_killed_at_random_never_run_a_command_twice(runs_dir: Path, tmp_path: Path) -> None:
    seeded = random.Random(20)
    numbers = iter(range(240))
    kills: Counter[str] = Counter()

    async def kill_many() -> None:
        for number in numbers:
            landmark = ("", "lock", "output.txt", "started.json")[number % 4]
            delay_seconds = seeded.uniform(0, 0.03 if landmark else 0.09)
            effect = tmp_path / f"ran-{number}"
            end, was_killed = await kill_once(runs_dir, f"t/{number}", effect, landmark, delay_seconds)
            kills[end] += was_killed
            if kills.total() >= 64:
                return

    await asyncio.gather(*(kill_many() for _ in range(3)))
    assert kills.total() >= 64
    assert {"NotStarted", "Lost", "Finished"} >= kills.keys()


async def kill_once(runs_dir: Path, key: str, effect: Path, landmark: str, delay_seconds: float) -> tuple[str, bool]:
    """Kill a run's supervisor some time after a file appears, check the promise, start again, check it again."""
    directory = RunTree(runs_dir, 0).run(key)
    directory.claim(shell(f"echo ran >> {effect}; sleep 0.02; exit 5"))
    runner = ProcessRunner(runs_dir, disk_floor_bytes=0)
    command = supervisor_command("python3", directory)
    with spawn(command, stdout=subprocess.DEVNULL) as starter:
        await until((directory.path / landmark).exists)
        await asyncio.sleep(delay_seconds)
        targets = supervisors_of(directory.path, starter.pid)
        for pid in targets:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await asyncio.to_thread(starter.wait)
    await until(lambda: not supervisors_of(directory.path))
    state = await runner.wait(key)  # a killed process may take a moment to let go of its lock
    times = text_of(effect).count("ran")
    if isinstance(state, NotStarted):
        assert 0 == times
        await runner.start(key, shell("echo never"))
        again = await runner.wait(key)
        assert isinstance(again, Finished)
        assert (5, "ran\n") == (again.exit_code, text_of(effect))
    elif isinstance(state, Lost):
        assert times <= 1
        assert state == await runner.start(key, shell("echo never"))
    else:
        assert isinstance(state, Finished)
        assert (5, 1) == (state.exit_code, times)
    return type(state).__name__, bool(targets)
