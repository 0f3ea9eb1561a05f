"""The integration of a swarm on the lead's host: merged beside the lead, proved there, brought into its files."""

from collections.abc import AsyncGenerator
from pathlib import Path

import orjson
import pytest_asyncio
from obstore.store import MemoryStore
from temporalio.testing import ActivityEnvironment

from activities.merges import Merges
from activities.workspace import WorkspaceLife
from activities.worktrees import Worktrees
from longshift.adapters.store import Transcripts
from longshift.adapters.workspace import Checks
from longshift.contracts import ids
from longshift.contracts.activities import RunChecksInput
from longshift.contracts.checks import ChecksDigest
from longshift.contracts.swarm import ItemEnd, SwarmResult, SwarmSummary
from longshift.contracts.swarm_activities import (
    LandSwarmInput,
    Merge,
    MergeDigest,
    MergeInput,
    OpenResolverInput,
    OpenSwarmInput,
    SealItemInput,
)
from longshift.contracts.swarm_plan import SwarmItem, SwarmPlan
from longshift.contracts.task import Check, TaskSpec
from longshift.contracts.tools import ToolDigest, ToolStatus
from longshift.contracts.workspace import Workspace
from tests.adapters.workspace.hosts import TASK_ID, FailingStore
from tests.adapters.worktrees.swarms import LEAD, STEP, SWARM, SwarmHost, repository, task
from tests.sandboxing import best_sandbox

PLAN = SwarmPlan(
    goal="Print more",
    items=(
        SwarmItem(id="one", goal="Print one", write_scope=("app.py",)),
        SwarmItem(id="two", goal="Print two", write_scope=("app.py", "two.py"), merge_after=("one",)),
    ),
)


class Rig:
    """A lead whose swarm is open, and what its host does about it."""

    def __init__(self, host: SwarmHost, lead: Workspace) -> None:
        self.host, self.lead = host, lead
        transcripts = Transcripts(host.store)
        self.worktrees = Worktrees(host.workspaces, host.store, transcripts)
        self.merges = Merges(host.workspaces, host.store, transcripts, lambda text: text.replace("hunter2", "***"))
        self.life = WorkspaceLife(host.workspaces, Checks(host.workspaces, host.runner), host.store)

    async def opened(self) -> None:
        request = OpenSwarmInput(
            workspace=self.lead, task_id=TASK_ID, agent=LEAD, step=STEP, swarm=SWARM, plan_hash="h"
        )
        await ActivityEnvironment().run(self.worktrees.open_swarm, request)

    async def worked(self, item: str, command: str) -> Merge:
        """An item, or a resolver, does something, and its work is sealed."""
        workspace = await self.life.prepared(ids.item_task_id(SWARM, item), 1, lambda line: None)
        await self.host.says(workspace, command)
        request = SealItemInput(
            workspace=workspace,
            task_id=workspace.workspace_id,
            swarm=SWARM,
            item=item,
            attempt=1,
            end=ItemEnd(item=item),
            agent=ids.agent_id(workspace.workspace_id),
            last_step=0,
            checks=ChecksDigest(passed=True, tree_hash=await self.host.workspaces.shadow(workspace).tree_hash()),
        )
        end = await ActivityEnvironment().run(self.worktrees.seal_item, request)
        assert end.failure is None, end.reason
        return Merge(item=item.partition(".")[0], by=item if "." in item else "")

    async def merged(self, onto: int, number: int, *merges: Merge) -> MergeDigest:
        request = MergeInput(workspace=self.lead, task_id=TASK_ID, swarm=SWARM, onto=onto, merges=merges, number=number)
        return await ActivityEnvironment().run(self.merges.merge_items, request)

    async def checked(self, digest: MergeDigest, step: int) -> ChecksDigest:
        assert digest.workspace is not None
        task_id = ids.integration_id(SWARM)
        request = RunChecksInput(workspace=digest.workspace, task_id=task_id, agent=ids.agent_id(task_id), step=step)
        return await ActivityEnvironment().run(self.life.run_checks, request)

    async def landed(self, number: int, *merges: Merge, **statuses: str) -> ToolDigest:
        request = LandSwarmInput(
            workspace=self.lead,
            task_id=TASK_ID,
            agent=LEAD,
            epoch=1,
            step=STEP,
            index=0,
            swarm=SWARM,
            plan_hash="h",
            number=number,
            summary=SwarmSummary(swarm=SWARM, total=2),
            ends=tuple((item, 1) for item in statuses),
            statuses=statuses,
            merges=merges,
        )
        return await ActivityEnvironment().run(self.merges.land_swarm, request)

    async def told(self) -> str:
        record = await Transcripts(self.host.store).find_result(LEAD, 1, STEP, 0)
        assert record is not None
        return record.text

    async def result(self) -> SwarmResult:
        return SwarmResult.model_validate_json(await self.host.store.get(ids.swarm_result_key(SWARM)))


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncGenerator[Rig]:
    store = FailingStore(MemoryStore())
    host = SwarmHost(tmp_path / "a", "a", store, sandbox=best_sandbox(tmp_path / "hidden"))
    checks = (Check(name="runs", run="python3 app.py"), Check(name="no bug", run="! grep -q bug app.py"))
    spec = task(workspace={"git": str(repository(tmp_path / "user"))}, checks=checks)
    lead = await host.prepare(spec, 1)
    await host.store.create(ids.task_key(TASK_ID), orjson.dumps(spec.model_dump(mode="json")))
    await host.store.create(ids.plan_key(SWARM, "h"), PLAN.model_dump_json().encode())
    await host.began()
    rig = Rig(host, lead)
    await rig.opened()
    yield rig
    await host.close()


async def test_items_are_merged_beside_the_lead_proved_and_brought_into_its_files(rig: Rig) -> None:
    one = await rig.worked("one", "echo 'print(1)' >> app.py")
    first = await rig.merged(0, 1, one)
    assert (1, ("one",)) == (first.number, first.merged)
    assert (await rig.checked(first, 1)).passed
    assert "print('one')\n" == (rig.host.tree / "app.py").read_text()
    rig.host.edit(notes="by the lead")
    digest = await rig.landed(1, one, one="merged", two="failed")
    assert (ToolStatus.OK, True) == (digest.status, digest.changes_workspace)
    assert "print('one')\nprint(1)\n" == (rig.host.tree / "app.py").read_text()
    assert "by the lead" == (rig.host.tree / "notes").read_text()
    assert "longshift/t-1.swarm1, in the project's repository" in await rig.told()
    assert "two" in await rig.told()
    result = await rig.result()
    assert ("longshift/t-1.swarm1", {"one": 1, "two": 1}, ()) == (result.branch, result.attempts, result.kept)
    assert ["one"] == list(result.commits)
    assert "artifacts/t-1/swarm1.bundle" == result.artifact
    assert (await rig.host.store.get(result.artifact)).startswith(b"# v2 git bundle")
    shown = await rig.host.says(rig.lead, "git log --format=%s -1 longshift/t-1.swarm1; git status --porcelain")
    assert "swarm1: one: Print one\n M app.py\n?? notes" == shown
    assert digest.result_hash == (await rig.landed(1, one, one="merged", two="failed")).result_hash


async def test_a_conflict_is_mended_by_a_sub_agent_in_a_worktree_of_its_own(rig: Rig) -> None:
    one = await rig.worked("one", "echo 'print(1)' >> app.py")
    two = await rig.worked("two", "echo 'print(2)' >> app.py; echo 2 > two.py")
    digest = await rig.merged(0, 1, one, two)
    assert ("two", ("app.py",)) == (digest.conflict, digest.conflict_files)
    request = OpenResolverInput(
        workspace=rig.lead,
        task_id=TASK_ID,
        swarm=SWARM,
        plan_hash="h",
        onto=1,
        item="two",
        attempt=1,
        number=1,
    )
    await ActivityEnvironment().run(rig.merges.open_resolver, request)
    mended = await rig.worked(
        "two.fix1", "cat two.py; sed -i '/^<<<<<<<\\|^|||||||\\|^=======\\|^>>>>>>>/d' app.py; cat app.py"
    )
    again = await rig.merged(1, 2, mended)
    assert ("", ("two",)) == (again.failure, again.merged)
    assert (await rig.checked(again, 2)).passed
    await rig.landed(2, one, mended, one="merged", two="merged")
    assert "print('one')\nprint(1)\nprint(2)\n" == (rig.host.tree / "app.py").read_text()
    assert {"two": "two.fix1"} == (await rig.result()).mended_by
    assert "Merged by two.fix1" in await rig.told()


async def test_red_checks_of_merged_work_are_red_again_for_a_run_of_their_own(rig: Rig) -> None:
    digest = await rig.merged(0, 1, await rig.worked("one", "echo 'bug' > app.py"))
    assert not (await rig.checked(digest, 1)).passed
    assert not (await rig.checked(digest, 2)).passed
    back = await rig.merged(0, 0)
    assert (await rig.checked(back, 3)).passed


async def test_files_that_the_lead_changed_meanwhile_are_kept_and_named(rig: Rig) -> None:
    one = await rig.worked("one", "echo 'print(1)' > app.py")
    await rig.merged(0, 1, one)
    rig.host.edit(**{"app.py": "print('lead')\n"})
    await rig.landed(1, one, one="merged", two="failed")
    assert "print('lead')\n" == (rig.host.tree / "app.py").read_text()
    assert "`git show longshift/t-1.swarm1:PATH`" in await rig.told()
    assert ("app.py",) == (await rig.result()).kept
    assert "print(1)" == await rig.host.says(rig.lead, "git show longshift/t-1.swarm1:app.py")


async def test_without_a_repository_the_swarms_versions_lie_in_the_home_folder(rig: Rig) -> None:
    await rig.host.says(rig.lead, "rm -rf .git")
    one = await rig.worked("one", "echo 'print(1)' > app.py")
    await rig.merged(0, 1, one)
    rig.host.edit(**{"app.py": "print('lead')\n"})
    await rig.landed(1, one, one="merged", two="failed")
    assert "files below ~/swarm1-versions" in await rig.told()
    assert "print(1)" == await rig.host.says(rig.lead, "cat ~/swarm1-versions/app.py")


async def test_where_nothing_was_merged_the_lead_is_told_so(rig: Rig) -> None:
    digest = await rig.landed(0, one="failed", two="blocked")
    assert ToolStatus.ERROR is digest.status
    assert "branch: none, nothing was merged" in await rig.told()
    assert "" == (await rig.result()).branch


async def test_a_host_that_takes_over_makes_integration_and_result_from_the_store(rig: Rig, tmp_path: Path) -> None:
    one = await rig.worked("one", "echo 'print(1)' >> app.py")
    await rig.merged(0, 1, one)
    rig.host.edit(**{"later.py": "later\n"})
    await rig.host.workspaces.checkpoint(rig.lead, STEP + 1, LEAD)
    host = SwarmHost(tmp_path / "b", "b", rig.host.store, sandbox=best_sandbox(tmp_path / "hidden-b"))
    try:
        spec = TaskSpec.model_validate_json(await host.store.get(ids.task_key(TASK_ID)))
        other = Rig(host, await host.prepare(spec, 2))
        digest = await other.merged(1, 1)
        assert (await other.checked(digest, 1)).passed
        await other.landed(1, one, one="merged", two="failed")
        assert "print('one')\nprint(1)\n" == (host.tree / "app.py").read_text()
        assert "later\n" == (host.tree / "later.py").read_text()
    finally:
        await host.close()
