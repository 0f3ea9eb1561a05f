"""Checks run once, cannot make themselves green, and see protected files."""

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.sandbox.none import NoSandbox
from longshift.adapters.workspace import Checks, Workspaces
from longshift.contracts.checks import ChecksDigest
from longshift.contracts.task import TaskSpec
from longshift.contracts.workspace import Workspace


@pytest.fixture
def checks(workspaces: Workspaces, runner: ProcessRunner) -> Checks:
    return Checks(workspaces, runner)


def task(*checks: dict[str, object], protected: tuple[str, ...] = (), setup: tuple[str, ...] = ()) -> TaskSpec:
    named = [{"name": f"c{number}", **check} for number, check in enumerate(checks)]
    return TaskSpec.model_validate(
        {"id": "t-1", "title": "T", "instructions": "Do.", "checks": named, "protected": protected, "setup": setup}
    )


class Proving:
    """A prepared task whose checks are run again and again."""

    def __init__(self, checks: Checks, spec: TaskSpec, workspace: Workspace) -> None:
        self.checks, self.spec, self.workspace = checks, spec, workspace
        self.tree = Path(workspace.root)
        self.lines: list[str] = []
        self.number = 0

    async def prove(self, prefix: str = "", **baseline: float) -> ChecksDigest:
        self.number += 1
        return await self.checks.run(
            self.spec,
            self.workspace,
            baseline=baseline,
            key_prefix=prefix or f"t-1/lead/s{self.number:06d}-checks",
            on_progress=self.lines.append,
        )


async def proving(checks: Checks, workspaces: Workspaces, spec: TaskSpec) -> Proving:
    return Proving(checks, spec, await workspaces.prepare(spec, 1))


async def test_all_checks_run_in_order_and_have_to_pass(checks: Checks, workspaces: Workspaces) -> None:
    spec = task({"run": "true"}, {"run": "echo why; exit 3"}, {"run": "test -d ."})
    digest = await (await proving(checks, workspaces, spec)).prove()
    assert not digest.passed
    assert "2/3 checks green" == digest.headline
    assert [("c0", True, 0), ("c1", False, 3), ("c2", True, 0)] == [
        (result.name, result.passed, result.exit_code) for result in digest.results
    ]
    assert "exit code 3\nwhy" == digest.results[1].detail


async def test_the_checked_tree_is_named(checks: Checks, workspaces: Workspaces) -> None:
    case = await proving(checks, workspaces, task({"run": "true"}))
    (case.tree / "a").write_text("x")
    digest = await case.prove()
    assert digest.passed
    assert await workspaces.shadow(case.workspace).tree_hash() == digest.tree_hash
    assert case.lines


async def test_time_out_makes_a_check_red(checks: Checks, workspaces: Workspaces) -> None:
    digest = await (await proving(checks, workspaces, task({"run": "sleep 60", "timeout_seconds": 0.2}))).prove()
    assert "time-out" in digest.results[0].detail


async def test_median_of_repeats_is_compared_with_the_baseline(checks: Checks, workspaces: Workspaces) -> None:
    spec = task(
        {"run": "cat number; rm -f nothing", "measure": {"at_most_times_baseline": 0.5}, "repeats": 3}, {"run": "false"}
    )
    case = await proving(checks, workspaces, spec)
    (case.tree / "number").write_text("took 100 ms\n")
    first = await checks.run(spec, case.workspace, baseline={}, takes_baseline=True, key_prefix="t-1/baseline")
    assert [("c0", 100.0, True)] == [(result.name, result.value, result.passed) for result in first.results]
    assert not (await case.prove(c0=100.0)).results[0].passed
    (case.tree / "number").write_text("took 50 ms\n")
    result = (await case.prove(c0=100.0)).results[0]
    assert (True, 50.0, 100.0) == (result.passed, result.value, result.baseline)


async def test_repeats_stop_at_the_first_failure(checks: Checks, workspaces: Workspaces, runner: ProcessRunner) -> None:
    case = await proving(checks, workspaces, task({"run": "exit 1", "measure": {"at_most": 1}, "repeats": 5}))
    await case.prove("t-1/p")
    assert ["t-1/p/0-0"] == runner.keys("t-1/p")


async def test_protected_files_that_changed_make_all_red(checks: Checks, workspaces: Workspaces) -> None:
    make = "mkdir tests && echo 1 > tests/a && echo 1 > tests/b && echo 1 > free"
    case = await proving(checks, workspaces, task({"run": "true"}, protected=("tests/**", "!tests/b"), setup=(make,)))
    assert (await case.prove()).passed
    (case.tree / "free").write_text("2")
    (case.tree / "tests" / "b").write_text("2")
    assert (await case.prove()).passed
    (case.tree / "tests" / "a").unlink()
    (case.tree / "tests" / "new").write_text("2")
    (case.tree / ".gitignore").write_text("tests/new\n")
    digest = await case.prove()
    assert (False, ("tests/a", "tests/new")) == (digest.passed, digest.protected_changes)
    assert "1/1 checks green, 2 protected files changed" == digest.headline


async def test_a_check_that_mends_what_it_proves_is_red(checks: Checks, workspaces: Workspaces) -> None:
    spec = task({"run": "echo good > state; grep good state"}, {"run": "grep bad state || grep good state"})
    case = await proving(checks, workspaces, spec)
    (case.tree / "state").write_text("bad\n")
    digest = await case.prove()
    assert [False, True] == [result.passed for result in digest.results]
    assert "files changed while it ran (state)" in digest.results[0].detail
    assert "bad\n" == (case.tree / "state").read_text()
    assert digest.tree_hash == await workspaces.shadow(case.workspace).tree_hash()


async def test_what_a_check_leaves_serves_the_next_check_but_not_the_next_proof(
    checks: Checks, workspaces: Workspaces
) -> None:
    spec = task({"run": "test ! -e app && echo binary > app"}, {"run": "test -e app && echo more >> app"})
    case = await proving(checks, workspaces, spec)
    assert (await case.prove()).passed
    assert (await case.prove()).passed
    assert not (case.tree / "app").exists()


async def test_a_check_that_adds_protected_files_is_red(checks: Checks, workspaces: Workspaces) -> None:
    spec = task({"run": "mkdir -p tests; echo cheat > tests/conftest.py"}, protected=("tests/**",))
    digest = await (await proving(checks, workspaces, spec)).prove()
    assert (False, ("tests/conftest.py",)) == (digest.passed, digest.protected_changes)


async def test_running_check_is_re_attached_after_the_worker_died(
    checks: Checks, workspaces: Workspaces, data_dir: Path
) -> None:
    gate = data_dir / "gate"
    spec = task({"run": f"echo x >> {data_dir}/count; echo new > left; read line < {gate}"}, {"run": "test -e left"})
    case = await proving(checks, workspaces, spec)
    os.mkfifo(gate)
    began = asyncio.Event()
    first = asyncio.create_task(
        checks.run(spec, case.workspace, baseline={}, key_prefix="t-1/p", on_progress=lambda line: began.set())
    )
    await began.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    runner = ProcessRunner(data_dir / "runs", disk_floor_bytes=0)
    again = Checks(Workspaces(data_dir, runner, NoSandbox(), "host-1", "q"), runner)
    second = asyncio.create_task(again.run(spec, case.workspace, baseline={}, key_prefix="t-1/p"))
    await asyncio.to_thread(gate.write_text, "go\n")
    assert (await second).passed
    assert "x\n" == (data_dir / "count").read_text()


async def test_a_retry_after_the_end_gives_the_same_and_touches_nothing(checks: Checks, workspaces: Workspaces) -> None:
    case = await proving(checks, workspaces, task({"run": "echo 2 > state"}, setup=("echo 1 > state",)))
    first = await case.prove("t-1/p")
    (case.tree / "state").write_text("later work")
    assert first == await case.prove("t-1/p")
    assert "later work" == (case.tree / "state").read_text()


async def test_lost_check_is_run_a_second_time(checks: Checks, workspaces: Workspaces, data_dir: Path) -> None:
    command = f"if [ ! -e {data_dir}/once ]; then touch {data_dir}/once; kill -9 $PPID; sleep 60; fi"
    assert (await (await proving(checks, workspaces, task({"run": command}))).prove()).passed


async def test_check_that_is_always_lost_is_red(checks: Checks, workspaces: Workspaces) -> None:
    digest = await (await proving(checks, workspaces, task({"run": "kill -9 $PPID; sleep 60"}))).prove()
    assert "its outcome is unknown" in digest.results[0].detail


async def test_no_checks_pass_unless_protected_files_changed(checks: Checks, workspaces: Workspaces) -> None:
    case = await proving(checks, workspaces, task(protected=("kept",)))
    assert (await case.prove()).passed
    (case.tree / "kept").write_text("x")
    assert not (await case.prove()).passed


@pytest.mark.parametrize("free_bytes", [0, 4_096, 16_384])
def test_a_full_disk_is_named_and_the_checks_go_on_when_there_is_space(tmp_path: Path, free_bytes: int) -> None:
    apart = ("unshare", "--mount", *(() if os.geteuid() == 0 else ("--map-root-user",)))
    mount = ("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path))
    if shutil.which("unshare") is None or subprocess.run([*apart, *mount], capture_output=True).returncode != 0:
        pytest.skip("no mounts here")
    program = Path(__file__).with_name("workspace_full_disk.py")
    command = (*apart, sys.executable, str(program), str(tmp_path), str(free_bytes))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, check=True, timeout=30, env=environment, text=True)
    assert "disk full\npassed: True\n" == done.stdout
