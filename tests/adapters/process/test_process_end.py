"""Time-outs, kills, and what a command leaves running."""

import os
import signal
from pathlib import Path

from process_commands import is_running, record, shell, until

from longshift.adapters.process.run_state import Finished, Lost
from longshift.adapters.process.runner import ProcessRunner


async def test_a_time_out_ends_the_whole_group_and_daemons(runner: ProcessRunner, tmp_path: Path) -> None:
    script = "echo $$ >> pids; sleep 60 & echo $! >> pids; setsid sleep 60 & echo $! >> pids; touch up; wait"
    await runner.start("t/1", shell(script, tmp_path, timeout_seconds=0.3))
    state = await runner.wait("t/1")
    assert isinstance(state, Finished)
    assert (None, signal.SIGTERM, True, 0) == (state.exit_code, state.signal, state.timed_out, state.survivors)
    pids = [int(line) for line in (tmp_path / "pids").read_text().split()]
    assert [False] * 3 == [is_running(pid) for pid in pids]


async def test_a_group_that_ignores_sigterm_is_killed_after_its_grace(runner: ProcessRunner, tmp_path: Path) -> None:
    script = "trap '' TERM; (trap '' TERM; while :; do sleep 1; done) & echo $! > pid; while :; do sleep 1; done"
    await runner.start("t/1", shell(script, tmp_path, timeout_seconds=0.2, grace_seconds=0.3))
    state = await runner.wait("t/1")
    assert isinstance(state, Finished)
    assert (signal.SIGKILL, True) == (state.signal, state.timed_out)
    assert state.duration_seconds >= 0.5
    assert not is_running(int((tmp_path / "pid").read_text()))


async def test_sigterm_is_sent_once_and_its_handler_may_finish(runner: ProcessRunner, tmp_path: Path) -> None:
    script = "trap 'echo term; sleep 0.1; echo tidied; exit 9' TERM; touch up; while :; do sleep 0.02; done"
    await runner.start("t/1", shell(script, tmp_path))
    await until((tmp_path / "up").exists)
    state = await runner.kill("t/1", "a person said so")
    assert isinstance(state, Finished)
    assert (9, None, False, "a person said so") == (
        state.exit_code,
        state.signal,
        state.timed_out,
        state.killed_reason,
    )
    text = runner.output("t/1").text
    assert (1, 1) == (text.count("term\n"), text.count("tidied\n"))


async def test_a_stopped_command_can_be_killed(runner: ProcessRunner, tmp_path: Path) -> None:
    await runner.start("t/1", shell("touch up; kill -STOP $$", tmp_path))
    await until((tmp_path / "up").exists)
    state = await runner.kill("t/1", "stopped")
    assert isinstance(state, Finished)
    assert signal.SIGTERM == state.signal


async def test_a_daemon_dies_with_the_command_that_left_it(runner: ProcessRunner, tmp_path: Path) -> None:
    script = "setsid nohup bash -c 'echo $$ > pid; trap \"\" TERM; while :; do sleep 1; done' & "
    script += "while [ ! -s pid ]; do sleep 0.02; done"
    await runner.start("t/1", shell(script, tmp_path, background=True))
    state = await runner.wait("t/1")
    assert isinstance(state, Finished)
    assert (0, 0) == (state.exit_code, state.survivors)
    assert not is_running(int((tmp_path / "pid").read_text()))


async def test_a_kill_file_alone_is_enough(runner: ProcessRunner, runs_dir: Path) -> None:
    await runner.start("t/1", shell("sleep 60"))
    (runs_dir / "t" / "1.run" / "kill").write_text("from afar")
    state = await runner.wait("t/1")
    assert isinstance(state, Finished)
    assert "from afar" == state.killed_reason


async def test_the_first_reason_stays_and_a_long_one_fits(runner: ProcessRunner) -> None:
    await runner.start("t/1", shell("sleep 60"))
    first = await runner.kill("t/1", "𝒲" * 5_000)
    assert isinstance(first, Finished)
    assert "𝒲" * 500 == first.killed_reason
    assert first == await runner.kill("t/1", "another")


async def test_kill_all_ends_one_task_and_no_other(runner: ProcessRunner) -> None:
    for key in ("a/lead/s1", "a/item/s1", "b/lead/s1"):
        await runner.start(key, shell("sleep 60"))
    await runner.start("a/lead/s0", shell("true"))
    await runner.wait("a/lead/s0")
    assert 2 == await runner.kill_all("a", "the task was cancelled")
    assert {"Finished"} == {type(runner.state(key)).__name__ for key in runner.keys("a")}
    assert ["Running"] == [type(runner.state(key)).__name__ for key in runner.keys("b")]


async def test_a_supervisor_that_hangs_does_not_keep_a_run_alive(runs_dir: Path, tmp_path: Path) -> None:
    runner = ProcessRunner(runs_dir, disk_floor_bytes=0, kill_margin_seconds=0.1)
    await runner.start("t/1", shell("echo $$ > pid; sleep 60", tmp_path, grace_seconds=0.1))
    await until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    os.kill(record(runs_dir / "t" / "1.run", "started.json")["supervisor_pid"], signal.SIGSTOP)
    state = await ProcessRunner(runs_dir, kill_margin_seconds=0.1).kill("t/1", "now")
    assert isinstance(state, Lost)
    assert not is_running(int((tmp_path / "pid").read_text()))
