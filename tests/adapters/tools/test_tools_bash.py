"""`bash`, `bash_output` and `bash_kill`, on real processes."""

import asyncio
import contextlib
import json
import os
import re
import signal
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tools_workshop import Workshop

from longshift.adapters.process.run_state import Finished, Running
from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.sandbox.none import NoSandbox
from longshift.adapters.tools.endings import ending
from longshift.adapters.tools.ripgrep import find_ripgrep
from longshift.adapters.tools.toolbox import Toolbox
from longshift.contracts import ids
from longshift.contracts.errors import DiskFull, HostError
from longshift.contracts.tools import BashArguments, GrepArguments, ToolStatus
from tests.sandboxing import bubblewrap, requires_bubblewrap


async def _until(path: Path) -> None:
    """Wait until a command has come as far as creating `path`; the test's own time limit ends it otherwise."""
    while not path.exists():  # noqa: ASYNC110 - another process cannot set an event here
        await asyncio.sleep(0.01)


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


async def test_output_and_exit_code_are_the_result(workshop: Workshop) -> None:
    outcome = await workshop.call("bash", command="echo out; echo err >&2; pwd")
    assert f"out\nerr\n{workshop.root}\n[exit code 0]" == outcome.text
    assert (ToolStatus.OK, True) == (outcome.status, outcome.changes_workspace)
    assert "echo out; echo err >&2; pwd: exit code 0" == outcome.summary


async def test_a_failing_command_is_an_error_value(workshop: Workshop) -> None:
    outcome = await workshop.call("bash", command="exit 3")
    assert (ToolStatus.ERROR, "(no output)\n[exit code 3]") == (outcome.status, outcome.text)


async def test_the_shell_is_fresh_and_its_home_is_the_agents(workshop: Workshop) -> None:
    await workshop.call("bash", command="cd /; export X=1; echo kept > ~/note")
    text = (await workshop.call("bash", command='echo "[$X]"; cat ~/note; pwd')).text
    assert f"[]\nkept\n{workshop.root}\n[exit code 0]" == text
    assert "kept\n" == (workshop.folder / "home" / "note").read_text()


async def test_long_output_keeps_head_and_tail_and_names_the_whole(workshop: Workshop) -> None:
    text = (await workshop.call("bash", command="seq 100000", index=1)).text
    path = workshop.runner.output(workshop.context(1).run_key).path
    assert len(text) < 30_500
    assert text.startswith("1\n2\n")
    assert text.endswith("\n100000\n[exit code 0]")
    assert str(path) in text
    assert "100000" == path.read_text().split()[-1]


async def test_a_timeout_kills_the_whole_process_group(workshop: Workshop) -> None:
    command = "while :; do echo . >> beats; sleep 0.02; done & sleep 600"
    outcome = await workshop.call("bash", command=command, timeout_seconds=0.5)
    assert ToolStatus.ERROR == outcome.status
    assert "(no output)\n[timed out after 0.5 s: the whole process group was killed]" == outcome.text
    beats = (workshop.root / "beats").read_bytes()
    await asyncio.sleep(0.2)
    assert beats == (workshop.root / "beats").read_bytes()


async def test_a_signal_is_named(workshop: Workshop) -> None:
    # A sandbox says so by its own exit code.
    ended = r"\(no output\)\n\[(ended by SIGKILL|exit code 137 \(killed by SIGKILL.*)\]"
    assert re.fullmatch(ended, (await workshop.call("bash", command="kill -9 $$")).text)


async def test_a_timeout_is_heard_by_the_command_before_it_is_killed(workshop: Workshop) -> None:
    command = "trap 'echo heard; exit 3' TERM; while :; do sleep 0.05; done"
    outcome = await workshop.call("bash", command=command, timeout_seconds=1)
    assert outcome.text.endswith("heard\n[timed out after 1 s: the whole process group was killed]")


@requires_bubblewrap()
async def test_a_sandbox_that_cannot_be_entered_is_no_result_for_the_model(workshop: Workshop) -> None:
    place = workshop.folder / "data"
    gone = replace(bubblewrap(place), executable="/nonexistent/bwrap")
    toolbox = Toolbox(workshop.runner, gone, ripgrep=find_ripgrep())
    for name, arguments in (("bash", BashArguments(command="true")), ("grep", GrepArguments(pattern="x"))):
        with pytest.raises(HostError, match="/nonexistent/bwrap"):
            await toolbox.run(
                name, arguments, workshop.context(1), patience_seconds=None, on_progress=workshop.progress.append
            )


@requires_bubblewrap()
async def test_the_sandbox_dies_with_its_supervisor_and_the_outcome_is_unknown(workshop: Workshop) -> None:
    seconds = f"600.{uuid.uuid4().int % 10**9:09}"
    call = asyncio.create_task(workshop.call("bash", command=f"touch began; sleep {seconds}", index=1))
    while not running(seconds):  # noqa: ASYNC110 - another process cannot set an event here
        await asyncio.sleep(0.05)
    started = next((workshop.folder / "runs").rglob("started.json"))
    os.kill(json.loads(started.read_text())["supervisor_pid"], signal.SIGKILL)
    outcome = await call
    assert (ToolStatus.LOST, []) == (outcome.status, running(seconds))


def running(argument: str) -> list[int]:
    """Processes of the host that have this argument, whatever namespace they are in."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
            if words[:2] == [b"sleep", argument.encode()]:
                found.append(int(entry.name))
    return found


@pytest.mark.parametrize("command", ["echo \x00", "echo a\x00b"])
async def test_a_nul_in_a_command_is_refused(workshop: Workshop, command: str) -> None:
    outcome = await workshop.call("bash", command=command)
    assert (ToolStatus.ERROR, True) == (outcome.status, "NUL" in outcome.text)


async def test_a_repeated_call_has_the_same_result_and_no_second_effect(new_workshop: Callable[[], Workshop]) -> None:
    before, after = new_workshop(), new_workshop()
    first = await before.call("bash", command="echo line >> log; cat log", index=1)
    second = await after.call("bash", command="echo line >> log; cat log", index=1)
    assert first == second
    assert "line\n" == (before.root / "log").read_text()


async def test_patience_ends_the_wait_and_not_the_command(workshop: Workshop) -> None:
    command = "until [ -e go ]; do sleep 0.02; done; echo done >> log; cat log"
    first = await workshop.call("bash", command=command, index=1, patience_seconds=0.0)
    assert ToolStatus.RUNNING == first.status
    workshop.write("go", "")
    second = await workshop.call("bash", command=command, index=1)
    assert (ToolStatus.OK, "done\n[exit code 0]") == (second.status, second.text)


async def test_a_command_within_patience_is_answered_at_once(workshop: Workshop) -> None:
    assert ToolStatus.OK == (await workshop.call("bash", command="true", patience_seconds=30)).status


async def test_cancelling_the_call_leaves_the_command_running(workshop: Workshop) -> None:
    command = "touch started; until [ -e go ]; do sleep 0.02; done; echo done"
    task = asyncio.create_task(workshop.call("bash", command=command, index=1))
    await _until(workshop.root / "started")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert isinstance(workshop.runner.state(workshop.context(1).run_key), Running)
    workshop.write("go", "")
    assert "done\n[exit code 0]" == (await workshop.call("bash", command=command, index=1)).text


async def test_kill_ends_the_command_of_a_call(workshop: Workshop) -> None:
    command = "touch started; sleep 600"
    task = asyncio.create_task(workshop.call("bash", command=command, index=1))
    await _until(workshop.root / "started")
    await workshop.toolbox.kill(workshop.context(1))
    outcome = await task
    assert (ToolStatus.ERROR, "(no output)\n[killed: the call was cancelled]") == (outcome.status, outcome.text)


async def test_kill_of_a_call_that_started_nothing_does_nothing(workshop: Workshop) -> None:
    await workshop.toolbox.kill(workshop.context(1))
    assert [] == workshop.runner.keys()


async def test_a_lost_command_is_reported_as_unknown_and_never_run_again(workshop: Workshop) -> None:
    command = "echo effect | tee -a log; touch started; sleep 600"
    await workshop.call("bash", command=command, index=1, patience_seconds=0.0)
    await _until(workshop.root / "started")
    state = workshop.runner.state(workshop.context(1).run_key)
    assert isinstance(state, Running)
    os.kill(_parent(state.pid), signal.SIGKILL)
    for _ in range(2):
        outcome = await workshop.call("bash", command=command, index=1)
        assert ToolStatus.LOST == outcome.status
        assert outcome.text.startswith("The command's outcome is unknown: ")
        assert "Inspect the state of the workspace before repeating it.\nIts output up to then:\neffect" in outcome.text
    assert "effect\n" == (workshop.root / "log").read_text()


async def test_a_long_wait_gives_signs_of_life(workshop: Workshop) -> None:
    command = "head -c 4100 /dev/zero | tr '\\0' x; until [ -e go ]; do sleep 0.02; done"

    def end_it(sign: str) -> None:
        workshop.progress.append(sign)
        workshop.write("go", "")

    await workshop.toolbox.run(
        "bash", BashArguments(command=command), workshop.context(1), patience_seconds=None, on_progress=end_it
    )
    assert ["1 s, 4.1 KB output"] == workshop.progress


async def test_a_full_disk_passes_through(workshop: Workshop) -> None:
    runner = ProcessRunner(workshop.folder / "runs", disk_floor_bytes=1 << 62)
    toolbox = Toolbox(runner, NoSandbox(), ripgrep=find_ripgrep())
    arguments = BashArguments(command="true")
    with pytest.raises(DiskFull):
        await toolbox.run(
            "bash", arguments, workshop.context(1), patience_seconds=None, on_progress=workshop.progress.append
        )


async def test_a_background_job_survives_its_call(workshop: Workshop) -> None:
    command = "echo begun; touch started; until [ -e go ]; do sleep 0.02; done; echo done; exit 4"
    started = await workshop.call("bash", command=command, index=2, background=True, timeout_seconds=900)
    assert "Started in the background as job-1-2; it is killed after 900 s. " in started.text
    assert (ToolStatus.OK, True) == (started.status, started.changes_workspace)
    await _until(workshop.root / "started")
    running = await workshop.call("bash_output", job="job-1-2")
    assert (ToolStatus.OK, True) == (running.status, running.text.startswith("begun\n[job-1-2 running for "))
    assert running.text.endswith(" s, 6 bytes of output so far]")
    assert ("", False) == (running.ended_job, running.ended_ok)
    workshop.write("go", "")
    ended = await workshop.call("bash_output", job="job-1-2", wait_seconds=60)
    assert (ToolStatus.OK, "begun\ndone\n[job-1-2 ended: exit code 4]") == (ended.status, ended.text)
    assert ("job-1-2", False) == (ended.ended_job, ended.ended_ok)


async def test_starting_a_job_again_attaches_to_it(new_workshop: Callable[[], Workshop]) -> None:
    workshop = new_workshop()
    first = await workshop.call("bash", command="echo line >> log", index=2, background=True)
    await workshop.call("bash_output", job="job-1-2", wait_seconds=60)
    second = await new_workshop().call("bash", command="echo line >> log", index=2, background=True)
    assert first == second
    assert "line\n" == (workshop.root / "log").read_text()


async def test_a_quick_look_at_a_job_is_continued_by_a_patient_one(workshop: Workshop) -> None:
    await workshop.call("bash", command="until [ -e go ]; do sleep 0.02; done", index=2, background=True)
    quick = await workshop.call("bash_output", job="job-1-2", wait_seconds=60, patience_seconds=0.0)
    assert ToolStatus.RUNNING == quick.status
    workshop.write("go", "")
    patient = await workshop.call("bash_output", job="job-1-2", wait_seconds=60)
    assert "(no output)\n[job-1-2 ended: exit code 0]" == patient.text
    assert ("job-1-2", True) == (patient.ended_job, patient.ended_ok)


async def test_a_job_can_be_killed_and_killing_it_again_changes_nothing(workshop: Workshop) -> None:
    await workshop.call("bash", command="echo begun; touch started; sleep 600", index=2, background=True)
    await _until(workshop.root / "started")
    first = await workshop.call("bash_kill", job="job-1-2")
    assert (ToolStatus.OK, "begun\n[job-1-2 ended: killed: bash_kill]") == (first.status, first.text)
    assert first == await workshop.call("bash_kill", job="job-1-2")


@pytest.mark.parametrize("tool", ["bash_output", "bash_kill"])
@pytest.mark.parametrize("job", ["job-1-99", "nonsense", "../../etc", "job-1-2/../x"])
async def test_an_unknown_job_is_answered_with_those_there_are(workshop: Workshop, tool: str, job: str) -> None:
    await workshop.call("bash", command="true", index=1)
    await workshop.call("bash", command="true", index=2, background=True)
    outcome = await workshop.call(tool, job=job)
    assert (ToolStatus.ERROR, f"There is no job {job!r}. Jobs there are: job-1-2.") == (outcome.status, outcome.text)


async def test_jobs_of_another_agent_are_out_of_reach(workshop: Workshop) -> None:
    arguments = BashArguments(command="true", background=True)
    other = workshop.context(5, agent=ids.agent_id("task-1", "helper"))
    await workshop.toolbox.run("bash", arguments, other, patience_seconds=None, on_progress=workshop.progress.append)
    outcome = await workshop.call("bash_output", job="job-1-5")
    assert "There is no job 'job-1-5'. No job has been started in the background." == outcome.text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"exit_code": 0, "duration_seconds": 29.9}, "exit code 0"),
        ({"exit_code": 1, "duration_seconds": 94.7}, "exit code 1 in 95 s"),
        ({"exit_code": 137}, "exit code 137 (killed by SIGKILL, perhaps for want of memory)"),
        ({"signal": 11}, "ended by SIGSEGV"),
        ({"signal": 99}, "ended by signal 99"),
        ({"exit_code": 0, "io_errno": 28}, "exit code 0; the output is incomplete: No space left on device"),
        ({"signal": 9, "timed_out": True}, "timed out after 5 s: the whole process group was killed"),
        ({"exit_code": 0, "survivors": 2}, "exit code 0; 2 of its processes could not be killed"),
    ],
)
def test_endings_name_what_matters(values: dict[str, int], text: str) -> None:
    state = Finished(
        exit_code=values.get("exit_code"),
        signal=values.get("signal"),
        timed_out=bool(values.get("timed_out", False)),
        killed_reason=None,
        duration_seconds=values.get("duration_seconds", 1.0),
        total_bytes=0,
        io_errno=values.get("io_errno"),
        survivors=values.get("survivors", 0),
    )
    assert text == ending(state, 5.0)
