"""A workspace is made whole or not at all, and setup commands run once."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from longshift.adapters.process.run_state import Finished, Running
from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.sandbox.none import NoSandbox
from longshift.adapters.workspace import Workspaces
from longshift.adapters.workspace.delivery import export
from longshift.adapters.workspace.folder import WorkspaceFolder
from longshift.contracts.errors import BadInput, StaleGeneration, WorkspaceFailed
from longshift.contracts.task import TaskSpec

Git = Callable[..., str]


def task(directory: Path | None = None, **fields: object) -> TaskSpec:
    source = {"directory": str(directory)} if directory else {}
    return TaskSpec.model_validate({"id": "t-1", "title": "T", "instructions": "Do.", "workspace": source, **fields})


def folder_of(data_dir: Path) -> WorkspaceFolder:
    return WorkspaceFolder(data_dir / "workspaces" / "t-1")


def restarted(data_dir: Path, host_id: str = "host-1") -> Workspaces:
    """The same host after its worker has died."""
    runner = ProcessRunner(data_dir / "runs", disk_floor_bytes=0)
    return Workspaces(data_dir, runner, NoSandbox(), host_id, f"longshift-host-{host_id}")


async def test_prepared_workspace_describes_itself(workspaces: Workspaces, repository: Path, data_dir: Path) -> None:
    lines: list[str] = []
    setup = ("echo made > made.txt; echo $HOME > home.txt",)
    workspace = await workspaces.prepare(task(repository, setup=setup), 3, lines.append)
    folder = folder_of(data_dir)
    assert ("t-1", "host-1", "longshift-host-host-1", str(folder.tree), 3, True, "none") == (
        workspace.workspace_id,
        workspace.host_id,
        workspace.host_queue,
        workspace.root,
        workspace.generation,
        workspace.quick_calls,
        workspace.sandbox,
    )
    assert ("AGENTS.md", 6) == (workspace.rules_file, workspace.files)
    assert "Be kind.\n" == await workspaces.rules_text(workspace)
    assert f"{folder.home}\n" == (folder.tree / "home.txt").read_text()
    assert workspace.base_tree == await workspaces.shadow(workspace).tree_hash()
    assert "setup command 1 of 1" in " ".join(lines)
    assert data_dir / "runs" == workspaces.outputs_root


async def test_preparing_again_changes_nothing_but_the_generation(
    workspaces: Workspaces, repository: Path, data_dir: Path
) -> None:
    spec = task(repository, setup=("echo again >> counter",))
    first = await workspaces.prepare(spec, 1)
    (folder_of(data_dir).tree / "work.txt").write_text("done by the agent")
    second = await restarted(data_dir).prepare(spec, 2)
    assert first.model_copy(update={"generation": 2, "quick_calls": False}) == second
    assert "again\n" == (folder_of(data_dir).tree / "counter").read_text()
    assert (folder_of(data_dir).tree / "work.txt").exists()


async def test_older_slots_are_refused(workspaces: Workspaces) -> None:
    old = await workspaces.prepare(task(), 1)
    new = await workspaces.prepare(task(), 2)
    assert workspaces.open(new).tree.is_dir()
    for call in (workspaces.open, workspaces.shadow):
        with pytest.raises(StaleGeneration, match="held by slot 2"):
            call(old)
    with pytest.raises(StaleGeneration):
        await workspaces.prepare(task(), 1)
    with pytest.raises(StaleGeneration):
        await workspaces.release(old)


async def test_other_hosts_and_unready_workspaces_are_refused(workspaces: Workspaces, data_dir: Path) -> None:
    workspace = await workspaces.prepare(task(), 1)
    with pytest.raises(WorkspaceFailed, match="is on host host-1, this is host host-2"):
        restarted(data_dir, "host-2").open(workspace)
    (folder_of(data_dir).path / "ready.json").unlink()
    with pytest.raises(WorkspaceFailed, match="prepared again"):
        workspaces.open(workspace)


async def test_failed_setup_names_command_exit_code_and_output(workspaces: Workspaces) -> None:
    spec = task(setup=("true", "echo the reason; exit 7", "touch never"))
    with pytest.raises(WorkspaceFailed) as raised:
        await workspaces.prepare(spec, 1)
    assert "setup command 2 of 3 failed with exit code 7: echo the reason; exit 7\nthe reason" == str(raised.value)


async def test_setup_that_takes_too_long_is_named(workspaces: Workspaces) -> None:
    with pytest.raises(WorkspaceFailed, match="setup_timeout_seconds"):
        await workspaces.prepare(task(setup=("sleep 60",), setup_timeout_seconds=0.2), 1)


async def test_setup_that_was_ended_from_outside_has_not_succeeded(
    workspaces: Workspaces, runner: ProcessRunner, data_dir: Path
) -> None:
    started = data_dir / "started"
    os.mkfifo(started)
    command = f"trap 'exit 0' TERM; echo go > {started}; while :; do sleep 0.05; done; touch made"
    preparing = asyncio.create_task(workspaces.prepare(task(setup=(command,)), 1))
    await asyncio.to_thread(started.read_text)
    await runner.kill_all("", "the host goes down")
    with pytest.raises(WorkspaceFailed, match="was ended: the host goes down"):
        await preparing


async def test_setup_is_re_attached_after_the_worker_died(workspaces: Workspaces, data_dir: Path) -> None:
    gate = data_dir / "gate"
    os.mkfifo(gate)
    spec = task(setup=(f"echo one >> log; echo started > started; read line < {gate}", "echo two >> log"))
    began = asyncio.Event()
    worker = asyncio.create_task(
        workspaces.prepare(spec, 1, lambda line: began.set() if line.startswith("setup") else None)
    )
    await began.wait()
    worker.cancel()
    with pytest.raises(asyncio.CancelledError):
        await worker
    again = asyncio.create_task(restarted(data_dir).prepare(spec, 2))
    await asyncio.to_thread(gate.write_text, "go\n")
    workspace = await again
    assert 2 == workspace.generation
    assert "one\ntwo\n" == (folder_of(data_dir).tree / "log").read_text()


async def test_lost_setup_starts_again_from_the_source(
    workspaces: Workspaces, repository: Path, data_dir: Path
) -> None:
    marker = data_dir / "first-time"
    # The first time, the command kills its own supervisor: nobody will ever know how it ended.
    command = (
        f"echo x >> src/app.py; if [ ! -e {marker} ]; then touch {marker}; kill -9 $PPID; sleep 60; fi; cat src/app.py"
    )
    workspace = await workspaces.prepare(task(repository, setup=(command,)), 1)
    assert "print('one')\nx\n" == (Path(workspace.root) / "src" / "app.py").read_text()


async def test_setup_that_is_lost_every_time_fails(workspaces: Workspaces) -> None:
    with pytest.raises(WorkspaceFailed, match="the setup was lost 3 times"):
        await workspaces.prepare(task(setup=("kill -9 $PPID; sleep 60",)), 1)


async def test_what_a_killed_prepare_left_is_redone(workspaces: Workspaces, repository: Path, data_dir: Path) -> None:
    folder = folder_of(data_dir)
    (folder.path / ".tree.abc.part" / "tree").mkdir(parents=True)
    (folder.shadow).mkdir()
    (folder.shadow / "index.lock").write_text("")
    workspace = await workspaces.prepare(task(repository), 1)
    assert 4 == workspace.files
    assert [] == list(folder.path.glob("*.part"))


async def test_bad_source_leaves_no_tree(workspaces: Workspaces, data_dir: Path) -> None:
    with pytest.raises(BadInput):
        await workspaces.prepare(task(data_dir / "missing"), 1)
    assert not folder_of(data_dir).tree.exists()


async def test_checkpoint_counts_from_the_base_tree(workspaces: Workspaces, repository: Path) -> None:
    workspace = await workspaces.prepare(task(repository), 1)
    tree = Path(workspace.root)
    for number in range(205):
        (tree / f"f{number:03d}").write_text("x")
    digest = await workspaces.checkpoint(workspace, 4)
    assert (4, 205, 200) == (digest.step, digest.changed_count, len(digest.changed_files))
    await workspaces.restore(workspace, workspace.base_tree)
    assert 0 == (await workspaces.checkpoint(workspace, 5)).changed_count


async def test_names_that_are_no_text_can_be_sent(workspaces: Workspaces) -> None:
    workspace = await workspaces.prepare(task(), 1)
    path = Path(workspace.root) / os.fsdecode(b"\xff")
    path.write_text("x")
    digest = await workspaces.checkpoint(workspace, 1)
    assert ("\ufffd",) == digest.changed_files
    assert digest.model_dump_json()


async def test_export_gives_patch_and_counts(workspaces: Workspaces, repository: Path, git: Git) -> None:
    workspace = await workspaces.prepare(task(repository), 1)
    (Path(workspace.root) / "src" / "app.py").write_text("print('two')\nprint('three')\n")
    (Path(workspace.root) / "new").write_text("x\n")
    patch, counts = await workspaces.export(workspace)
    assert (2, 3, 1, ("new", "src/app.py")) == (
        counts.files,
        counts.insertions,
        counts.deletions,
        counts.changed_files,
    )
    (repository.parent / "p").write_bytes(patch)
    git(repository, "apply", str(repository.parent / "p"))
    assert "print('two')\nprint('three')\n" == (repository / "src" / "app.py").read_text()


async def test_export_without_changes_is_empty(workspaces: Workspaces, repository: Path) -> None:
    workspace = await workspaces.prepare(task(repository), 1)
    patch, counts = await workspaces.export(workspace)
    assert (b"", 0) == (patch, counts.files)


async def test_export_leaves_out_the_largest_files_beyond_its_limit(workspaces: Workspaces) -> None:
    workspace = await workspaces.prepare(task(), 1)
    for name, size in (("small", 100), ("large [1]", 5_000), ("larger", 9_000)):
        (Path(workspace.root) / name).write_bytes(os.urandom(size))
    patch, counts = await export(workspaces.shadow(workspace), workspace.base_tree, limit_bytes=1_000)
    assert (3, ("larger", "large [1]")) == (counts.files, counts.left_out)
    assert b"small" in patch
    assert b"large" not in patch


async def test_release_ends_the_workspaces_commands(workspaces: Workspaces, runner: ProcessRunner) -> None:
    workspace = await workspaces.prepare(task(), 1)
    await runner.start("t-1/lead/job", workspaces.shell(workspace, "sleep 60", background=True))
    assert isinstance(runner.state("t-1/lead/job"), Running)
    assert 1 == await workspaces.release(workspace)
    assert isinstance(runner.state("t-1/lead/job"), Finished)


async def test_shell_runs_in_the_tree_with_a_clean_environment(workspaces: Workspaces, runner: ProcessRunner) -> None:
    workspace = await workspaces.prepare(task(), 1)
    spec = workspaces.shell(workspace, "pwd; echo $EXTRA", timeout_seconds=9, env={"EXTRA": "yes"})
    await runner.start("t-1/x", spec)
    await runner.wait("t-1/x")
    assert f"{workspace.root}\nyes\n" == runner.output("t-1/x").text
    assert 9 == spec.timeout_seconds


@pytest.mark.parametrize(
    ("target", "text"), [("CLAUDE.md", "be brief"), ("/etc/hostname", ""), ("../secret", ""), ("missing", "")]
)
async def test_rules_are_never_read_from_outside_of_the_tree(
    workspaces: Workspaces, tmp_path: Path, target: str, text: str
) -> None:
    origin = tmp_path / "origin"
    origin.mkdir()
    (origin / "AGENTS.md").symlink_to(target)
    if target == "CLAUDE.md":
        (origin / "CLAUDE.md").write_text("be brief")
    workspace = await workspaces.prepare(task(origin), 1)
    assert text == await workspaces.rules_text(workspace)


async def test_long_rules_are_cut(workspaces: Workspaces, tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    origin.mkdir()
    (origin / "CLAUDE.md").write_text("é" * 40_000)
    workspace = await workspaces.prepare(task(origin), 1)
    text = await workspaces.rules_text(workspace)
    assert "CLAUDE.md" == workspace.rules_file
    assert 16_384 == text.count("é")
    assert "[… cut after 32768 bytes]" in text


async def test_rules_replaced_by_a_pipe_do_not_block(workspaces: Workspaces, repository: Path) -> None:
    workspace = await workspaces.prepare(task(repository), 1)
    (Path(workspace.root) / "AGENTS.md").unlink()
    os.mkfifo(Path(workspace.root) / "AGENTS.md")
    assert "" == await workspaces.rules_text(workspace)
