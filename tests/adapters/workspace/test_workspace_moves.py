"""A session whose host is lost goes on elsewhere with the same files."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from longshift.adapters.store import Store, open_store
from longshift.adapters.workspace import Checks
from longshift.contracts import ids
from longshift.contracts.checkpoints import CheckpointPlace, CheckpointStart
from longshift.contracts.errors import StaleGeneration, WorkspaceFailed
from tests.adapters.workspace.hosts import TASK_ID, FailingStore, Host, files_of, restored, task

Git = Callable[..., str]


@pytest.fixture(params=["memory", "local"])
def either_store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return open_store("memory://" if request.param == "memory" else f"file://{tmp_path}/store")


async def start(store: Store, generation: int) -> CheckpointStart:
    return CheckpointStart.model_validate_json(await store.get(ids.checkpoint_start_key(TASK_ID, generation)))


def work(tree: Path) -> None:
    """Everything that an agent may do to files."""
    (tree / "src" / "app.py").write_text("print('two')\r\nno end")
    (tree / "AGENTS.md").unlink()
    (tree / "pic.bin").write_bytes(bytes(range(256)) * 40)
    (tree / "run me.sh").write_text("#!/bin/sh\n")
    (tree / "run me.sh").chmod(0o755)
    (tree / "link").symlink_to("src/app.py")
    (tree / "dangling").symlink_to("/nowhere/é")
    (tree / "ünï cödé ☃").write_text("x\n")
    (tree / os.fsdecode(b"\xff\n\\odd")).write_text("no text")
    (tree / "deep" / "er").mkdir(parents=True)
    (tree / "deep" / "er" / "empty").write_text("")
    (tree / "kept.o").write_text("tracked although ignored, edited\n")


async def test_another_host_has_the_same_files_base_and_patch(
    either_store: Store, tmp_path: Path, repository: Path
) -> None:
    a, b = Host(tmp_path / "a", "a", either_store), Host(tmp_path / "b", "b", either_store)
    spec = task(workspace={"git": str(repository)}, setup=("echo made > made.txt",), protected=("tests/**",))
    first = await a.prepare(spec, 1)
    await a.step(first, 1, early="1")
    work(a.tree)
    await a.step(first, 2, early=None)
    second = await b.prepare(spec, 2)
    assert files_of(a.tree) == files_of(b.tree)
    assert first.base_tree == second.base_tree
    assert (first.files, first.total_bytes, first.rules_file) == (second.files, second.total_bytes, second.rules_file)
    assert ("b", "longshift-host-b", str(b.tree), 2) == (
        second.host_id,
        second.host_queue,
        second.root,
        second.generation,
    )
    assert (await a.workspaces.export(first)) == (await b.workspaces.export(second))
    digests = [await host.workspaces.checkpoint(place, 3) for host, place in ((a, first), (b, second))]
    assert 1 == len({(digest.tree_hash, digest.changed_files) for digest in digests})
    assert second.restoration is not None
    assert (2, 1, digests[1].tree_hash, True) == (
        second.restoration.step,
        second.restoration.from_generation,
        second.restoration.tree_hash,
        second.restoration.has_own_repository,
    )


async def test_a_session_that_comes_back_finds_the_newer_files(a: Host, b: Host) -> None:
    spec = task(setup=("echo ran >> ignored.log", "mkdir -p node_modules && echo i > node_modules/i"))
    first = await a.prepare(spec, 1)
    await a.step(first, 1, x="1")
    a.edit(x="never recorded", stray="x")
    (a.folder / "workspaces" / TASK_ID / "home" / "old").write_text("x")
    await a.runner.start(f"{TASK_ID}/lead/job", a.workspaces.shell(first, "sleep 600", background=True))
    second = await b.prepare(spec, 2)
    await b.step(second, 2, x="2", y="2")
    third = await a.prepare(spec, 3)
    assert (2, 2) == restored(third.restoration)
    assert files_of(b.tree) == files_of(a.tree)
    assert [] == list((a.folder / "workspaces" / TASK_ID / "home").iterdir())
    assert [f"{TASK_ID}/setup-g0003/000", f"{TASK_ID}/setup-g0003/001"] == a.runner.keys(f"{TASK_ID}/setup-g0003")
    assert 0 == await a.runner.kill_all(TASK_ID, "nothing of the old tree runs on")
    assert CheckpointPlace(generation=2, number=2) == (await start(a.store, 3)).restored
    with pytest.raises(StaleGeneration):
        a.workspaces.open(first)


async def test_late_checkpoints_of_an_old_host_are_not_used(a: Host, b: Host, tmp_path: Path) -> None:
    first = await a.prepare(task(), 1)
    await a.step(first, 1, x="1")
    await b.prepare(task(), 2)
    await a.step(first, 2, x="zombie")
    c = Host(tmp_path / "c", "c", a.store)
    assert (1, 1) == restored((await c.prepare(task(), 3)).restoration)
    assert "1" == (c.tree / "x").read_text()
    assert (1, 1) == restored((await a.prepare(task(), 4)).restoration)
    assert "1" == (a.tree / "x").read_text()


async def test_a_slot_that_started_from_the_source_outranks_the_tree_of_an_older_one(a: Host, b: Host) -> None:
    await a.prepare(task(), 1)
    a.edit(x="never recorded")
    second = await b.prepare(task(), 2)
    assert (0, 0) == restored(second.restoration)
    await a.prepare(task(), 3)
    assert {} == files_of(a.tree)


async def test_a_repeated_call_gives_the_same_restoration_and_a_handover_none(a: Host, b: Host) -> None:
    first = await a.prepare(task(), 1)
    await a.step(first, 1, x="1")
    second = await b.prepare(task(), 2)
    assert second.restoration is not None
    b.restart()
    assert second == await b.prepare(task(), 2)
    assert (await b.prepare(task(), 3)).restoration is None


async def test_without_a_checkpoint_work_starts_from_the_source(a: Host, b: Host, repository: Path) -> None:
    spec = task(workspace={"git": str(repository)})
    first = await a.prepare(spec, 1)
    assert first.restoration is None
    second = await b.prepare(spec, 2)
    assert (0, 0) == restored(second.restoration)
    assert first.base_tree == second.base_tree
    assert second.restoration is not None
    assert "no checkpoint" in second.restoration.remarks[-1]


async def test_a_git_source_that_went_on_is_fetched_at_its_old_commit(
    a: Host, b: Host, repository: Path, git: Git
) -> None:
    spec = task(workspace={"git": str(repository), "ref": "main"}, setup=("git rev-parse HEAD > head.txt",))
    first = await a.prepare(spec, 1)
    assert git(repository, "rev-parse", "HEAD") == first.source_commit
    await a.step(first, 1, x="1")
    (repository / "src" / "later.py").write_text("later\n")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "later")
    second = await b.prepare(spec, 2)
    assert files_of(a.tree) == files_of(b.tree)
    assert (first.source_commit, first.source_commit) == (second.source_commit, git(b.tree, "rev-parse", "HEAD"))
    assert "main" == git(b.tree, "branch", "--show-current")


async def test_a_branch_that_is_gone_does_not_matter_while_the_commit_is_there(
    a: Host, b: Host, repository: Path, git: Git
) -> None:
    git(repository, "checkout", "--quiet", "-b", "topic")
    first = await a.prepare(task(workspace={"git": str(repository), "ref": "topic"}), 1)
    await a.step(first, 1, x="1")
    git(repository, "checkout", "--quiet", "main")
    git(repository, "branch", "--quiet", "-D", "topic")
    second = await b.prepare(task(workspace={"git": str(repository), "ref": "topic"}), 2)
    assert second.restoration is not None
    assert second.restoration.has_own_repository
    assert first.source_commit == git(b.tree, "rev-parse", "HEAD")


@pytest.mark.parametrize("kind", ["git", "directory", "archive"])
async def test_a_source_that_is_gone_leaves_the_recorded_files(
    a: Host, b: Host, repository: Path, git: Git, kind: str
) -> None:
    source = repository
    uncovered = {"kept.o"} if kind == "archive" else set[str]()  # ignored, and no repository that tracks it
    if kind == "archive":
        source = repository.parent / "source.tar"
        git(repository, "archive", "--output", str(source), "HEAD")
    spec = task(workspace={kind: str(source)})
    first = await a.prepare(spec, 1)
    await a.step(first, 1, x="1")
    source.rename(repository.parent / "gone")
    second = await b.prepare(spec, 2)
    assert {key: each for key, each in files_of(a.tree).items() if key not in uncovered} == files_of(b.tree)
    assert second.restoration is not None
    assert not second.restoration.has_own_repository
    assert "could not be fetched again" in " ".join(second.restoration.remarks)
    assert (await a.workspaces.export(first)) == (await b.workspaces.export(second))


async def test_a_commit_that_is_gone_leaves_the_recorded_files(a: Host, b: Host, repository: Path, git: Git) -> None:
    spec = task(workspace={"git": str(repository)})
    first = await a.prepare(spec, 1)
    await a.step(first, 1, x="1")
    (repository / ".git").rename(repository.parent / "gone")
    git(repository, "init", "--quiet")
    git(repository, "commit", "--quiet", "--allow-empty", "--message", "another history")
    second = await b.prepare(spec, 2)
    assert second.restoration is not None
    assert not second.restoration.has_own_repository
    assert f"has no commit {first.source_commit} any more" in second.restoration.remarks[0]
    assert files_of(a.tree) == files_of(b.tree)


async def test_a_directory_that_has_changed_meanwhile_gives_the_recorded_base(
    a: Host, b: Host, repository: Path
) -> None:
    spec = task(workspace={"directory": str(repository)})
    first = await a.prepare(spec, 1)
    await a.step(first, 1, x="1")
    (repository / "src" / "app.py").write_text("uncommitted by now")
    (repository / "new.py").write_text("uncommitted by now")
    second = await b.prepare(spec, 2)
    assert files_of(a.tree) == files_of(b.tree)
    assert first.base_tree == second.base_tree


async def test_what_is_not_restored_is_said(a: Host, b: Host, repository: Path, git: Git) -> None:
    a.huge_bytes = b.huge_bytes = 1_000
    a.restart()
    b.restart()
    spec = task(workspace={"git": str(repository)}, setup=("mkdir build && echo made > build/made",))
    first = await a.prepare(spec, 1)
    (a.tree / "build" / "cache").write_text("ignored")
    (a.tree / "core.dump").write_bytes(b"x" * 2_000)
    (a.tree / "src" / "app.py").write_text("committed by the agent")
    git(a.tree, "commit", "--quiet", "--all", "--message", "agent")
    await a.step(first, 1)
    second = await b.prepare(spec, 2)
    assert {"build/cache", "core.dump"} == files_of(a.tree).keys() - files_of(b.tree).keys()
    assert "made\n" == (b.tree / "build" / "made").read_text()
    assert first.source_commit == git(b.tree, "rev-parse", "HEAD")
    assert second.restoration is not None
    notes = " ".join(second.restoration.remarks)
    for word in ("core.dump", "ignore rules", "uncommitted changes"):
        assert word in notes


async def test_a_changed_protected_file_is_red_on_the_next_host_too(a: Host, b: Host, repository: Path) -> None:
    (repository / "tests").mkdir()
    (repository / "tests" / "test_a.py").write_text("assert True\n")
    (repository / ".gitignore").write_text("*.env\n")
    (repository / "tests" / "secret.env").write_text("1")
    spec = task(workspace={"directory": str(repository), "allow_dirty": True}, protected=("tests/**",))
    first = await a.prepare(spec, 1)
    (a.tree / "tests" / "secret.env").write_text("2")
    (a.tree / "tests" / "test_a.py").write_text("cheat\n")
    await a.step(first, 1)
    second = await b.prepare(spec, 2)
    # An ignore rule that came later hides nothing: the rules from before work started have travelled too.
    (b.tree / ".gitignore").write_text("*.env\ntests/\n")
    (b.tree / "tests" / "conftest.py").write_text("cheat\n")
    digest = await Checks(b.workspaces, b.runner).run(spec, second, baseline={}, key_prefix="t-1/lead/s000002-checks")
    assert ("tests/conftest.py", "tests/secret.env", "tests/test_a.py") == digest.protected_changes
    assert not digest.passed


async def test_checks_of_an_earlier_tree_on_this_host_are_not_taken_for_new_ones(a: Host, b: Host) -> None:
    spec = task(checks=[{"name": "c", "run": "cat x"}])
    first = await a.prepare(spec, 1)
    await a.step(first, 1, x="old")
    key = "t-1/lead/s000002-checks"
    await Checks(a.workspaces, a.runner).run(spec, first, baseline={}, key_prefix=key)
    second = await b.prepare(spec, 2)
    await b.step(second, 2, x="new")
    third = await a.prepare(spec, 3)
    digest = await Checks(a.workspaces, a.runner).run(spec, third, baseline={}, key_prefix=key)
    assert "new" == digest.results[0].detail.splitlines()[-1]


async def test_setup_that_fails_on_the_new_host_is_named(a: Host, b: Host, tmp_path: Path) -> None:
    spec = task(setup=(f"test $HOME = {a.folder}/workspaces/{TASK_ID}/home",))
    first = await a.prepare(spec, 1)
    await a.step(first, 1, x="1")
    with pytest.raises(WorkspaceFailed, match="setup command 1 of 1 failed"):
        await b.prepare(spec, 2)


async def test_setup_that_is_lost_while_restoring_starts_again(tmp_path: Path, store: FailingStore) -> None:
    a, b = (Host(tmp_path / name, name, store) for name in ("a", "b"))  # the setup kills what a sandbox would hide
    marker = tmp_path / "lost-once"
    marker.write_text("")
    spec = task(setup=(f"echo x >> log; if [ ! -e {marker} ]; then touch {marker}; kill -9 $PPID; sleep 60; fi",))
    first = await a.prepare(spec, 1)
    await a.step(first, 1, x="1")
    marker.unlink()
    await b.prepare(spec, 2)
    assert files_of(a.tree) == files_of(b.tree)
    assert 2 == len(b.runner.keys(TASK_ID))
