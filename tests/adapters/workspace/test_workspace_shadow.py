"""The shadow repository sees what was done and runs nothing of what it sees."""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from longshift.adapters.sandbox.port import Sandbox
from longshift.adapters.workspace.delivery import export_text
from longshift.adapters.workspace.git import GitCall, GitResult, run_git
from longshift.adapters.workspace.git_places import GitPlaces
from longshift.adapters.workspace.shadow import Shadow
from longshift.contracts.errors import DiskFull, WorkspaceFailed

Git = Callable[..., str]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "a.txt").write_text("a\n")
    (folder / "b.bin").write_bytes(bytes(range(256)))
    return folder


@pytest_asyncio.fixture
async def shadow(tree: Path, sandbox: Sandbox) -> AsyncGenerator[Shadow]:
    places = GitPlaces(sandbox)
    yield Shadow(tree.parent / "shadow.git", tree, run=places.inside(tree.parent), huge_bytes=10_000)
    await places.close_all()


async def begun(shadow: Shadow) -> str:
    await shadow.create()
    return (await shadow.record_base()).tree


async def test_checkpoint_without_a_change_is_the_last_one(shadow: Shadow) -> None:
    tree = await begun(shadow)
    first, second = await shadow.checkpoint("one"), await shadow.checkpoint("two")
    assert tree == first.tree
    assert first == second


async def test_checkpoint_records_edits_additions_and_deletions(shadow: Shadow, tree: Path) -> None:
    base = await begun(shadow)
    (tree / "src" / "a.txt").write_text("changed\n")
    (tree / "new.txt").write_text("new\n")
    (tree / "b.bin").unlink()
    recorded = await shadow.checkpoint("step 1")
    assert base != recorded.tree
    assert ["b.bin", "new.txt", "src/a.txt"] == await shadow.changed_files(base)
    assert ["b.bin", "src/a.txt"] == await shadow.changed_files(base, kinds="a")


async def test_an_edit_that_keeps_size_and_time_is_seen(shadow: Shadow, tree: Path) -> None:
    base = await begun(shadow)
    path = tree / "src" / "a.txt"
    status = path.stat()
    path.write_text("z\n")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert ["src/a.txt"] == await shadow.changed_files(base)


async def test_patch_applies_to_the_users_repository(repository: Path, tmp_path: Path, git: Git) -> None:
    shadow = Shadow(tmp_path / "shadow.git", repository)
    base = await begun(shadow)
    (repository / "src" / "app.py").write_text("print('two')\r\nno end")
    (repository / "pic.bin").write_bytes(os.urandom(3_000))
    (repository / "run me.sh").write_text("#!/bin/sh\n")
    (repository / "run me.sh").chmod(0o755)
    (repository / "link").symlink_to("src/app.py")
    (repository / "AGENTS.md").unlink()
    patch, numstat = await shadow.diff(base)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(repository), str(clone))
    (tmp_path / "patch.diff").write_bytes(patch)
    git(clone, "apply", str(tmp_path / "patch.diff"))
    for name in ("src/app.py", "pic.bin", "run me.sh"):
        assert (repository / name).read_bytes() == (clone / name).read_bytes()
    assert os.access(clone / "run me.sh", os.X_OK)
    assert "src/app.py" == os.readlink(clone / "link")
    assert not (clone / "AGENTS.md").exists()
    assert "2\t1\tsrc/app.py" in numstat.splitlines()
    assert "-\t-\tpic.bin" in numstat.splitlines()


async def test_users_repository_is_not_touched(repository: Path, tmp_path: Path, git: Git) -> None:
    before = (repository / ".git" / "index").read_bytes(), git(repository, "rev-parse", "HEAD")
    shadow = Shadow(tmp_path / "shadow.git", repository)
    await begun(shadow)
    (repository / "src" / "app.py").write_text("changed")
    await shadow.checkpoint("one")
    assert before == ((repository / ".git" / "index").read_bytes(), git(repository, "rev-parse", "HEAD"))


async def test_ignored_files_are_noise_unless_the_user_tracks_them(repository: Path, tmp_path: Path) -> None:
    shadow = Shadow(tmp_path / "shadow.git", repository)
    base = await begun(shadow)
    (repository / "build").mkdir()
    (repository / "build" / "out").write_text("x")
    (repository / "node_modules").mkdir()
    (repository / "node_modules" / "m.js").write_text("x")
    (repository / "other.o").write_text("x")
    (repository / "kept.o").write_text("edited\n")
    assert ["kept.o"] == await shadow.changed_files(base)


async def test_protected_files_cannot_be_hidden_by_a_new_ignore_rule(tree: Path) -> None:
    (tree / "tests").mkdir()
    (tree / "tests" / "test_a.py").write_text("assert True\n")
    shadow = Shadow(tree.parent / "shadow.git", tree, protected=("tests/**",))
    base = await begun(shadow)
    (tree / ".gitignore").write_text("tests/conftest.py\nhidden/\n")
    (tree / "tests" / "conftest.py").write_text("cheat\n")
    nested = tree / "tests" / "hidden"
    nested.mkdir()
    (nested / "plugin.py").write_text("cheat\n")
    (tree / "tests" / "__pycache__").mkdir()
    (tree / "tests" / "__pycache__" / "x.pyc").write_text("noise")
    now = (await shadow.snapshot(with_protected=True)).tree
    changed = await shadow.changed_files(base, to_tree=now)
    assert [".gitignore", "tests/conftest.py", "tests/hidden/plugin.py"] == changed


async def test_protected_files_are_covered_although_they_were_always_ignored(tree: Path) -> None:
    (tree / ".gitignore").write_text("*.env\n*.log\n")
    (tree / "secret.env").write_text("1")
    (tree / "free.log").write_text("1")
    shadow = Shadow(tree.parent / "shadow.git", tree, protected=("*.env",))
    base = await begun(shadow)
    (tree / "secret.env").write_text("2")
    (tree / "free.log").write_text("2")
    (tree / "later.env").write_text("ignored by the rules from before work started")
    now = (await shadow.snapshot(with_protected=True)).tree
    assert ["secret.env"] == await shadow.changed_files(base, to_tree=now)


async def test_rules_of_nested_ignore_files_are_kept_from_before_work_started(tree: Path) -> None:
    (tree / "p" / "a [1]" / "out").mkdir(parents=True)
    (tree / "p" / "a [1]" / ".gitignore").write_text("# made by tools\nout/\n/*.tmp\n!keep.tmp\n")
    (tree / ".gitignore").write_text("*.tmp2\n")
    shadow = Shadow(tree.parent / "shadow.git", tree, protected=("p/**",))
    base = await begun(shadow)
    (tree / "p" / "a [1]" / ".gitignore").write_text("*\n")
    for name in ("out/x", "y.tmp", "keep.tmp", "z.tmp2", "new"):
        (tree / "p" / "a [1]" / name).write_text("x")
    now = (await shadow.snapshot(with_protected=True)).tree
    changed = await shadow.changed_files(base, to_tree=now)
    assert [f"p/a [1]/{name}" for name in (".gitignore", "keep.tmp", "new")] == changed


async def test_nested_repositories_are_recorded_as_files(shadow: Shadow, tree: Path, git: Git) -> None:
    base = await begun(shadow)
    for name in ("vendor", "vendor/inner", "empty"):
        (tree / name).mkdir()
        git(tree / name, "init", "--quiet")
    (tree / "vendor" / "v.txt").write_text("v\n")
    (tree / "vendor" / "inner" / "i.txt").write_text("i\n")
    git(tree / "vendor" / "inner", "add", "--all")
    git(tree / "vendor" / "inner", "commit", "--quiet", "--message", "inner")
    recorded = await shadow.checkpoint("cloned")
    assert ["vendor/inner/i.txt", "vendor/v.txt"] == await shadow.changed_files(base)
    (tree / "vendor" / "inner" / "i.txt").write_text("changed\n")
    assert ["vendor/inner/i.txt"] == await shadow.changed_files(recorded.tree)
    patch, _ = await shadow.diff(base)
    assert b"160000" not in patch


async def test_submodules_of_the_user_are_files(repository: Path, tmp_path: Path, git: Git) -> None:
    library = tmp_path / "library"
    library.mkdir()
    git(library, "init", "--quiet")
    (library / "lib.c").write_text("int x;\n")
    git(library, "add", "--all")
    git(library, "commit", "--quiet", "--message", "lib")
    git(repository, "submodule", "--quiet", "add", str(library), "lib")
    git(repository, "commit", "--quiet", "--message", "submodule")
    shadow = Shadow(tmp_path / "shadow.git", repository)
    base = await begun(shadow)
    (repository / "lib" / "lib.c").write_text("int y;\n")
    assert ["lib/lib.c"] == await shadow.changed_files(base)


async def test_restore_brings_back_every_covered_file(shadow: Shadow, tree: Path) -> None:
    (tree / "tool.sh").write_text("#!/bin/sh\n")
    (tree / "tool.sh").chmod(0o755)
    (tree / "crlf.txt").write_bytes(b"one\r\ntwo\n")
    (tree / ".gitattributes").write_text("* text=auto eol=lf\n*.txt filter=evil\n")
    (tree / "link").symlink_to("nowhere")
    base = await begun(shadow)
    (tree / "src" / "a.txt").unlink()
    (tree / "src").rmdir()
    (tree / "src").write_text("now a file\n")
    (tree / "b.bin").unlink()
    (tree / "b.bin").mkdir()
    (tree / "b.bin" / "x").write_text("now a folder\n")
    (tree / "link").unlink()
    (tree / "link").symlink_to("/etc")
    (tree / "tool.sh").chmod(0o644)
    (tree / "crlf.txt").write_bytes(b"gone\n")
    (tree / "new.txt").write_text("new\n")
    await shadow.restore(base)
    assert "a\n" == (tree / "src" / "a.txt").read_text()
    assert bytes(range(256)) == (tree / "b.bin").read_bytes()
    assert b"one\r\ntwo\n" == (tree / "crlf.txt").read_bytes()
    assert "nowhere" == os.readlink(tree / "link")
    assert os.access(tree / "tool.sh", os.X_OK)
    assert not (tree / "new.txt").exists()
    assert base == await shadow.tree_hash()


async def test_restore_makes_way_where_ignored_things_took_a_files_place(shadow: Shadow, tree: Path) -> None:
    base = await begun(shadow)
    (tree / "b.bin").unlink()
    (tree / "b.bin" / "node_modules").mkdir(parents=True)
    (tree / "b.bin" / "node_modules" / "m.js").write_text("ignored")
    (tree / "src" / "a.txt").unlink()
    (tree / "src").rmdir()
    (tree / ".gitignore").write_text("/src\n")
    outside = tree.parent / "outside"
    outside.mkdir()
    (tree / "src").symlink_to(outside)
    await shadow.restore(base)
    assert base == await shadow.tree_hash()
    assert [] == list(outside.iterdir())


async def test_restore_leaves_ignored_files_alone(shadow: Shadow, tree: Path) -> None:
    base = await begun(shadow)
    (tree / "node_modules").mkdir()
    (tree / "node_modules" / "m.js").write_text("kept")
    (tree / "src" / "a.txt").write_text("x")
    await shadow.restore(base)
    assert "kept" == (tree / "node_modules" / "m.js").read_text()


async def test_restoring_an_unknown_tree_fails_and_changes_nothing(shadow: Shadow, tree: Path) -> None:
    await begun(shadow)
    with pytest.raises(WorkspaceFailed):
        await shadow.restore("1" * 40)
    assert "a\n" == (tree / "src" / "a.txt").read_text()


async def test_a_folder_replaced_by_a_link_is_a_deletion_of_its_files(shadow: Shadow, tree: Path) -> None:
    base = await begun(shadow)
    copy = tree.parent / "elsewhere"
    (tree / "src").rename(copy)
    (tree / "src").symlink_to(copy)
    assert ["src", "src/a.txt"] == await shadow.changed_files(base)


async def test_a_link_in_place_of_gitmodules_is_a_change(shadow: Shadow, tree: Path) -> None:
    (tree / ".gitmodules").write_text("[submodule]\n")
    base = await begun(shadow)
    (tree / ".gitmodules").unlink()
    (tree / ".gitmodules").symlink_to("elsewhere")
    assert [".gitmodules"] == await shadow.changed_files(base)


async def test_huge_new_files_are_left_out_and_reported(shadow: Shadow, tree: Path) -> None:
    (tree / "data.bin").write_bytes(b"x" * 20_000)
    await shadow.create()
    base = await shadow.record_base()
    assert ("data.bin",) == base.left_out
    (tree / "more.bin").write_bytes(b"y" * 20_000)
    (tree / "src" / "a.txt").write_bytes(b"grown" * 4_000)
    recorded = await shadow.checkpoint("one")
    assert ("data.bin", "more.bin") == recorded.left_out
    assert ["src/a.txt"] == await shadow.changed_files(base.tree)


async def test_a_new_file_that_grows_too_large_leaves_the_record(shadow: Shadow, tree: Path) -> None:
    base = await begun(shadow)
    (tree / "log").write_text("short")
    await shadow.checkpoint("one")
    (tree / "log").write_bytes(b"x" * 20_000)
    assert ("log",) == (await shadow.checkpoint("two")).left_out
    assert [] == await shadow.changed_files(base)


async def test_huge_files_that_the_user_tracks_are_covered(repository: Path, tmp_path: Path, git: Git) -> None:
    (repository / "model.bin").write_bytes(b"x" * 20_000)
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "model")
    shadow = Shadow(tmp_path / "shadow.git", repository, huge_bytes=10_000)
    base = await begun(shadow)
    (repository / "model.bin").write_bytes(b"y" * 20_000)
    assert ["model.bin"] == await shadow.changed_files(base)


async def test_impossible_names_and_sockets_do_not_stop_a_checkpoint(shadow: Shadow, tree: Path) -> None:
    base = await begun(shadow)
    (tree / "deep" / ".GIT").mkdir(parents=True)
    (tree / "deep" / ".GIT" / "config").write_text("x")
    os.mkfifo(tree / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tree / "sock"))
    odd = os.fsdecode(b"\xff\n\\:odd \xe2\x82\xac")
    (tree / odd).write_text("odd name")
    recorded = await shadow.checkpoint("one")
    assert ("deep/.GIT/config",) == recorded.left_out
    assert [odd] == await shadow.changed_files(base)


async def test_nothing_that_the_tree_configures_is_run(repository: Path, tmp_path: Path, git: Git) -> None:
    shadow = Shadow(tmp_path / "shadow.git", repository, protected=("src/**",))
    base = await begun(shadow)
    trap = f"touch {tmp_path}/trapped; cat"
    for key in ("core.fsmonitor", "filter.evil.clean", "filter.evil.smudge", "diff.evil.textconv", "diff.external"):
        git(repository, "config", key, trap)
    (repository / ".gitattributes").write_text("* filter=evil diff=evil\n")
    hook = repository / ".git" / "hooks" / "post-index-change"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\n{trap}\n")
    hook.chmod(0o755)
    (repository / "src" / "app.py").write_text("x\n")
    await shadow.checkpoint("one")
    await shadow.diff(base)
    await shadow.restore(base)
    await shadow.create()
    assert not (tmp_path / "trapped").exists()


async def test_locks_left_by_a_killed_git_are_recovered(shadow: Shadow, tree: Path) -> None:
    base = await begun(shadow)
    for name in ("index.lock", "HEAD.lock", "refs/heads/checkpoints.lock"):
        (shadow.git_dir / name).write_text("")
    (tree / "new.txt").write_text("new")
    await shadow.checkpoint("one")
    assert ["new.txt"] == await shadow.changed_files(base)


@pytest.mark.parametrize("damage", [b"", b"DIRC garbage", b"\0" * 4_096])
async def test_a_damaged_index_is_made_again(shadow: Shadow, tree: Path, damage: bytes) -> None:
    base = await begun(shadow)
    (tree / "new.txt").write_text("new")
    (shadow.git_dir / "index").write_bytes(damage)
    assert ["new.txt"] == await shadow.changed_files(base)


async def test_concurrent_checkpoints_queue_up(shadow: Shadow, tree: Path) -> None:
    await begun(shadow)
    again = Shadow(shadow.git_dir, shadow.tree, huge_bytes=10_000)
    (tree / "new.txt").write_text("new")
    results = await asyncio.gather(*(one.checkpoint("x") for one in (shadow, again) * 4))
    assert 1 == len({result.commit for result in results})


async def test_git_holds_the_lock_even_when_its_caller_is_gone(shadow: Shadow) -> None:
    await begun(shadow)
    calls: list[GitCall] = []

    async def record(call: GitCall) -> GitResult:
        calls.append(call)
        return await run_git(call)

    await Shadow(shadow.git_dir, shadow.tree, run=record).checkpoint("one")
    assert calls
    assert all(call.keep_open for call in calls)
    assert {"/dev/null"} == {call.environment["GIT_CONFIG_GLOBAL"] for call in calls}


async def test_files_that_cannot_be_read_are_left_out_after_retries(shadow: Shadow, tree: Path) -> None:
    base = await begun(shadow)
    for name in ("good.txt", "moving.txt", "other.txt"):
        (tree / name).write_text(name)

    async def failing(call: GitCall) -> GitResult:
        if "--add" in call.arguments and b"moving.txt" in call.stdin:
            return GitResult(call.arguments, 128, stderr="error: short read while indexing moving.txt")
        return await run_git(call)

    recorded = await Shadow(shadow.git_dir, tree, run=failing).checkpoint("one")
    assert ("moving.txt",) == recorded.left_out
    assert ["good.txt", "other.txt"] == await shadow.changed_files(base, to_tree=recorded.tree)


@pytest.mark.parametrize(
    "complaint",
    [
        "error: unable to write: No space left on device",
        "fatal: sha1 file 'index.lock' write error. Out of diskspace",
    ],
)
async def test_a_full_disk_is_named(shadow: Shadow, tree: Path, complaint: str) -> None:
    await begun(shadow)
    (tree / "new.txt").write_text("new")

    async def full(call: GitCall) -> GitResult:
        if "--add" in call.arguments:
            return GitResult(call.arguments, 128, stderr=complaint)
        return await run_git(call)

    with pytest.raises(DiskFull):
        await Shadow(shadow.git_dir, tree, run=full).checkpoint("one")


async def test_base_is_recorded_for_an_empty_tree(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    shadow = Shadow(tmp_path / "shadow.git", tmp_path / "tree")
    base = await begun(shadow)
    assert {} == await shadow.sizes(base)
    (tmp_path / "tree" / "first.txt").write_text("1")
    assert {"first.txt": 1} == await shadow.sizes(await shadow.tree_hash())


async def test_git_that_prints_too_much_or_takes_too_long_is_ended(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    loud = ("-c", "alias.loud=!yes", "loud")
    cut = await run_git(GitCall(loud, tmp_path, environment, output_limit_bytes=100_000))
    assert (True, 100_000) == (cut.is_cut, len(cut.stdout))
    late = await run_git(GitCall(("-c", "alias.late=!sleep 30", "late"), tmp_path, environment, timeout_seconds=0.1))
    assert late.timed_out
    assert "took too long" in str(late.failure())


async def test_changes_for_reading_name_binary_files_and_are_cut_where_they_are_too_large(
    shadow: Shadow, tree: Path
) -> None:
    base = await begun(shadow)
    (tree / "src" / "a.txt").write_text("new words\n" * 50)
    (tree / "pic.bin").write_bytes(bytes(range(256)) * 20)
    whole = await export_text(shadow, base)
    assert (["pic.bin", "src/a.txt"], 2, True) == (list(whole.files), whole.files_count, whole.is_whole)
    assert ("+new words" in whole.text, "Binary files /dev/null and b/pic.bin differ" in whole.text) == (True, True)
    head = await export_text(shadow, base, limit_characters=100)
    assert (whole.text[:100], whole.files, False) == (head.text, head.files, head.is_whole)
    without = await export_text(shadow, base, limit_bytes=2_000)
    assert ("pic.bin" in without.text, "+new words" in without.text, without.is_whole) == (False, True, False)
