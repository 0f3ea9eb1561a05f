"""Plans over a real workspace and a real store: held against its files, kept by their hash, changed by a person."""

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
from temporalio.testing import ActivityEnvironment

from activities.swarm_plans import SwarmPlans
from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.sandbox.none import NoSandbox
from longshift.adapters.store import Store, Transcripts, open_store
from longshift.adapters.workspace import Workspaces
from longshift.contracts import ids
from longshift.contracts.model import Usage
from longshift.contracts.swarm_activities import AmendPlanInput, PlanSwarmInput
from longshift.contracts.swarm_plan import PlanDigest, SwarmPlan, SwarmRules
from longshift.contracts.task import TaskSpec
from longshift.contracts.transcript import AnswerRecord
from longshift.contracts.workspace import Workspace
from tests.old_git import put_old_git_first
from tests.user_git import USER_ENVIRONMENT

SWARM = ids.swarm_id("mend/lead", 1)
ITEM = {"id": "a", "goal": "Mend it.", "inputs": ["src/app.py"], "write_scope": ["src/app.py"]}
TEMPLATE = {
    "id": "new-{{number}}",
    "goal": "Write {{input}}.",
    "write_scope": ["{{input}}"],
    "depends_on": ["a"],
    "over": ["new/x.py", "new/y.py"],
}


class Desk:
    """A lead's workspace, and the activities that plan from it."""

    def __init__(self, workspaces: Workspaces, workspace: Workspace, store: Store) -> None:
        self.store = store
        self.root = Path(workspace.root)
        self._workspace = workspace
        self._transcripts = Transcripts(store)
        self._plans = SwarmPlans(workspaces, store, self._transcripts, ("cheap",))
        self._step = 0

    async def plan(self, *items: dict[str, Any], rules: SwarmRules | None = None, **fields: Any) -> PlanDigest:
        self._step += 1
        looked = {"type": "tool_use", "id": "c0", "name": "read_file", "input": {"path": "src/app.py"}}
        call = {"type": "tool_use", "id": "c1", "name": "delegate", "input": {"goal": "All.", "items": items, **fields}}
        answer = AnswerRecord(content=(looked, call), stop_reason="tool_use", calls=(), usage=Usage(), model="m")
        await self._transcripts.put_answer("mend/lead", 1, self._step, answer)
        request = PlanSwarmInput(
            workspace=self._workspace,
            agent="mend/lead",
            task_id="mend",
            swarm=SWARM,
            epoch=1,
            step=self._step,
            index=1,
            rules=rules or SwarmRules(),
        )
        return await ActivityEnvironment().run(self._plans.plan_swarm, request)

    async def amend(self, plan_hash: str, text: str, shown_hash: str = "") -> PlanDigest:
        request = AmendPlanInput(
            workspace=self._workspace,
            task_id="mend",
            swarm=SWARM,
            plan_hash=plan_hash,
            text=text,
            shown_hash=shown_hash,
        )
        return await ActivityEnvironment().run(self._plans.amend_plan, request)

    async def kept(self, digest: PlanDigest) -> SwarmPlan:
        assert ids.plan_key(SWARM, digest.hash) == digest.key
        return SwarmPlan.model_validate_json(await self.store.get(digest.key))


def repository(source: Path) -> Path:
    """A user's repository with one commit."""
    (source / "src").mkdir(parents=True)
    (source / "src" / "app.py").write_text("print('one')\n")
    for arguments in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message", "first")):
        subprocess.run(["git", *arguments], cwd=source, env=USER_ENVIRONMENT, check=True)
    return source


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> Desk:
    source = await asyncio.to_thread(repository, tmp_path / "user")
    runner = ProcessRunner(tmp_path / "data" / "runs", disk_floor_bytes=0)
    workspaces = Workspaces(tmp_path / "data", runner, NoSandbox(), "host-1", "longshift-host-host-1")
    store = open_store("memory://")
    task = TaskSpec.model_validate(
        {
            "id": "mend",
            "title": "Mend",
            "instructions": "Mend it.",
            "workspace": {"git": str(source)},
            "protected": ["tests/"],
            "checks": [{"name": "suite", "run": "true"}],
        }
    )
    await store.create(ids.task_key("mend"), task.model_dump_json().encode())
    return Desk(workspaces, await workspaces.prepare(task, 1), store)


async def test_a_plan_is_kept_and_told_as_a_digest(desk: Desk) -> None:
    digest = await desk.plan(ITEM, templates=[TEMPLATE], checks=[{"name": "all", "run": "make"}])
    assert "" == digest.refused
    assert ["a", "new-1", "new-2"] == [row.id for row in digest.rows]
    assert ("All.", ("a",)) == (digest.title, digest.rows[2].depends_on)
    assert ["new/x.py"] == [*(await desk.kept(digest)).items[1].write_scope]
    assert "new-1 … new-2 (2 items) from one template" in "".join(digest.shown)
    assert digest == await desk.plan(ITEM, templates=[TEMPLATE], checks=[{"name": "all", "run": "make"}])


async def test_a_host_whose_git_cannot_merge_takes_no_plan(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_old_git_first(tmp_path / "bin", monkeypatch)
    refused = (await desk.plan(ITEM)).refused
    assert "git 2.34.1 cannot merge without a work tree: install git 2.38 or later" in refused
    assert "do the work yourself" in refused


async def test_the_files_of_now_count(desk: Desk) -> None:
    late = {**ITEM, "inputs": ["src/late.py"]}
    assert "'src/late.py' is not in the workspace" in (await desk.plan(late)).refused
    (desk.root / "src" / "late.py").write_text("pass\n")
    digest = await desk.plan(late)
    assert "" == digest.refused
    listing = orjson.loads(await desk.store.get(ids.plan_files_key(SWARM, digest.hash)))
    assert "src/app.py\nsrc/late.py" == listing["text"]


async def test_a_bad_plan_is_refused_by_the_tasks_rules(desk: Desk) -> None:
    bad = {"id": "b", "goal": "g", "write_scope": ["tests/**"], "model": "dear"}
    digest = await desk.plan(bad, checks=[{"name": "suite", "run": "true"}])
    for words in ("is protected by the task (tests/)", "there are cheap", "'suite' is a check of the task"):
        assert words in digest.refused
    assert ("", "", ()) == (digest.key, digest.hash, digest.rows)
    assert "at most 1 are allowed" in (await desk.plan(ITEM, bad, rules=SwarmRules(max_items=1))).refused


async def test_a_person_changes_a_plan_by_lines(desk: Desk) -> None:
    first = await desk.plan(ITEM, templates=[TEMPLATE])
    second = await desk.amend(first.hash, "strike new-2\ngoal a: Mend it well.")
    assert (["a", "new-1"], ("new-2",)) == ([row.id for row in second.rows], second.struck)
    assert first.hash != second.hash
    changes = "".join(second.changes)
    assert "-  goal: Mend it.\n+  goal: Mend it well." in changes
    assert "@@ new-2 (struck) @@" in changes
    third = await desk.amend(second.hash, "add c: More.", shown_hash=first.hash)
    assert ("new-2",) == third.struck
    assert "@@ new-2 (struck) @@" in "".join(third.changes)
    assert 3 == len((await desk.kept(third)).items)


async def test_a_person_sends_a_whole_plan_back(desk: Desk) -> None:
    first = await desk.plan(ITEM, templates=[TEMPLATE])
    value = orjson.loads(await desk.store.get(first.key))
    value["items"] = [{**value["items"][0], "goal": "Mend it well."}, value["items"][1]]
    second = await desk.amend(first.hash, orjson.dumps(value).decode())
    assert (["a", "new-1"], ("new-2",)) == ([row.id for row in second.rows], second.struck)


async def test_a_change_that_cannot_be_made_leaves_the_plan_as_it_was(desk: Desk) -> None:
    first = await desk.plan(ITEM)
    assert "there is no item 'zz'" in (await desk.amend(first.hash, "strike zz")).refused
    assert "the plan as JSON cannot be read" in (await desk.amend(first.hash, "{")).refused
    assert "is protected" in (await desk.amend(first.hash, "scope a: tests/x.py")).refused
    assert ["a"] == [each.id for each in (await desk.kept(first)).items]
