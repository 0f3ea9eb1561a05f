"""An empty workspace's shadow repository is the one that git makes, without git."""

import re
from pathlib import Path

from longshift.adapters.workspace.empty import EmptyShadow
from longshift.adapters.workspace.git import GitCall, GitResult, run_git
from longshift.adapters.workspace.shadow import Shadow


def a_shadow(folder: Path) -> Shadow:
    (folder / "tree").mkdir(parents=True)
    return Shadow(folder / "shadow.git", folder / "tree", protected=("tests/**",))


A_TIME = re.compile(rb"\b\d{10} [+-]\d{4}\b|\b[0-9a-f]{40}\b")
"""The second of a recording, and hashes over it: two recordings need not be in the same one."""


def content(git_dir: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(git_dir)): A_TIME.sub(b"<time>", path.read_bytes())
        for path in git_dir.rglob("*")
        if path.is_file() and path.name != "longshift.lock" and "objects" not in path.parts
    }


async def test_it_is_what_git_makes(tmp_path: Path) -> None:
    by_git, from_memory = a_shadow(tmp_path / "a"), a_shadow(tmp_path / "b")
    await by_git.create()
    base = await by_git.record_base()
    assert base == await EmptyShadow().record_base(from_memory)
    refs = {f"refs/heads/{name}" for name in ("base", "checkpoints")}
    assert content(by_git.git_dir).keys() >= {*refs, "HEAD", "config", "info/attributes", "info/exclude"}
    commits = {name: body for name, body in content(by_git.git_dir).items() if name not in refs}
    assert commits == {name: body for name, body in content(from_memory.git_dir).items() if name not in refs}


async def test_work_in_it_is_recorded_and_restored(tmp_path: Path) -> None:
    shadow = a_shadow(tmp_path)
    base = await EmptyShadow().record_base(shadow)
    assert base is not None
    assert (await shadow.checkpoint("nothing yet")).tree == base.tree
    (shadow.tree / "a.txt").write_text("a\n")
    recorded = await shadow.checkpoint("step 1")
    assert ["a.txt"] == await shadow.changed_files(base.tree, to_tree=recorded.tree)
    assert b"+a" in (await shadow.diff(base.tree))[0]
    await shadow.restore(base.tree)
    assert [] == list(shadow.tree.iterdir())
    await shadow.restore(recorded.tree)
    assert "a\n" == (shadow.tree / "a.txt").read_text()


async def test_git_is_asked_once_for_all_of_them(tmp_path: Path) -> None:
    calls: list[GitCall] = []

    async def counting(call: GitCall) -> GitResult:
        calls.append(call)
        return await run_git(call)

    empty = EmptyShadow(counting)
    await empty.record_base(a_shadow(tmp_path / "a"))
    once = len(calls)
    shadow = a_shadow(tmp_path / "b")
    await empty.record_base(shadow)
    await empty.record_base(shadow)  # as after a worker that died on the way
    assert once == len(calls)


async def test_a_tree_with_a_file_is_left_to_git(tmp_path: Path) -> None:
    shadow = a_shadow(tmp_path)
    (shadow.tree / "a.txt").write_text("a\n")
    assert await EmptyShadow().record_base(shadow) is None
    assert not shadow.git_dir.exists()
