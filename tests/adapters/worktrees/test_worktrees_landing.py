"""The swarm's result comes into the lead's files and into a branch; nothing that anybody changed is overwritten."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from longshift.adapters.worktrees.landing import Landed, land
from longshift.adapters.worktrees.user_branch import Branch, UserBranch, branch_name
from tests.adapters.worktrees.merge_lab import SWARM, Content, Lab, read, write
from tests.user_git import USER_ENVIRONMENT

LINES = "".join(f"line {number}\n" for number in range(30))
BASE: dict[str, Content] = {
    "a.py": LINES,
    "b.py": "b\n",
    "gone.py": "g\n",
    "docs/one.md": "one\n",
    ".gitignore": "*.o\nbuild/\n",
}


def user(tree: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=tree, env=USER_ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


async def integrated(lab: Lab, changes: Mapping[str, Content]) -> int:
    """One item with these changes is merged; gives the state."""
    return (await lab.merge(await lab.seal("a", changes))).number


async def landed(lab: Lab, number: int) -> Landed:
    integrating = lab.integrating("lead")
    async with integrating.shadow.held() as git:
        tree = (await git("rev-parse", f"{await integrating.state(git, number)}^{{tree}}")).text
    return await land(integrating.shadow, lab.base_tree, tree)


async def branch_of(lab: Lab, number: int, source_commit: str = "") -> Branch:
    integrating = lab.integrating("lead")
    async with integrating.shadow.held() as git:
        base, tip = await integrating.state(git, 0), await integrating.state(git, number)
        return await UserBranch(git, SWARM, base, tip).made(source_commit)


def line(number: int, text: str) -> str:
    return LINES.replace(f"line {number}\n", text)


async def test_what_both_changed_in_different_places_is_put_together(lab: Lab) -> None:
    await lab.begin(BASE)
    number = await integrated(lab, {"a.py": line(20, "swarm\n"), "new/n.py*": "n\n", "gone.py": None})
    write(lab.tree("lead"), {"a.py": line(3, "lead\n"), "b.py": "changed\n", "log.txt": "job\n", "build/x": "x"})
    first = await landed(lab, number)
    assert () == first.kept
    expected = {
        **{name: content for name, content in BASE.items() if name != "gone.py"},
        "a.py": line(20, "swarm\n").replace("line 3\n", "lead\n"),
        "new/n.py*": "n\n",
        "b.py": "changed\n",
        "log.txt": "job\n",
        "build/x": "x",
    }
    assert expected == read(lab.tree("lead"))
    assert first == await landed(lab, number)
    assert expected == read(lab.tree("lead"))


CONFLICTS: dict[str, tuple[dict[str, Content], dict[str, Content], tuple[str, ...]]] = {
    "the same lines": ({"a.py": line(3, "swarm\n")}, {"a.py": line(3, "lead\n")}, ("a.py",)),
    "changed and removed": ({"b.py": None}, {"b.py": "changed\n"}, ("b.py",)),
    "removed and changed": ({"b.py": "changed\n"}, {"b.py": None}, ("b.py",)),
    "both made": ({"n.py": "swarm\n"}, {"n.py": "lead\n"}, ("n.py",)),
    "an ignored file": ({"x.o": "swarm\n", ".gitignore": "build/\n"}, {"x.o": "lead\n"}, ("x.o",)),
    "an ignored file for a folder": ({"d.o/n.py": "n\n", ".gitignore": "build/\n"}, {"d.o": "l\n"}, ("d.o/n.py",)),
    "a folder of ignored files": ({"build": "swarm\n"}, {"build/x": "lead\n"}, ("build",)),
    "a file for a folder": ({"way/n.py": "n\n"}, {"way": "lead\n"}, ("way", "way/n.py")),
    "a folder for a file": ({"way": "swarm\n"}, {"way/n.py": "lead\n"}, ("way", "way/n.py")),
    "a link that leads out": ({"l/n.py": "n\n"}, {"l": Path("/tmp")}, ("l", "l/n.py")),
}


@pytest.mark.parametrize("kind", CONFLICTS)
async def test_nothing_that_the_lead_has_is_overwritten(lab: Lab, kind: str) -> None:
    swarm, lead, kept = CONFLICTS[kind]
    await lab.begin(BASE)
    number = await integrated(lab, {**swarm, "docs/more.md": "more\n"})
    write(lab.tree("lead"), lead)
    before = read(lab.tree("lead"))
    result = await landed(lab, number)
    assert kept == result.kept
    rest = {".gitignore": swarm[".gitignore"]} if ".gitignore" in swarm else {}
    assert {**before, **rest, "docs/more.md": "more\n"} == read(lab.tree("lead"))
    again = await landed(lab, number)
    assert set(kept) <= set(again.kept)
    assert {**before, **rest, "docs/more.md": "more\n"} == read(lab.tree("lead"))


async def test_the_branch_stands_on_head_with_what_was_not_committed_and_names_the_items(lab: Lab) -> None:
    tree = lab.tree("lead")
    tree.mkdir(parents=True)
    write(tree, {"a.py": "first\n", "b.py": "b\n"})
    user(tree, "init", "--quiet")
    user(tree, "add", "--all")
    user(tree, "commit", "--quiet", "--message", "first")
    user(tree, "branch", "other")
    user(tree, "config", "core.hooksPath", "/nonexistent")
    write(tree, {"a.py": LINES, "staged.py": "s\n"})
    user(tree, "add", "staged.py")
    await lab.begin({}, is_there=True)
    a = await lab.seal("a", {"a.py": line(3, "A\n")}, goal="Say A")
    b = await lab.seal("b", {"c.py": "c\n"}, goal="Make c")
    number = (await lab.merge(a, b)).number
    before = (user(tree, "status", "--porcelain"), user(tree, "for-each-ref"), (tree / ".git" / "index").read_bytes())
    branch = await branch_of(lab, number)
    assert "longshift/mend.swarm1" == branch.name
    subjects = user(tree, "log", "--first-parent", "--format=%s", branch.name).splitlines()
    uncommitted = "swarm1: what was not committed when it began"
    assert ["swarm1: b: Make c", "swarm1: a: Say A", uncommitted, "first"] == subjects
    assert line(3, "A\n") == user(tree, "show", f"{branch.name}:a.py") + "\n"
    assert user(tree, "rev-parse", f"{branch.name}^") == (branch.commits or {})["a"]
    assert user(tree, "rev-parse", branch.name) == (branch.commits or {})["b"]
    user(tree, "fsck", "--full", "--strict")
    refs = "\n".join(row for row in user(tree, "for-each-ref").splitlines() if branch.name not in row)
    after = (user(tree, "status", "--porcelain"), refs, (tree / ".git" / "index").read_bytes())
    assert before == after
    assert branch == await branch_of(lab, number)


async def test_a_clean_head_is_the_parent_of_the_first_merge(lab: Lab) -> None:
    tree = lab.tree("lead")
    tree.mkdir(parents=True)
    write(tree, BASE)
    user(tree, "init", "--quiet")
    user(tree, "add", "--all")
    user(tree, "commit", "--quiet", "--message", "first")
    await lab.begin({}, is_there=True)
    number = await integrated(lab, {"a.py": line(3, "A\n")})
    branch = await branch_of(lab, number, user(tree, "rev-parse", "HEAD"))
    assert user(tree, "rev-parse", "HEAD") == user(tree, "rev-parse", f"{branch.name}^")
    other = lab.folder / "other"
    other.mkdir()
    user(other, "clone", "--quiet", str(tree), ".")
    bundle = lab.folder / "swarm.bundle"
    bundle.write_bytes(branch.bundle)
    user(other, "fetch", "--quiet", str(bundle), f"{branch.name}:landed")
    assert line(3, "A\n") == user(other, "show", "landed:a.py") + "\n"


async def test_a_branch_that_is_there_is_left_alone(lab: Lab) -> None:
    tree = lab.tree("lead")
    tree.mkdir(parents=True)
    write(tree, BASE)
    user(tree, "init", "--quiet")
    user(tree, "add", "--all")
    user(tree, "commit", "--quiet", "--message", "first")
    user(tree, "branch", branch_name(SWARM))
    await lab.begin({}, is_there=True)
    number = await integrated(lab, {"a.py": line(3, "A\n")})
    branch = await branch_of(lab, number)
    assert "longshift/mend.swarm1-2" == branch.name
    assert user(tree, "rev-parse", "HEAD") == user(tree, "rev-parse", branch_name(SWARM))


async def test_a_repository_without_a_commit_gets_the_whole_history(lab: Lab) -> None:
    tree = lab.tree("lead")
    tree.mkdir(parents=True)
    write(tree, BASE)
    user(tree, "init", "--quiet")
    await lab.begin({}, is_there=True)
    branch = await branch_of(lab, await integrated(lab, {"a.py": line(3, "A\n")}))
    assert "2" == user(tree, "rev-list", "--first-parent", "--count", branch.name)


async def test_without_a_repository_the_bundle_has_it_all(lab: Lab) -> None:
    await lab.begin(BASE)
    branch = await branch_of(lab, await integrated(lab, {"a.py": line(3, "A\n")}))
    assert ("", "the project has no repository of its own") == (branch.name, branch.why)
    bundle = lab.folder / "swarm.bundle"
    bundle.write_bytes(branch.bundle)
    other = lab.folder / "other"
    other.mkdir()
    user(other, "clone", "--quiet", "--branch", branch_name(SWARM), str(bundle), ".")
    assert line(3, "A\n") == (other / "a.py").read_text()


async def test_hooks_and_filters_of_the_project_do_not_run(lab: Lab) -> None:
    tree, trap = lab.tree("lead"), lab.folder / "lead" / "trapped"
    tree.mkdir(parents=True)
    write(tree, {**BASE, ".gitattributes": "* filter=trap merge=trap\n"})
    user(tree, "init", "--quiet")
    user(tree, "add", "--all")
    user(tree, "commit", "--quiet", "--message", "first")
    for key in ("filter.trap.clean", "filter.trap.smudge", "merge.trap.driver", "core.fsmonitor"):
        user(tree, "config", key, f"touch {trap}; cat")
    for hook in ("post-checkout", "reference-transaction", "post-merge", "pre-auto-gc"):
        write(tree, {f".git/hooks/{hook}*": f"#!/bin/sh\ntouch {trap}\n"})
    await lab.begin({}, is_there=True)
    number = await integrated(lab, {"a.py": line(20, "swarm\n")})
    write(tree, {"a.py": line(3, "lead\n")})
    await landed(lab, number)
    await branch_of(lab, number)
    assert not trap.exists()


@pytest.mark.parametrize("swarm", ["mend.swarm1", "a..b.swarm1", "x.lock.swarm2-1"])
def test_the_name_of_a_branch_is_one_that_git_allows(swarm: str) -> None:
    subprocess.run(["git", "check-ref-format", f"refs/heads/{branch_name(swarm)}"], check=True)
