"""What is known of a repository is not asked again, and never taken for more than it is."""

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from longshift.adapters.workspace.facts import ENTRIES_LIMIT, LISTING_LIMIT_BYTES, Facts
from longshift.adapters.workspace.git import GitCall, GitResult, run_git
from longshift.adapters.workspace.shadow import Shadow


class Counting:
    """Runs git, and counts by command."""

    def __init__(self) -> None:
        self.commands: Counter[str] = Counter()

    async def __call__(self, call: GitCall) -> GitResult:
        self.commands[call.arguments[0]] += 1
        return await run_git(call)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a.txt").write_text("a\n" * 40)
    return tmp_path / "tree"


async def begun(tree: Path) -> tuple[Shadow, Counting, str]:
    run = Counting()
    shadow = Shadow(tree.parent / "shadow.git", tree, run=run)
    await shadow.create()
    base = (await shadow.record_base()).tree
    run.commands.clear()
    return shadow, run, base


async def test_files_that_did_not_change_are_not_recorded_again_by_whoever_comes(tree: Path) -> None:
    shadow, run, base = await begun(tree)
    assert [base, base] == [await shadow.tree_hash(), await replace(shadow, facts=Facts()).tree_hash()]
    assert {"ls-files": 2} == run.commands


async def test_an_index_that_was_changed_is_recorded(tree: Path) -> None:
    shadow, run, base = await begun(tree)
    (tree / "b.txt").write_text("b\n")
    changed = await shadow.tree_hash()
    (tree / "b.txt").unlink()
    assert base != changed
    assert base == await shadow.tree_hash()
    assert 2 == run.commands["write-tree"]


@pytest.mark.parametrize("known", [b"", b"nothing\n", b"0" * 40 + b" " + b"1" * 40 + b"\n", b"\xff" * 90])
async def test_what_is_damaged_or_of_another_index_is_not_believed(tree: Path, known: bytes) -> None:
    shadow, _, base = await begun(tree)
    (shadow.git_dir / "index-tree").write_bytes(known)
    assert base == await shadow.tree_hash()


async def test_two_trees_are_compared_once(tree: Path) -> None:
    shadow, run, base = await begun(tree)
    name = os.fsdecode(b"n\xff\tw\n")
    (tree / name).write_text("n\n")
    (tree / "a.txt").unlink()
    first = await shadow.changed_files(base)
    assert ["a.txt", name] == first
    assert first == await shadow.changed_files(base)
    assert 1 == run.commands["diff-tree"]


async def test_a_checkpoint_that_was_made_here_is_not_looked_up(tree: Path) -> None:
    shadow, run, _ = await begun(tree)
    (tree / "a.txt").write_text("b\n")
    first = await shadow.checkpoint("one")
    run.commands.clear()
    assert first == await shadow.checkpoint("two")
    assert first == await replace(shadow, facts=Facts()).checkpoint("three")
    assert {"ls-files": 2, "log": 1} == run.commands


async def test_a_moved_file_is_moved_in_the_patch_and_counted_whole(tree: Path) -> None:
    shadow, _, base = await begun(tree)
    (tree / "a.txt").rename(tree / "b.txt")
    patch, numstat = await shadow.diff(base)
    assert b"rename to b.txt" in patch
    assert ["0\t40\ta.txt", "40\t0\tb.txt"] == numstat.splitlines()


async def test_patch_and_counts_of_files_that_stay_come_from_one_call(tree: Path) -> None:
    shadow, run, base = await begun(tree)
    (tree / "a.txt").write_text("a\n\n\n")
    (tree / "b.bin").write_bytes(b"\0\n\n")
    await shadow.tree_hash()
    run.commands.clear()
    patch, numstat = await shadow.diff(base)
    assert patch.startswith(b"diff --git a/a.txt b/a.txt\n")
    assert b"GIT binary patch" in patch
    assert ["2\t39\ta.txt", "-\t-\tb.bin"] == numstat.splitlines()
    assert 2 == run.commands["diff-tree"]
    assert (b"", "") == await shadow.diff(base, without=["a.txt", "b.bin"])


def test_no_more_is_kept_than_a_little() -> None:
    facts = Facts()
    for number in range(2 * ENTRIES_LIMIT):
        facts.learn_commit(str(number), "tree")
        facts.learn_listing("since", str(number), b"")
    facts.learn_listing("since", "long", b" " * (LISTING_LIMIT_BYTES + 1))
    assert [str(number) for number in range(ENTRIES_LIMIT, 2 * ENTRIES_LIMIT)] == list(facts.commits)
    assert ENTRIES_LIMIT == len(facts.listings)
    assert ("since", "long") not in facts.listings
