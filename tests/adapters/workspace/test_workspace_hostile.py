"""What an agent leaves in its workspace is not run by the worker, and leads it nowhere."""

import asyncio
import os
import subprocess
import sys
import tarfile
import time
from contextlib import suppress
from pathlib import Path

import pytest

from longshift.adapters.process.child_end import end_child
from longshift.adapters.sandbox.none import NoSandbox
from longshift.adapters.sandbox.port import Sandbox
from longshift.adapters.workspace import Checks
from longshift.adapters.workspace.beneath import removed
from longshift.adapters.workspace.candidates import sorted_out
from longshift.adapters.workspace.git import GitCall, GitResult, run_git
from longshift.adapters.workspace.shadow import Shadow
from longshift.contracts.errors import BadInput, WorkspaceFailed
from longshift.contracts.workspace import Workspace
from tests.adapters.workspace.conftest import Git
from tests.adapters.workspace.hosts import FailingStore, Host, task
from tests.adapters.workspace.traps import (
    CANARY,
    FLIPPER,
    SWAPS,
    Outside,
    plant_in_repository,
    plant_in_tree,
    swap_repository,
)

RACE_SECONDS = 5.0
SOON_SECONDS = 60.0


@pytest.fixture
def outside(tmp_path: Path) -> Outside:
    return Outside(tmp_path / "outside")


def recorded(folder: Path) -> bytes:
    """Every object of the shadow repositories of a a."""
    command = ["git", "cat-file", "--batch", "--batch-all-objects"]
    shadows = sorted((folder / "workspaces").glob("*/shadow.git"))
    return b"".join(subprocess.run(command, cwd=each, capture_output=True, check=True).stdout for each in shadows)


async def every_operation(host: Host, workspace: Workspace, step: int) -> str:
    """All that a worker does with a workspace after a step; the text that leaves it."""
    spec = task(checks=[{"name": "c", "run": "true"}], protected=["src/**"])
    await host.workspaces.checkpoint(workspace, step, "t-1")
    diff = await host.workspaces.changes(workspace)
    checks = Checks(host.workspaces, host.runner)
    digest = await checks.run(spec, workspace, baseline={}, key_prefix=f"{workspace.workspace_id}/checks/{step}")
    patch, counts = await host.workspaces.export(workspace)
    rules = await host.workspaces.rules_text(workspace)
    return f"{diff} {digest} {patch.decode(errors='replace')} {counts} {rules}"


async def test_nothing_that_is_planted_is_run_read_or_followed(
    a: Host, outside: Outside, tmp_path: Path, repository: Path, store: FailingStore, sandbox: Sandbox
) -> None:
    spec = task(workspace={"git": str(repository)}, protected=["src/**"])
    workspace = await a.prepare(spec, 1)
    plant_in_repository(a.tree, outside)
    plant_in_tree(a.tree, outside)
    (a.tree / "src" / "app.py").write_text("changed\n")
    said = await every_operation(a, workspace, 1)
    for number, how in enumerate(SWAPS, start=2):
        swap_repository(a.tree, outside, how)
        (a.tree / "src" / f"{how}.py").write_text("changed\n")
        said += await every_operation(a, workspace, number)
    await a.workspaces.roll_back(workspace, "t-1", 6, 0)
    await a.workspaces.release(workspace)
    other = Host(tmp_path / "b", "b", store, sandbox=sandbox)
    again = await other.prepare(spec, 2)
    said += await every_operation(other, again, 7)
    await other.workspaces.release(again)
    assert [] == outside.was_run
    assert outside.is_unchanged
    assert CANARY not in said
    for folder in (a.folder, other.folder):
        assert CANARY.encode() not in recorded(folder)
    assert CANARY not in "".join(path.read_text(errors="replace") for path in (tmp_path / "a").rglob("*.json"))


async def test_the_traps_snap_where_git_is_run_as_anybody_would(
    outside: Outside, tmp_path: Path, repository: Path, store: FailingStore
) -> None:
    async def naive(call: GitCall) -> GitResult:
        if "ls-files" in call.arguments:
            await run_git(GitCall(("status", "--porcelain"), call.cwd, {"PATH": os.environ["PATH"], "HOME": "/"}))
        return await run_git(call)

    a = Host(tmp_path / "a", "a", store, run=naive)
    workspace = await a.prepare(task(workspace={"git": str(repository)}), 1)
    plant_in_repository(a.tree, outside)
    with suppress(WorkspaceFailed):
        await a.workspaces.checkpoint(workspace, 1)
    assert "fsmonitor" in outside.was_run
    assert not outside.is_unchanged


@pytest.mark.parametrize("name", [".gitignore", "src/.gitignore", ".gitattributes", "src/.git/HEAD"])
async def test_a_pipe_where_git_expects_a_file_does_not_hold_a_checkpoint(a: Host, repository: Path, name: str) -> None:
    workspace = await a.prepare(task(workspace={"git": str(repository)}), 1)
    path = a.tree / name
    path.unlink(missing_ok=True)
    path.parent.mkdir(exist_ok=True)
    os.mkfifo(path)
    a.edit(new="new")
    async with asyncio.timeout(SOON_SECONDS):
        digest = await a.workspaces.checkpoint(workspace, 1)
    assert "new" in digest.changed_files


def dig(tree: Path, levels: int) -> None:
    """A file that many folders down."""
    folder = os.open(tree, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("deep", dir_fd=folder)
        inner = os.open("deep", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(os.open("bottom", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
    os.close(folder)


async def test_a_tree_that_is_absurd_does_not_stop_a_checkpoint(a: Host, repository: Path) -> None:
    workspace = await a.prepare(task(workspace={"git": str(repository)}), 1)
    await asyncio.to_thread(dig, a.tree, 2_500)
    (a.tree / ("n" * 255)).write_text("long name")
    (a.tree / "locked").mkdir(mode=0)
    digest = await a.workspaces.checkpoint(workspace, 1)
    assert "n" * 255 in digest.changed_files
    await a.workspaces.restore(workspace, workspace.base_tree)
    assert await asyncio.to_thread(removed, a.tree)
    assert not a.tree.exists()


async def test_a_folder_that_is_swapped_for_a_link_leads_nowhere(
    a: Host, outside: Outside, repository: Path, sandbox: Sandbox, git: Git
) -> None:
    if sandbox.name == NoSandbox.name:
        pytest.skip("without a sandbox git itself can be raced")
    (repository / "d").mkdir()
    (repository / "d" / "f.txt").write_text("inside\n")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "d")
    workspace = await a.prepare(task(workspace={"git": str(repository)}), 1)
    flipper = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", FLIPPER, str(a.tree), str(outside.repository))
    )
    deadline, step = time.monotonic() + RACE_SECONDS, 0
    while time.monotonic() < deadline or step < 3:
        step += 1
        (a.tree / "other.txt").write_text(str(step))
        with suppress(WorkspaceFailed):
            await a.workspaces.checkpoint(workspace, step)
        with suppress(WorkspaceFailed):
            await a.workspaces.restore(workspace, workspace.base_tree)
    await end_child(flipper)
    assert outside.is_unchanged
    assert CANARY.encode() not in recorded(a.folder)


def test_paths_through_links_are_taken_for_removed(tmp_path: Path, outside: Outside) -> None:
    tree = tmp_path / "tree"
    (tree / "a").mkdir(parents=True)
    (tree / "a" / "f").write_text("x")
    (tree / "b").symlink_to(outside.path)
    (tree / "a" / "up").symlink_to("..")
    found = sorted_out(tree, ["a/f", "a/up/a/f", "b/secret", "a/gone", "no/thing"], 100)
    assert (["a/f"], ["a/up/a/f", "b/secret", "a/gone", "no/thing"]) == (found.additions, found.removals)


async def test_rules_behind_a_link_are_not_read(tmp_path: Path, repository: Path, outside: Outside) -> None:
    rules = repository / ".git" / "info" / "exclude"
    rules.unlink(missing_ok=True)
    rules.parent.mkdir(exist_ok=True)
    rules.symlink_to(outside.secret)
    shadow = Shadow(tmp_path / "shadow.git", repository)
    await shadow.create()
    assert CANARY not in (shadow.git_dir / "info" / "exclude").read_text()


async def test_an_archive_that_borrows_objects_of_this_host_is_refused(
    a: Host, tmp_path: Path, repository: Path, outside: Outside
) -> None:
    (repository / ".git" / "objects" / "info").mkdir(exist_ok=True)
    alternates = repository / ".git" / "objects" / "info" / "alternates"
    alternates.write_text(f"{outside.repository}/.git/objects\n")
    path = tmp_path / "source.tar"
    done = await asyncio.create_subprocess_exec("tar", "cf", str(path), "-C", str(repository.parent), repository.name)
    assert await done.wait() == 0
    with pytest.raises(BadInput, match="borrows from another one"):
        await a.prepare(task(workspace={"archive": str(path)}), 1)


async def test_a_clone_of_a_repository_on_this_host_does_not_push_to_it(a: Host, repository: Path, git: Git) -> None:
    await a.prepare(task(workspace={"git": str(repository)}), 1)
    assert str(repository) == git(a.tree, "remote", "get-url", "origin")
    with pytest.raises(AssertionError, match="pushing-is-not-possible-from-here"):
        git(a.tree, "push", "origin", "HEAD:refs/heads/new")


def commit_of_tree(repository: Path, git: Git, mode: bytes, name: bytes) -> None:
    """Commit a tree with one entry, as no git of today writes it."""
    blob = git(repository, "hash-object", "-w", "src/app.py")
    body = mode + b" " + name + b"\0" + bytes.fromhex(blob)
    (repository / "raw").write_bytes(body)
    tree = git(repository, "hash-object", "-t", "tree", "--literally", "-w", "raw")
    git(repository, "update-ref", "HEAD", git(repository, "commit-tree", tree, "-m", "odd"))


async def test_a_fetched_repository_with_an_old_tools_faults_is_taken(a: Host, repository: Path, git: Git) -> None:
    commit_of_tree(repository, git, b"0100644", b"old.txt")
    workspace = await a.prepare(task(workspace={"git": repository.as_uri()}), 1)
    assert (1, True) == (workspace.files, (a.tree / "old.txt").exists())


async def test_a_fetched_repository_that_names_gits_own_folder_is_refused(a: Host, repository: Path, git: Git) -> None:
    commit_of_tree(repository, git, b"100644", b".git")
    with pytest.raises(BadInput, match="hasDotgit"):
        await a.prepare(task(workspace={"git": repository.as_uri()}), 1)


async def test_an_archive_that_is_absurdly_deep_is_refused(a: Host, tmp_path: Path) -> None:
    path = tmp_path / "deep.tar"
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("d/" * 3_000 + "file"))
    with pytest.raises(BadInput, match="more than 200 folders deep"):
        await a.prepare(task(workspace={"archive": str(path)}), 1)
