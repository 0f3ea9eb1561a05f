"""Starting, attaching, listing, removing."""

import asyncio
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from process_commands import shell, supervisors_of, text_of, until

from longshift.adapters.process.command_spec import CommandSpec
from longshift.adapters.process.run_state import Finished, NotStarted, Running
from longshift.adapters.process.run_tree import RunTree
from longshift.adapters.process.runner import ProcessRunner
from longshift.contracts.errors import DiskFull, HostError


async def test_exit_code_and_merged_output_are_kept_in_order(runner: ProcessRunner) -> None:
    await runner.start("t/lead/s1-0", shell("for i in 1 2 3; do echo out $i; echo err $i >&2; done; exit 3"))
    state = await runner.wait("t/lead/s1-0")
    assert isinstance(state, Finished)
    assert (3, None, False, None, None) == (
        state.exit_code,
        state.signal,
        state.timed_out,
        state.killed_reason,
        state.io_errno,
    )
    output = runner.output("t/lead/s1-0")
    assert "out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n" == output.text
    assert (36, 0, 36) == (output.total_bytes, output.omitted_bytes, state.total_bytes)
    assert output.text.encode() == output.path.read_bytes()


async def test_death_by_a_signal_is_not_an_exit_code(runner: ProcessRunner) -> None:
    await runner.start("t/1", shell("kill -SEGV $$"))
    state = await runner.wait("t/1")
    assert isinstance(state, Finished)
    assert (None, 11) == (state.exit_code, state.signal)


async def test_nothing_of_the_workers_environment_reaches_command_or_supervisor(
    runner: ProcessRunner, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LONGSHIFT_SECRET", "hush")
    monkeypatch.setenv("SOME_API_KEY", "hush")
    spec = CommandSpec(argv=("env",), cwd="/", env={"PATH": "/usr/bin:/bin", "GIVEN": "yes"})
    await runner.start("t/1", spec)
    await runner.wait("t/1")
    names = {line.partition("=")[0] for line in runner.output("t/1").text.splitlines()}
    assert {"PATH", "GIVEN", "SUPERVISED_RUN"} == names
    await runner.start("t/2", shell("sleep 60"))
    (supervisor,) = supervisors_of(runs_dir / "t" / "2.run")
    assert "hush" not in text_of(f"/proc/{supervisor}/environ")


async def test_stdin_is_empty_and_signals_are_at_their_defaults(runner: ProcessRunner) -> None:
    await runner.start("t/1", shell("cat; grep -E 'SigBlk|SigIgn' /proc/self/status"))
    await runner.wait("t/1")
    masks = {
        name: int(mask, 16) for name, mask in (line.split(":\t") for line in runner.output("t/1").text.splitlines())
    }
    # Signals 32 and 33 are the C library's own; nobody can set them back.
    assert {"SigBlk": 0, "SigIgn": 0} == {name: mask & ~(0b11 << 31) for name, mask in masks.items()}


async def test_no_descriptor_of_the_supervisor_reaches_the_command(runner: ProcessRunner) -> None:
    await runner.start("t/1", CommandSpec(argv=("ls", "/proc/self/fd"), cwd="/", env={"PATH": "/usr/bin:/bin"}))
    await runner.wait("t/1")
    assert "0\n1\n2\n3\n" == runner.output("t/1").text, "3 is the folder that ls reads"


async def test_a_command_that_cannot_be_run_exits_127_and_says_why(runner: ProcessRunner) -> None:
    await runner.start("t/1", CommandSpec(argv=("/no/such/program",), cwd="/"))
    await runner.start("t/2", shell("echo never", cwd="/no/such/folder"))
    await runner.start("t/3", CommandSpec(argv=("echo", "a\0b"), cwd="/", env={"PATH": "/bin"}))
    states = [await runner.wait(f"t/{number}") for number in (1, 2, 3)]
    assert [127, 127, 127] == [state.exit_code for state in states if isinstance(state, Finished)]
    assert "cannot run '/no/such/program': No such file or directory\n" == runner.output("t/1").text
    assert "cannot enter the working directory /no/such/folder: No such file or directory\n" == (
        runner.output("t/2").text
    )
    assert "cannot run 'echo': embedded null byte\n" == runner.output("t/3").text


async def test_a_second_start_attaches_and_its_command_is_ignored(runner: ProcessRunner, tmp_path: Path) -> None:
    await runner.start("t/1", shell("echo first >> ran; while [ ! -e go ]; do sleep 0.02; done", tmp_path))
    assert isinstance(await runner.start("t/1", shell("echo second >> ran", tmp_path)), Running)
    (tmp_path / "go").touch()
    assert isinstance(await runner.wait("t/1"), Finished)
    assert isinstance(await runner.start("t/1", shell("echo third >> ran", tmp_path)), Finished)
    assert "first\n" == (tmp_path / "ran").read_text()
    spec = runner.spec("t/1")
    assert spec is not None
    assert "echo first" in spec.argv[2]


async def test_twenty_starts_at_once_are_one_run(runs_dir: Path, tmp_path: Path) -> None:
    runners = [ProcessRunner(runs_dir, disk_floor_bytes=0) for _ in range(20)]
    script = "echo ran >> ran; while [ ! -e go ]; do sleep 0.02; done"
    states = await asyncio.gather(*(runner.start("t/1", shell(script, tmp_path)) for runner in runners))
    assert {Running} == {type(state) for state in states}
    assert 1 == len(set(states))
    await until((tmp_path / "ran").exists)
    (tmp_path / "go").touch()
    ends = await asyncio.gather(*(runner.wait("t/1") for runner in runners))
    assert 1 == len(set(ends))
    assert "ran\n" == (tmp_path / "ran").read_text()


async def test_waiting_takes_no_thread_and_ends_at_its_time_out(runner: ProcessRunner) -> None:
    await runner.start("t/1", shell("sleep 60"))
    threads = threading.active_count()
    states = await asyncio.gather(*(runner.wait("t/1", 0.05) for _ in range(20)))
    assert {Running} == {type(state) for state in states}
    assert threads == threading.active_count()


async def test_waiting_for_what_was_never_started_returns_at_once(runner: ProcessRunner) -> None:
    assert NotStarted(is_claimed=False) == await runner.wait("t/1")
    assert NotStarted(is_claimed=False) == await runner.kill("t/1", "no reason")
    assert "" == runner.output("t/1").text


async def test_a_claim_whose_supervisor_never_came_is_started(runner: ProcessRunner, runs_dir: Path) -> None:
    RunTree(runs_dir, 0).run("t/1").claim(shell("echo as claimed"))
    assert NotStarted(is_claimed=True) == runner.state("t/1")
    await runner.start("t/1", shell("echo as started"))
    await runner.wait("t/1")
    assert "as claimed\n" == runner.output("t/1").text


async def test_a_start_that_is_cancelled_leaves_its_claim_to_be_killed(runner: ProcessRunner, tmp_path: Path) -> None:
    starting = asyncio.create_task(runner.start("t/1", shell("sleep 60; touch ran", tmp_path)))
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    state = await runner.kill("t/1", "the call was cancelled")
    assert isinstance(state, Finished)
    assert "the call was cancelled" == state.killed_reason


async def test_a_claim_that_was_killed_never_runs(runner: ProcessRunner, runs_dir: Path, tmp_path: Path) -> None:
    RunTree(runs_dir, 0).run("t/1").claim(shell("touch ran", tmp_path))
    assert NotStarted(is_claimed=True) == await runner.kill("t/1", "changed my mind")
    await runner.start("t/1", shell("touch ran", tmp_path))
    state = await runner.wait("t/1")
    assert isinstance(state, Finished)
    assert (None, None, "changed my mind") == (state.exit_code, state.signal, state.killed_reason)
    assert not (tmp_path / "ran").exists()


async def test_below_the_floor_nothing_is_claimed(runs_dir: Path) -> None:
    runner = ProcessRunner(runs_dir, disk_floor_bytes=10**18)
    with pytest.raises(DiskFull, match=rf"{runs_dir} has \d+ bytes free, the floor is {10**18} .*free space"):
        await runner.start("t/1", shell("echo no"))
    assert NotStarted(is_claimed=False) == runner.state("t/1")


async def test_a_missing_interpreter_is_a_failure_of_the_host(runs_dir: Path) -> None:
    runner = ProcessRunner(runs_dir, disk_floor_bytes=0, python="/no/such/python")
    with pytest.raises(HostError, match="/no/such/python"):
        await runner.start("t/1", shell("echo no"))
    assert NotStarted(is_claimed=True) == runner.state("t/1")


async def test_a_supervisor_that_always_dies_is_a_failure_of_the_host(runs_dir: Path) -> None:
    runner = ProcessRunner(runs_dir, disk_floor_bytes=0, python="/bin/false")
    with pytest.raises(HostError, match="3 times: it died without a word"):
        await runner.start("t/1", shell("echo no"))


@pytest.mark.parametrize(
    "key", ["", "/", "..", "t/../u", "t//u", ".trash/x", "t/x.run", "t/\n", "t/a b", "t/" + "x" * 200]
)
def test_a_key_stays_inside_the_folder(runs_dir: Path, key: str) -> None:
    with pytest.raises(ValueError, match="not the key of a run"):
        ProcessRunner(runs_dir).state(key)


async def test_a_prefix_stands_for_whole_parts(runner: ProcessRunner) -> None:
    for key in ("task-1/lead", "task-1/lead/s1", "task-10/lead/s1"):
        await runner.start(key, shell("true"))
    assert ["task-1/lead", "task-1/lead/s1"] == runner.keys("task-1")
    assert ["task-1/lead", "task-1/lead/s1"] == runner.keys("task-1/lead/")
    assert ["task-1/lead", "task-1/lead/s1", "task-10/lead/s1"] == runner.keys()
    assert [] == runner.keys("task-2")


async def test_cleanup_removes_ended_runs_only(runner: ProcessRunner, runs_dir: Path) -> None:
    await runner.start("a/ended", shell("true"))
    await runner.start("a/running", shell("sleep 60"))
    await runner.start("b/ended", shell("true"))
    await asyncio.gather(runner.wait("a/ended"), runner.wait("b/ended"))
    assert (1, 1, 0) == (runner.cleanup("a"), runner.cleanup("b"), runner.cleanup("b"))
    assert ["a/running"] == runner.keys()
    assert NotStarted(is_claimed=False) == runner.state("a/ended")
    assert [".trash", "a"] == sorted(os.listdir(runs_dir))
    assert [] == os.listdir(runs_dir / ".trash")


async def test_progress_counts_output_and_time(runner: ProcessRunner, tmp_path: Path) -> None:
    await runner.start("t/1", shell("head -c 5000 /dev/zero; touch done; sleep 60", tmp_path, head_bytes=1_000))
    await until((tmp_path / "done").exists)
    await until(lambda: runner.progress("t/1").total_bytes == 5_000)
    running_seconds = runner.progress("t/1").running_seconds
    assert running_seconds > 0
    state = await runner.kill("t/1", "enough")
    assert isinstance(state, Finished)
    assert state.duration_seconds == runner.progress("t/1").running_seconds
    assert running_seconds < state.duration_seconds


async def test_a_secret_reaches_the_command_and_nothing_that_others_can_read(
    runner: ProcessRunner, runs_dir: Path
) -> None:
    value = "hunter2-hunter2"
    spec = replace(shell('echo "${#TOKEN} $TOKEN"; sleep 60'), secret_env={"TOKEN": value, "OTHER": "line\nend"})
    assert value not in f"{spec!r}{spec.to_json()!r}"
    await runner.start("t/1", spec)
    await until(lambda: runner.output("t/1").text)
    assert f"{len(value)} {value}\n" == runner.output("t/1").text
    (supervisor,) = supervisors_of(runs_dir / "t" / "1.run")
    places = [f"/proc/{supervisor}/{name}" for name in ("environ", "cmdline", "stat", "status")]
    kept = [path for path in (runs_dir / "t" / "1.run").iterdir() if path.name != "output.txt"]
    assert [] == [place for place in [*places, *kept] if value in text_of(place)]
    claimed = runner.spec("t/1")
    assert claimed is not None
    assert {} == claimed.secret_env


async def test_a_supervisor_with_secrets_shows_its_memory_to_nobody_but_root(
    runner: ProcessRunner, runs_dir: Path
) -> None:
    await runner.start("t/1", replace(shell("sleep 60"), secret_env={"TOKEN": "hunter2-hunter2"}))
    await runner.start("t/2", shell("sleep 60"))
    owners: list[int] = []
    for name in ("1", "2"):
        (supervisor,) = supervisors_of(runs_dir / "t" / f"{name}.run")
        owners.append(os.stat(f"/proc/{supervisor}/mem").st_uid)  # a path would be no shorter
    assert [0, os.getuid()] == owners


async def test_output_is_cleaned_before_it_is_cut_and_can_be_forgotten(runs_dir: Path) -> None:
    value = "hunter2-hunter2"
    runner = ProcessRunner(runs_dir, disk_floor_bytes=0, clean=lambda text: text.replace(value, "[redacted]"))
    await runner.start("t/1", shell(f"for i in $(seq 400); do printf 'abc{value}'; done"))
    await runner.wait("t/1")
    for limit in range(100, 130):
        assert "hunter" not in runner.output("t/1", limit).text
    runner.forget_output("t/1")
    assert ("", Finished) == (runner.output("t/1").text.partition("\n")[0], type(runner.state("t/1")))
