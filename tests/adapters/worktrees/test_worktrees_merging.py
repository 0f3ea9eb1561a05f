"""Sealed work becomes one history; what does not fit, or may not be merged, is said and changes nothing."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from obstore.store import MemoryStore

from longshift.adapters.store import Store
from longshift.adapters.workspace.git import GitCall, GitResult, run_git
from longshift.adapters.workspace.git_places import GitPlaces
from longshift.adapters.worktrees import history
from longshift.adapters.worktrees.three_way import merge_trees
from longshift.contracts import ids
from longshift.contracts.errors import WorkspaceFailed
from longshift.contracts.swarm_activities import Merge
from tests.adapters.workspace.confined import sandbox_named
from tests.adapters.worktrees.merge_lab import ENDED_AT, SWARM, Content, Lab, read, write

LINES = "".join(f"line {number}\n" for number in range(30))
BASE: dict[str, Content] = {
    "a.py": LINES,
    "b.py": "b\n",
    "pixel.png": b"\x89PNG\0one",
    "tool.sh": "#!/bin/sh\n",
    "docs/one.md": "one\n",
    "docs/two.md": "two\n",
    ".gitignore": "*.o\nbuild/\n",
}


@pytest_asyncio.fixture
async def lab(lab: Lab) -> Lab:
    await lab.begin(BASE)
    return lab


def changed(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


async def log_of(lab: Lab, number: int, *form: str) -> str:
    shadow = lab.shadow("integration")
    async with shadow.held() as git:
        commit = await lab.integrating().state(git, number)
        return (await git("log", "--topo-order", *form, commit)).text


async def test_work_from_the_same_base_is_merged_in_order_with_the_names_of_the_items(lab: Lab) -> None:
    a = await lab.seal("a", {"a.py": changed(LINES, "line 3\n", "line three\n")}, scope=("a.py",))
    b = await lab.seal(
        "b", {"a.py": changed(LINES, "line 20\n", "line twenty\n"), "new.py": "n\n"}, goal="Twenty\nmore"
    )
    digest = await lab.merge(a, b)
    assert (1, ("a", "b"), "") == (digest.number, digest.merged, digest.conflict)
    files = read(lab.tree("integration"))
    assert changed(changed(LINES, "line 3\n", "line three\n"), "line 20\n", "line twenty\n") == files["a.py"]
    assert "n\n" == files["new.py"]
    subjects = (await log_of(lab, 1, "--first-parent", "--format=%s")).splitlines()
    assert ["swarm1: b: Twenty", "swarm1: a: Mend a", history.BASE_MESSAGE] == subjects
    newest = await log_of(lab, 1, "-1", "--format=%B%ct %P")
    assert "I mended b." in newest
    assert "Longshift-Item: b\nLongshift-Agent: mend.swarm1.b/lead\nLongshift-Attempt: 1" in newest
    assert f"{int(ENDED_AT)} " in newest
    assert 2 == len(newest.splitlines()[-1].split()[1:])


async def test_the_same_merge_made_twice_or_elsewhere_is_the_same_commit(lab: Lab) -> None:
    merges = [await lab.seal(name, {f"{name}.py": name}) for name in ("x", "y", "z")]
    first = await lab.integrating().merged(0, tuple(merges), 1)
    again = await lab.integrating().merged(0, tuple(merges), 1)
    commit = await log_of(lab, 1, "-1", "--format=%H")
    await lab.lose_integration()
    elsewhere = await lab.integrating().merged(0, tuple(merges), 1)
    assert first == again == elsewhere
    assert commit == await log_of(lab, 1, "-1", "--format=%H")
    assert "x" == read(lab.tree("integration"))["x.py"]


async def test_a_merge_that_was_cut_off_before_it_was_recorded_comes_to_the_same(lab: Lab) -> None:
    merge = await lab.seal("x", {"x.py": "x"})
    await lab.merge(merge)
    commit = await log_of(lab, 1, "-1", "--format=%H")
    shutil.copytree(lab.folder / "integration", lab.folder / "other", symlinks=True)
    lab.store = await without(lab, ids.merge_key(SWARM, 1))
    await lab.integrating("other").merged(0, (merge,), 1)
    shadow = lab.shadow("other")
    async with shadow.held() as git:
        assert commit == await lab.integrating("other").state(git, 1)


async def without(lab: Lab, *keys: str) -> Store:
    """The store as it would be without these objects."""
    fresh = Store(MemoryStore())
    for key in await lab.store.list(""):
        if key not in keys:
            await fresh.create(key, await lab.store.get(key))
    return fresh


async def test_a_lost_integration_is_made_again_from_the_store(lab: Lab) -> None:
    await lab.merge(await lab.seal("x", {"x.py": "x"}))
    await lab.merge(await lab.seal("y", {"y.py": "y"}, base=1), onto=1)
    z = await lab.seal("z", {"z.py": "z"}, base=2)
    await lab.lose_integration()
    digest = await lab.merge(z, onto=2)
    assert (3, ("z",)) == (digest.number, digest.merged)
    assert {"x.py", "y.py", "z.py"} <= read(lab.tree("integration")).keys()


async def test_whatever_was_left_in_the_worktree_the_files_are_those_of_the_state(lab: Lab) -> None:
    await lab.merge(await lab.seal("x", {"x.py": "x"}))
    y = await lab.seal("y", {"y.py": "y"})
    write(lab.tree("integration"), {"a.py": "spoilt", "junk.txt": "junk", "x.py": None, "build/out.o": "kept"})
    await lab.merge(y, onto=0)
    files = read(lab.tree("integration"))
    assert {**BASE, "y.py": "y", "build/out.o": "kept"} == files


async def test_work_is_merged_up_to_the_first_conflict_and_what_was_merged_stays(lab: Lab) -> None:
    a = await lab.seal("a", {"a.py": changed(LINES, "line 3\n", "A\n")})
    b = await lab.seal("b", {"a.py": changed(LINES, "line 3\n", "B\n")})
    c = await lab.seal("c", {"c.py": "c"})
    digest = await lab.merge(a, b, c)
    assert (1, ("a",), "b", ("a.py",)) == (digest.number, digest.merged, digest.conflict, digest.conflict_files)
    assert changed(LINES, "line 3\n", "A\n") == read(lab.tree("integration"))["a.py"]
    assert (1, (), "b") == ((again := await lab.merge(b, c, onto=1)).number, again.merged, again.conflict)


CONFLICTS: dict[str, tuple[dict[str, Content], dict[str, Content], str]] = {
    "binary": ({"pixel.png": b"\x89PNG\0two"}, {"pixel.png": b"\x89PNG\0three"}, "pixel.png"),
    "delete and modify": ({"a.py": None}, {"a.py": changed(LINES, "line 3\n", "B\n")}, "a.py"),
    "modify and delete": ({"a.py": changed(LINES, "line 3\n", "B\n")}, {"a.py": None}, "a.py"),
    "renamed twice": ({"a.py": None, "one.py": LINES}, {"a.py": None, "two.py": LINES}, "one.py"),
    "added twice": ({"new.py": "one\n"}, {"new.py": "two\n"}, "new.py"),
    "a file in the way of a folder": ({"way": "file\n"}, {"way/in.py": "i\n"}, "way"),
    "a folder in the way of a file": ({"way/in.py": "i\n"}, {"way": "file\n"}, "way"),
    "a link and a file": ({"b.py": Path("a.py")}, {"b.py": "bb\n"}, "b.py"),
    "two links": ({"link": Path("a.py")}, {"link": Path("b.py")}, "link"),
    "added into a renamed folder": (
        {"docs/one.md": None, "docs/two.md": None, "text/one.md": "one\n", "text/two.md": "two\n"},
        {"docs/three.md": "three\n"},
        "text/three.md",
    ),
}


@pytest.mark.parametrize("kind", CONFLICTS)
async def test_every_kind_of_conflict_is_named_and_changes_nothing(lab: Lab, kind: str) -> None:
    ours, theirs, file = CONFLICTS[kind]
    digest = await lab.merge(await lab.seal("a", ours), await lab.seal("b", theirs))
    assert ("b", ("a",)) == (digest.conflict, digest.merged)
    assert file in digest.conflict_files
    expected = {name: content for name, content in {**BASE, **ours}.items() if content is not None}
    assert expected == read(lab.tree("integration"))


FITTING: dict[str, tuple[dict[str, Content], dict[str, Content], dict[str, Content]]] = {
    "mode and content": ({"tool.sh*": "#!/bin/sh\n"}, {"tool.sh": "#!/bin/sh\n:\n"}, {"tool.sh*": "#!/bin/sh\n:\n"}),
    "renamed and changed": (
        {"a.py": None, "moved.py": LINES},
        {"a.py": changed(LINES, "line 3\n", "B\n")},
        {"moved.py": changed(LINES, "line 3\n", "B\n")},
    ),
    "the case of a name alone": ({"b.py": None, "B.py": "b\n"}, {"c.py": "c\n"}, {"B.py": "b\n", "c.py": "c\n"}),
    "names that differ in case": ({"README": "1\n"}, {"readme": "2\n"}, {"README": "1\n", "readme": "2\n"}),
    "the same change twice": ({"b.py": "same\n"}, {"b.py": "same\n"}, {"b.py": "same\n"}),
    "both removed": ({"b.py": None}, {"b.py": None}, {}),
    "names beyond ASCII": ({"\N{SNOWMAN} x": "x\n"}, {"y\ty": "y\n"}, {"\N{SNOWMAN} x": "x\n", "y\ty": "y\n"}),
}


@pytest.mark.parametrize("kind", FITTING)
async def test_what_fits_is_merged(lab: Lab, kind: str) -> None:
    ours, theirs, expected = FITTING[kind]
    digest = await lab.merge(await lab.seal("a", ours), await lab.seal("b", theirs))
    assert ("", ("a", "b")) == (digest.conflict, digest.merged)
    files = read(lab.tree("integration"))
    assert expected == {name: content for name, content in files.items() if name in expected}


async def test_attributes_and_drivers_of_the_project_have_no_say(lab: Lab) -> None:
    a = await lab.seal("a", {".gitattributes": "*.py merge=ours\n* merge=union\n"})
    await lab.merge(a)
    b = await lab.seal("b", {"a.py": changed(LINES, "line 3\n", "B\n")}, base=1)
    c = await lab.seal("c", {"a.py": changed(LINES, "line 3\n", "C\n")}, base=1)
    assert "c" == (await lab.merge(b, c, onto=1)).conflict


async def test_an_item_that_changed_nothing_is_merged_without_a_commit(lab: Lab) -> None:
    digest = await lab.merge(await lab.seal("a", {}))
    assert (0, ("a",)) == (digest.number, digest.merged)


async def test_work_outside_of_its_write_scope_is_not_merged(lab: Lab) -> None:
    a = await lab.seal("a", {"a.py": "a\n", "b.py": "c\n"}, scope=("a.py",))
    digest = await lab.merge(a)
    assert (0, "a") == (digest.number, digest.conflict)
    assert "it changes 1 files outside of its write scope: b.py" == digest.failure


async def test_work_that_was_begun_on_something_else_is_not_merged(lab: Lab) -> None:
    await lab.merge(await lab.seal("red", {"r.py": "r\n"}))
    on_red = await lab.seal("b", {"b.py": "c\n"}, base=1)
    digest = await lab.merge(on_red, onto=0)
    assert "its work was not begun on a state of this swarm" == digest.failure


async def test_a_bundle_that_is_damaged_or_gone_fails_its_item_alone(lab: Lab) -> None:
    good = await lab.seal("good", {"g.py": "g\n"})
    key = ids.item_changes_key(SWARM, "bad", 1)
    await lab.store.create(key, b"# v2 git bundle\nno bundle at all\n")
    bad = await lab.seal("bad", {"b.py": "c\n"})
    gone = Merge(item="gone")
    digest = await lab.merge(good, bad)
    assert (("good",), "bad") == (digest.merged, digest.conflict)
    assert "damaged" in digest.failure
    assert "its sealed work is not in the store" == (await lab.merge(gone)).failure


@pytest.mark.parametrize(
    ("mode", "path"),
    [("160000", "sub"), ("100644", "x/.git/config"), ("100644", ".GIT"), ("120000", ".git")],
)
async def test_what_no_workspace_has_is_not_merged(lab: Lab, mode: str, path: str) -> None:
    good = await lab.seal("good", {"g.py": "g\n"})
    shadow = lab.shadow("integration")
    async with shadow.held() as git:
        base = await history.base_commit(git, lab.base_tree)
        blob = (await git("hash-object", "-w", "--stdin", stdin=b"x")).text
        made = tree = lab.base_tree
        *folders, name = path.split("/")
        row = f"{mode} {'commit' if mode == '160000' else 'blob'} {base if mode == '160000' else blob}\t{name}"
        for folder in [*reversed(folders), ""]:
            listed = "" if folder else (await git("ls-tree", tree)).stdout.decode()
            made = (await git("mktree", "--missing", stdin=f"{listed}{row}\n".encode())).text
            row = f"040000 tree {made}\t{folder}"
        bundle = await history.seal_bundle(git, base, made, "evil")
    await lab.store.create(ids.item_changes_key(SWARM, "evil", 1), bundle)
    evil = await lab.seal("evil", {"e.py": "e\n"})
    digest = await lab.merge(evil)
    assert ("evil", 0) == (digest.conflict, digest.number)
    assert digest.failure
    assert ("good",) == (await lab.merge(good)).merged
    assert BASE.keys() | {"g.py"} == read(lab.tree("integration")).keys()


async def test_the_work_of_a_resolver_is_merged_under_the_name_of_the_item(lab: Lab) -> None:
    a = await lab.seal("a", {"a.py": changed(LINES, "line 3\n", "A\n")})
    b = await lab.seal("b", {"a.py": changed(LINES, "line 3\n", "B\n")}, goal="Three")
    await lab.merge(a, b)
    mended = await lab.seal("b", {"a.py": changed(LINES, "line 3\n", "A B\n")}, base=1, by="b.fix1")
    assert ("b",) == (await lab.merge(mended, onto=1)).merged
    message = await log_of(lab, 2, "-1", "--format=%B")
    assert message.startswith("swarm1: b: Mend b\n")
    assert "Longshift-Item: b\n" in message
    assert "Longshift-Resolver: b.fix1" in message


async def test_a_git_that_is_too_old_says_so(tmp_path: Path) -> None:
    async def old(call: GitCall) -> GitResult:
        if "merge-tree" in call.arguments:
            return GitResult(call.arguments, 129, stderr="usage: git merge-tree <base-tree> <branch1> <branch2>")
        if "version" in call.arguments:
            return GitResult(call.arguments, 0, stdout=b"git version 2.34.1\n")
        return await run_git(call)

    lab = Lab(tmp_path, GitPlaces(sandbox_named("none", tmp_path), old))
    await lab.begin(BASE)
    shadow = lab.shadow("lead")
    async with shadow.held() as git:
        empty = (await git("mktree", stdin=b"")).text
        with pytest.raises(WorkspaceFailed, match=r"install git 2\.38 or later"):
            await merge_trees(git, lab.base_tree, lab.base_tree, empty)


async def test_a_swarm_does_not_take_a_state_of_an_earlier_one_of_its_session_for_its_own(lab: Lab) -> None:
    await lab.merge(await lab.seal("a", {"a.py": "a\n"}))
    first, second = lab.integrating("lead"), replace(lab.integrating("lead"), swarm="mend.swarm2", states={})
    async with lab.shadow("integration").held() as git:
        base = await history.base_commit(git, lab.base_tree)
        empty = (await git("mktree", stdin=b"")).text
        commit = await history.committed(git, empty, (base,), "all is removed")
        await lab.store.create(ids.integration_key(second.swarm, 1), await history.bundled(git, commit, base))
    async with lab.shadow("lead").held() as git:
        assert commit != await first.state(git, 1)
        assert commit == await second.state(git, 1)


async def test_files_are_written_only_where_they_are_wanted(lab: Lab) -> None:
    a, b = await lab.seal("a", {"a.py": "a\n"}), await lab.seal("b", {"b.py": "bb\n"})
    digest = await lab.integrating().merged(0, (a,), 1, writes_files=False)
    assert (("a",), "") == (digest.merged, digest.tree)
    assert LINES == read(lab.tree("integration"))["a.py"]
    digest = await lab.integrating().merged(1, (b,), 2)
    assert digest.tree
    assert ("a\n", "bb\n") == tuple(read(lab.tree("integration"))[name] for name in ("a.py", "b.py"))
