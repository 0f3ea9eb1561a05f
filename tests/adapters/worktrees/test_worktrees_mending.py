"""What a sub-agent that mends a merge begins with: both sides, both goals, a proof, and no more room than both had."""

import subprocess
from pathlib import Path

import pytest
import pytest_asyncio
from pathspec import GitIgnoreSpec

from longshift.adapters.worktrees import history
from longshift.adapters.worktrees.mending import Mender
from longshift.contracts import ids
from longshift.contracts.checks import CheckResult, ChecksDigest
from longshift.contracts.conflict import Conflict
from longshift.contracts.swarm_activities import Merge, OpenResolverInput
from longshift.contracts.task import TaskSpec
from longshift.contracts.workspace import Workspace
from longshift.policy.mending import literal_glob
from tests.adapters.worktrees.merge_lab import PLAN_HASH, SWARM, Content, Lab, read, write

LINES = "".join(f"line {number}\n" for number in range(30))
BASE: dict[str, Content] = {"a.py": LINES, "b.py": "b\n", "pixel.png": b"\x89PNG\0one"}
LEAD = Workspace(workspace_id="mend", host_id="h", host_queue="q", root="/w")


@pytest_asyncio.fixture
async def lab(lab: Lab) -> Lab:
    await lab.begin(BASE)
    return lab


def line_3(text: str) -> str:
    return LINES.replace("line 3\n", text)


async def opened(lab: Lab, merge: Merge, onto: int, **fields: object) -> TaskSpec:
    await lab.put_tasks()
    given = {"workspace": LEAD, "task_id": "mend", "swarm": SWARM, "plan_hash": PLAN_HASH, "onto": onto, "number": 1}
    request = OpenResolverInput.model_validate({**given, "item": merge.item, "attempt": merge.attempt, **fields})
    return await Mender(lab.integrating()).opened(request)


async def record_of(lab: Lab, task: TaskSpec) -> Conflict:
    assert task.sub_agent is not None
    return Conflict.model_validate_json(await lab.store.get(task.sub_agent.conflict))


async def begins_with(lab: Lab, task: TaskSpec) -> Path:
    """The files that the resolver finds, made from the store alone."""
    record = await record_of(lab, task)
    await lab.lose_integration()
    shadow = lab.shadow("integration")
    async with shadow.held() as git:
        tree = await history.tree_of(git, await lab.integrating().state(git, record.onto))
        if record.bundle_key:
            commit = await history.fetched(git, await lab.store.get(record.bundle_key))
            tree = await history.tree_of(git, commit)
    await shadow.restore(tree)
    return shadow.tree


def check_exit_code(tree: Path, task: TaskSpec) -> int:
    check = next(check for check in task.checks if check.name == "no conflict is left")
    return subprocess.run(["bash", "-c", check.run], cwd=tree, capture_output=True, check=False).returncode


async def test_a_resolver_gets_the_merge_as_far_as_it_goes_with_both_sides_and_goals(lab: Lab) -> None:
    a = await lab.seal("a", {"a.py": line_3("A\n")}, scope=("a.py",), goal="Say A")
    other = await lab.seal("other", {"b.py": "o\n"}, scope=("b.py",), goal="Say something else")
    b = await lab.seal("b", {"a.py": line_3("B\n"), "c.py": "c\n"}, scope=("[abc].py",), goal="Say B\nand more of it")
    await lab.merge(a, other)
    task = await opened(lab, b, 1)
    record = await record_of(lab, task)
    assert (1, ("a.py",)) == (record.onto, record.files)
    assert ("mend.swarm1.b.fix1", "b.fix1") == (task.id, task.sub_agent and task.sub_agent.item)
    assert task.sub_agent is not None
    assert ("[abc].py", "a.py") == task.sub_agent.write_scope
    assert 1 == task.sub_agent.integration
    for text in ("Say B\nand more of it", "`a`: Say A", "+B", "+A", "CONFLICT (content)", "- `a.py`"):
        assert text in task.instructions
    assert "something else" not in task.instructions
    assert ["no conflict is left", "own", "whole"] == [check.name for check in task.checks]
    tree = await begins_with(lab, task)
    text = read(tree)["a.py"]
    assert isinstance(text, str)
    assert "<<<<<<< MERGED\nA\n|||||||" in text
    assert "=======\nB\n>>>>>>> ITEM\n" in text
    assert "c\n" == read(tree)["c.py"]
    assert 1 == check_exit_code(tree, task)
    write(tree, {"a.py": line_3("A B\n")})
    assert 0 == check_exit_code(tree, task)


async def test_opened_twice_it_is_the_same_task(lab: Lab) -> None:
    a, b = await lab.seal("a", {"a.py": line_3("A\n")}), await lab.seal("b", {"a.py": line_3("B\n")})
    await lab.merge(a, b)
    first = await opened(lab, b, 1)
    await lab.lose_integration()
    assert first == await opened(lab, b, 1)


async def test_what_a_resolver_makes_of_it_is_merged(lab: Lab) -> None:
    a, b = await lab.seal("a", {"a.py": line_3("A\n")}), await lab.seal("b", {"a.py": line_3("B\n")})
    await lab.merge(a, b)
    await opened(lab, b, 1)
    c = await lab.seal("c", {"b.py": "c\n"})
    await lab.merge(c, onto=1)
    mended = await lab.seal("b", {"a.py": line_3("A B\n")}, base=1, by="b.fix1", has_task=True)
    digest = await lab.merge(mended, onto=2)
    assert (("b",), "") == (digest.merged, digest.failure)
    assert {"a.py": line_3("A B\n"), "b.py": "c\n"}.items() <= read(lab.tree("integration")).items()


async def test_the_other_version_of_a_file_without_lines_lies_beside_it_and_has_to_go(lab: Lab) -> None:
    a = await lab.seal("a", {"pixel.png": b"\x89PNG\0two"}, scope=("*.png",))
    b = await lab.seal("b", {"pixel.png": b"\x89PNG\0three"}, scope=("/pixel.png",))
    await lab.merge(a, b)
    task = await opened(lab, b, 1)
    tree = await begins_with(lab, task)
    assert {"pixel.png": b"\x89PNG\0two", "pixel.png~ITEM": b"\x89PNG\0three"}.items() <= read(tree).items()
    assert "`pixel.png~ITEM`" in task.instructions
    assert 1 == check_exit_code(tree, task)
    (tree / "pixel.png~ITEM").unlink()
    assert 0 == check_exit_code(tree, task)


async def test_a_file_that_stands_in_the_way_of_a_folder_is_shown_beside_it(lab: Lab) -> None:
    await lab.merge(await lab.seal("a", {"way": "file\n"}))
    b = await lab.seal("b", {"way/in.py": "i\n"})
    task = await opened(lab, b, 1)
    tree = await begins_with(lab, task)
    assert {"way/in.py": "i\n", "way~MERGED": "file\n"}.items() <= read(tree).items()
    assert 1 == check_exit_code(tree, task)


async def test_a_red_merge_is_handed_over_whole_with_what_the_checks_said(lab: Lab) -> None:
    a = await lab.seal("a", {"a.py": line_3("A\n")}, scope=("a.py",), goal="Say A")
    b = await lab.seal("b", {"b.py": "B\n"}, scope=("b.py",), goal="Say B")
    await lab.merge(a)
    red = CheckResult(name="tests", passed=False, detail="exit code 1\nAssertionError: B is not A")
    evidence = ChecksDigest(passed=False, results=(red, CheckResult(name="lint", passed=True, detail="")))
    task = await opened(lab, b, 1, red_checks_step=4, evidence=evidence)
    assert "AssertionError: B is not A" in task.instructions
    assert "`a`: Say A" in task.instructions
    assert "+B" in task.instructions
    assert ["own", "whole"] == [check.name for check in task.checks]
    assert task.sub_agent is not None
    assert ("b.py", "a.py") == task.sub_agent.write_scope
    assert {"a.py": line_3("A\n"), "b.py": "B\n"}.items() <= read(await begins_with(lab, task)).items()


@pytest.mark.parametrize("name", ["with space.py", "quote'd $(x).py", "-dash.py", "star*[x].py", "!not #.py"])
async def test_any_name_of_a_file_can_be_in_conflict(lab: Lab, name: str) -> None:
    a, b = await lab.seal("a", {name: "one\n"}), await lab.seal("b", {name: "two\n"})
    await lab.merge(a, b)
    task = await opened(lab, b, 1)
    tree = await begins_with(lab, task)
    assert 1 == check_exit_code(tree, task)
    write(tree, {name: "both\n"})
    assert 0 == check_exit_code(tree, task)


def test_a_glob_for_one_file_matches_that_file_alone() -> None:
    for name in ("a b~ITEM", "x*[y]?", "!a", "#b", "sub/way~MERGED", "back\\slash", "end "):
        spec = GitIgnoreSpec.from_lines([literal_glob(name)])
        assert spec.match_file(name), name
        assert not spec.match_file(f"other/{name}")
        assert not spec.match_file(f"{name}2")


async def test_measurements_are_compared_with_those_of_the_session(lab: Lab) -> None:
    await lab.store.create(ids.baseline_key("mend"), b'{"speed": 3}')
    a, b = await lab.seal("a", {"a.py": line_3("A\n")}), await lab.seal("b", {"a.py": line_3("B\n")})
    await lab.merge(a, b)
    task = await opened(lab, b, 1)
    assert b'{"speed": 3}' == await lab.store.get(ids.baseline_key(task.id))
