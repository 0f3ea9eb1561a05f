"""Sources are copied whole, the originals stay untouched, and bad ones are named."""

import asyncio
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from longshift.adapters.workspace.clone import clone, without_credentials
from longshift.adapters.workspace.git import GitCall, GitResult, run_git
from longshift.adapters.workspace.sources import fetch, remove_parts
from longshift.contracts.errors import BadInput, DiskFull, WorkspaceFailed
from longshift.contracts.task import WorkspaceSource

Git = Callable[..., str]


@pytest.fixture
def into(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder / "tree"


async def refused(source: WorkspaceSource, into: Path, *parts: str) -> None:
    """The source is refused with a text that has these parts, and nothing is left behind."""
    with pytest.raises(BadInput) as raised:
        await fetch(source, into)
    for part in parts:
        assert part in str(raised.value)
    assert [] == list(into.parent.iterdir())


async def test_no_source_is_an_empty_tree(into: Path) -> None:
    await fetch(WorkspaceSource(), into)
    assert [] == os.listdir(into)


@pytest.mark.parametrize("field", ["directory", "archive", "git"])
async def test_relative_paths_are_refused(into: Path, field: str) -> None:
    await refused(WorkspaceSource.model_validate({field: "some/where"}), into, f"workspace.{field}", "absolute")


@pytest.mark.parametrize("field", ["directory", "archive", "git"])
async def test_missing_sources_are_named(into: Path, field: str, tmp_path: Path) -> None:
    source = WorkspaceSource.model_validate({field: str(tmp_path / "missing")})
    await refused(source, into, f"workspace.{field}", str(tmp_path / "missing"), "give an existing")


# ---- git


async def test_repository_is_cloned_with_its_history(repository: Path, into: Path, git: Git) -> None:
    await fetch(WorkspaceSource(git=str(repository)), into)
    assert "print('one')\n" == (into / "src" / "app.py").read_text()
    assert ("main", "") == (git(into, "branch", "--show-current"), git(into, "status", "--porcelain"))


async def test_file_url_is_cloned(repository: Path, into: Path) -> None:
    await fetch(WorkspaceSource(git=repository.as_uri()), into)
    assert (into / "AGENTS.md").exists()


@pytest.mark.parametrize("kind", ["branch", "tag", "commit", "unreachable"])
async def test_ref_is_checked_out(repository: Path, into: Path, git: Git, kind: str) -> None:
    git(repository, "checkout", "--quiet", "-b", "feature/x")
    (repository / "src" / "app.py").write_text("print('two')\n")
    git(repository, "commit", "--quiet", "--all", "--message", "second")
    git(repository, "tag", "v2")
    commit = git(repository, "rev-parse", "HEAD")
    git(repository, "checkout", "--quiet", "main")
    if kind == "unreachable":
        git(repository, "config", "uploadpack.allowAnySHA1InWant", "true")
        git(repository, "tag", "--delete", "v2")
        git(repository, "branch", "--quiet", "-D", "feature/x")
    ref = {"branch": "feature/x", "tag": "v2"}.get(kind, commit)
    await fetch(WorkspaceSource(git=repository.as_uri(), ref=ref), into)
    assert "print('two')\n" == (into / "src" / "app.py").read_text()
    assert ("feature/x" if kind == "branch" else "") == git(into, "branch", "--show-current")


async def test_unknown_ref_is_refused(repository: Path, into: Path) -> None:
    await refused(WorkspaceSource(git=str(repository), ref="nope"), into, "workspace.ref", "'nope'")


@pytest.mark.parametrize("ref", ["--upload-pack=touch /tmp/x", " "])
async def test_ref_is_never_an_option(repository: Path, into: Path, ref: str) -> None:
    await refused(WorkspaceSource(git=str(repository), ref=ref), into, "workspace.ref")


@pytest.mark.parametrize("address", ["ext::sh -c true", "-upload-pack=x", "ftp://example.org/x", "EXT://x"])
async def test_addresses_that_run_programs_are_refused(into: Path, address: str) -> None:
    await refused(WorkspaceSource(git=address), into, "workspace.git")


async def test_path_without_a_repository_is_refused(into: Path, tmp_path: Path) -> None:
    await refused(WorkspaceSource(git=str(tmp_path)), into, "workspace.git", "cannot be cloned")


async def test_empty_repository_gives_an_empty_tree(into: Path, tmp_path: Path, git: Git) -> None:
    (tmp_path / "empty").mkdir()
    git(tmp_path / "empty", "init", "--quiet")
    await fetch(WorkspaceSource(git=str(tmp_path / "empty")), into)
    assert [".git"] == os.listdir(into)


async def test_large_repository_is_refused(repository: Path, into: Path) -> None:
    await refused(WorkspaceSource(git=str(repository), max_bytes=1_000), into, "workspace.max_bytes", "1,000")


async def test_clone_shares_no_file_with_the_original(repository: Path, into: Path) -> None:
    await fetch(WorkspaceSource(git=str(repository)), into)
    ours = {path.stat().st_ino for path in (into / ".git").rglob("*") if path.is_file()}
    theirs = {path.stat().st_ino for path in (repository / ".git").rglob("*") if path.is_file()}
    assert not ours & theirs


async def test_unreachable_server_is_tried_again_and_then_named(into: Path) -> None:
    calls: list[tuple[str, ...]] = []

    async def offline(call: GitCall) -> GitResult:
        calls.append(call.arguments)
        return GitResult(
            call.arguments, 128, stderr="fatal: https://me:secret@x.test/r: Could not resolve host: x.test"
        )

    source = WorkspaceSource(git="https://me:secret@x.test/r")
    with pytest.raises(WorkspaceFailed) as raised:
        await clone(source, into, run=offline, pauses_seconds=(0.0, 0.0))
    assert 3 == len(calls)
    assert "secret" not in str(raised.value)


async def test_refused_credentials_are_not_repeated_or_shown(into: Path) -> None:
    async def denied(call: GitCall) -> GitResult:
        return GitResult(call.arguments, 128, stderr="fatal: Authentication failed for 'https://me:secret@x.test/r'")

    with pytest.raises(BadInput) as raised:
        await clone(WorkspaceSource(git="https://me:secret@x.test/r"), into, run=denied)
    assert "secret" not in str(raised.value)
    assert "https://x.test/r" == without_credentials("https://me:secret@x.test/r")


async def test_a_cancelled_fetch_leaves_nothing(repository: Path, into: Path) -> None:
    started = asyncio.Event()

    async def slow(call: GitCall) -> GitResult:
        started.set()
        return await run_git(GitCall(("-c", "alias.wait=!sleep 30", "wait"), call.cwd, call.environment))

    task = asyncio.create_task(fetch(WorkspaceSource(git=str(repository)), into, run=slow))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [] == list(into.parent.iterdir())


async def test_a_full_disk_is_named(repository: Path, into: Path) -> None:
    async def full(call: GitCall) -> GitResult:
        return GitResult(call.arguments, 128, stderr="fatal: write error: No space left on device")

    with pytest.raises(DiskFull):
        await fetch(WorkspaceSource(git=str(repository)), into, run=full)


# ---- directory


async def test_directory_is_copied_with_links_modes_times_and_hidden_files(tmp_path: Path, into: Path) -> None:
    origin = tmp_path / "origin"
    (origin / ".hidden" / "deep").mkdir(parents=True)
    (origin / ".hidden" / "deep" / "f").write_text("x")
    (origin / "run.sh").write_text("#!/bin/sh")
    (origin / "run.sh").chmod(0o4555)
    os.utime(origin / "run.sh", ns=(1_000_000_000, 2_000_000_000))
    (origin / "broken").symlink_to("/nowhere/at/all")
    (origin / "folder-link").symlink_to(".hidden")
    (origin / "empty").mkdir()
    await fetch(WorkspaceSource(directory=str(origin)), into)
    assert "x" == (into / ".hidden" / "deep" / "f").read_text()
    assert (0o755, 2_000_000_000) == (
        stat.S_IMODE((into / "run.sh").stat().st_mode),
        (into / "run.sh").stat().st_mtime_ns,
    )
    assert ("/nowhere/at/all", ".hidden") == (os.readlink(into / "broken"), os.readlink(into / "folder-link"))
    assert (into / "empty").is_dir()


async def test_sockets_and_pipes_are_refused(tmp_path: Path, into: Path) -> None:
    origin = tmp_path / "origin"
    origin.mkdir()
    os.mkfifo(origin / "pipe")
    await refused(WorkspaceSource(directory=str(origin)), into, "workspace.directory", "a named pipe")
    (origin / "pipe").unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(origin / "s"))
    await refused(WorkspaceSource(directory=str(origin)), into, "workspace.directory", "a socket")


async def test_large_directory_is_refused(tmp_path: Path, into: Path) -> None:
    origin = tmp_path / "origin"
    origin.mkdir()
    with (origin / "sparse").open("wb") as file:
        file.truncate(10_000_000_000)
    await refused(WorkspaceSource(directory=str(origin)), into, "workspace.max_bytes")


@pytest.mark.parametrize("change", ["edit", "new", "staged"])
async def test_uncommitted_changes_are_refused_unless_allowed(
    repository: Path, into: Path, git: Git, change: str
) -> None:
    (repository / ("new.txt" if change == "new" else "src/app.py")).write_text("changed\n")
    if change == "staged":
        git(repository, "add", "--all")
    await refused(WorkspaceSource(directory=str(repository)), into, "workspace.directory", "workspace.allow_dirty")
    before = (repository / ".git" / "index").read_bytes()
    await fetch(WorkspaceSource(directory=str(repository), allow_dirty=True), into)
    assert git(repository, "status", "--porcelain") == git(into, "status", "--porcelain")
    assert before == (repository / ".git" / "index").read_bytes()


async def test_clean_work_tree_is_copied_with_its_repository(repository: Path, into: Path, git: Git) -> None:
    (repository / "build").mkdir()
    (repository / "build" / "out").write_text("ignored, and copied")
    await fetch(WorkspaceSource(directory=str(repository)), into)
    assert git(repository, "rev-parse", "HEAD") == git(into, "rev-parse", "HEAD")
    assert "ignored, and copied" == (into / "build" / "out").read_text()


async def test_looking_for_changes_runs_nothing_of_the_repository(
    repository: Path, into: Path, git: Git, tmp_path: Path
) -> None:
    (repository / ".gitattributes").write_text("* filter=evil\n")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "attributes")
    for key in ("core.fsmonitor", "filter.evil.clean", "filter.evil.process"):
        git(repository, "config", key, f"touch {tmp_path}/trapped; cat")
    os.utime(repository / "src" / "app.py")
    await fetch(WorkspaceSource(directory=str(repository)), into)
    assert not (tmp_path / "trapped").exists()


async def test_linked_work_tree_becomes_a_repository_of_its_own(
    repository: Path, into: Path, git: Git, tmp_path: Path
) -> None:
    linked = tmp_path / "linked"
    git(repository, "worktree", "add", "--quiet", "-b", "side", str(linked))
    await fetch(WorkspaceSource(directory=str(linked)), into)
    assert (into / ".git").is_dir()
    (into / "src" / "app.py").write_text("in the copy\n")
    git(into, "commit", "--quiet", "--all", "--message", "in the copy")
    assert "side" == git(into, "branch", "--show-current")
    assert "first" == git(repository, "log", "-1", "--format=%s", "side")
    assert "" == git(linked, "status", "--porcelain")


async def test_submodule_becomes_a_repository_of_its_own(
    repository: Path, into: Path, git: Git, tmp_path: Path
) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "--quiet")
    git(outer, "submodule", "--quiet", "add", str(repository), "sub")
    await fetch(WorkspaceSource(directory=str(outer / "sub")), into)
    (into / "src" / "app.py").write_text("in the copy\n")
    assert "M src/app.py" == git(into, "status", "--porcelain").strip()
    assert "" == git(outer / "sub", "status", "--porcelain")


async def test_linked_work_trees_below_the_top_become_repositories_of_their_own(
    repository: Path, into: Path, git: Git
) -> None:
    (repository / ".git" / "info" / "exclude").write_text("trees/\n")
    git(repository, "worktree", "add", "--quiet", "-b", "side", "trees/side")
    await fetch(WorkspaceSource(directory=str(repository)), into)
    (into / "trees" / "side" / "src" / "app.py").write_text("in the copy\n")
    git(into / "trees" / "side", "commit", "--quiet", "--all", "--message", "in the copy")
    assert "in the copy" == git(into / "trees" / "side", "log", "-1", "--format=%s", "side")
    assert "first" == git(repository, "log", "-1", "--format=%s", "side")
    assert "" == git(repository / "trees" / "side", "status", "--porcelain")


@pytest.mark.parametrize("pointer", ["of the work tree", "absolute", "relative"])
async def test_submodules_below_the_top_never_lead_to_the_original(
    repository: Path, into: Path, git: Git, tmp_path: Path, pointer: str
) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "--quiet")
    git(outer, "submodule", "--quiet", "add", str(repository), "sub")
    git(outer, "commit", "--quiet", "--message", "with a submodule")
    if pointer == "absolute":
        (outer / "sub" / ".git").write_text(f"gitdir: {outer}/.git/modules/sub\n")
    if pointer == "of the work tree":
        git(outer, "worktree", "add", "--quiet", "-b", "side", "../linked")
        outer = tmp_path / "linked"
        git(outer, "submodule", "--quiet", "update", "--init")
    await fetch(WorkspaceSource(directory=str(outer)), into)
    (into / "sub" / "src" / "app.py").write_text("in the copy\n")
    git(into / "sub", "commit", "--quiet", "--all", "--message", "in the copy")
    assert "first" == git(outer / "sub", "log", "-1", "--format=%s")
    assert "" == git(outer / "sub", "status", "--porcelain")
    assert "in the copy" == git(into / "sub", "log", "-1", "--format=%s")


@pytest.mark.parametrize("text", ["gitdir: /no/such/place\n", "gitdir: a\0b", "gitdir:", "no pointer", ""])
async def test_pointer_below_the_top_that_leads_nowhere_is_copied_as_it_is(
    tmp_path: Path, into: Path, text: str
) -> None:
    (tmp_path / "origin" / "sub").mkdir(parents=True)
    (tmp_path / "origin" / "sub" / ".git").write_text(text)
    await fetch(WorkspaceSource(directory=str(tmp_path / "origin")), into)
    assert text == (into / "sub" / ".git").read_text()


async def test_links_that_lead_around_in_a_repository_do_not_stop_a_copy(repository: Path, into: Path) -> None:
    (repository / ".git" / "loop").symlink_to("loop")
    (repository / ".git" / "endless").symlink_to(repository)
    await fetch(WorkspaceSource(directory=str(repository)), into)
    assert "print('one')\n" == (into / "src" / "app.py").read_text()
    assert not (into / ".git" / "endless").exists()


@pytest.mark.parametrize("below", ["", "sub"])
async def test_repository_of_links_to_another_becomes_one_of_its_own(
    repository: Path, into: Path, git: Git, tmp_path: Path, below: str
) -> None:
    linked = tmp_path / "linked" / below
    git_dir = linked / ".git"
    git_dir.mkdir(parents=True)
    for name in ("config", "objects", "refs", "packed-refs", "logs"):  # as `git-new-workdir` makes it
        (git_dir / name).symlink_to(repository / ".git" / name)
    (git_dir / "HEAD").write_text("ref: refs/heads/main\n")
    git(linked, "reset", "--quiet", "--hard")
    await fetch(WorkspaceSource(directory=str(tmp_path / "linked"), allow_dirty=True), into)
    (into / below / "src" / "app.py").write_text("in the copy\n")
    git(into / below, "commit", "--quiet", "--all", "--message", "in the copy")
    git(into / below, "pack-refs", "--all")
    assert "in the copy" == git(into / below, "log", "-1", "--format=%s")
    assert "first" == git(repository, "log", "-1", "--format=%s")
    assert not (repository / ".git" / "packed-refs").exists()


async def test_borrowed_objects_are_brought_along(repository: Path, into: Path, git: Git, tmp_path: Path) -> None:
    borrower = tmp_path / "borrower"
    git(tmp_path, "clone", "--quiet", "--shared", str(repository), str(borrower))
    await fetch(WorkspaceSource(directory=str(borrower)), into)
    (repository / ".git" / "objects").rename(tmp_path / "objects-gone")
    assert "first" == git(into, "log", "-1", "--format=%s")


async def test_credentials_in_the_configuration_stay_behind(repository: Path, into: Path, git: Git) -> None:
    git(repository, "remote", "add", "origin", "https://me:secret1@x.test/r")
    git(repository, "config", "http.https://x.test/.extraheader", "AUTHORIZATION: basic secret2")
    git(repository, "config", "url.https://secret3@x.test/.insteadOf", "https://x.test/")
    git(repository, "config", "credential.helper", "store --file=secret4")
    await fetch(WorkspaceSource(directory=str(repository)), into)
    assert "secret" not in (into / ".git" / "config").read_text()
    assert "https://x.test/r" == git(into, "config", "remote.origin.url")


async def test_data_directory_inside_the_source_is_not_copied(repository: Path, git: Git) -> None:
    data = repository / ".longshift"
    into = data / "workspaces" / "t" / "tree"
    into.parent.mkdir(parents=True)
    await fetch(WorkspaceSource(directory=str(repository)), into, skip=data)
    assert (into / "AGENTS.md").exists()
    assert not (into / ".longshift").exists()


async def test_data_directory_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    with pytest.raises(BadInput, match="the runner's own data directory"):
        await fetch(WorkspaceSource(directory=str(tmp_path)), tmp_path / "w" / "tree", skip=tmp_path)


async def test_pointer_to_a_missing_repository_is_refused(tmp_path: Path, into: Path) -> None:
    origin = tmp_path / "origin"
    origin.mkdir()
    (origin / ".git").write_text("gitdir: /no/such/place\n")
    source = WorkspaceSource(directory=str(origin), allow_dirty=True)
    await refused(source, into, "workspace.directory", "not a repository")


def test_what_a_killed_fetch_left_is_removed(into: Path) -> None:
    (into.parent / ".tree.0123.part" / "tree").mkdir(parents=True)
    remove_parts(into.parent)
    assert [] == list(into.parent.iterdir())
