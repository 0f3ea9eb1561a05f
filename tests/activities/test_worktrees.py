"""The life of a swarm's worktrees on its host: opened once, sealed with a report, discarded, swept."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import orjson
import pytest
import pytest_asyncio
from obstore.store import MemoryStore
from temporalio.testing import ActivityEnvironment

from activities.workspace import WorkspaceLife
from activities.worktrees import Worktrees
from longshift.adapters.slots import SlotPool
from longshift.adapters.store import Transcripts
from longshift.adapters.workspace import Checks
from longshift.adapters.worktrees.sealing import sealed
from longshift.contracts import ids
from longshift.contracts.checks import ChecksDigest
from longshift.contracts.errors import StoreUnavailable
from longshift.contracts.model import Usage
from longshift.contracts.swarm import ItemEnd, ItemFailure, ItemReport, ItemStatus
from longshift.contracts.swarm_activities import (
    DiscardWorktreeInput,
    OpenedSwarm,
    OpenSwarmInput,
    SealItemInput,
    SweepSwarmInput,
)
from longshift.contracts.swarm_plan import SwarmItem, SwarmPlan
from longshift.contracts.task import TaskSpec
from longshift.contracts.transcript import AnswerRecord, Block, HandoffRecord
from longshift.contracts.workspace import Workspace
from tests.adapters.workspace.hosts import TASK_ID, FailingStore
from tests.adapters.worktrees.swarms import LEAD, STEP, SWARM, SwarmHost, repository, task
from tests.sandboxing import best_sandbox

PLAN = SwarmPlan(
    goal="Annotate all",
    items=(
        SwarmItem(id="one", goal="Annotate app.py\nwhole", write_scope=("app.py",)),
        SwarmItem(id="two", goal="Look around"),
    ),
)
END = ItemEnd(item="one", steps=4, started_at=100.0, ended_at=160.5)


class Rig:
    """A lead that has planned, and what its host does about it."""

    def __init__(self, host: SwarmHost, lead: Workspace) -> None:
        self.host, self.lead = host, lead
        transcripts = Transcripts(host.store)
        self.pool = SlotPool(4)
        self.worktrees = Worktrees(host.workspaces, host.store, transcripts, self.pool)
        self.life = WorkspaceLife(host.workspaces, Checks(host.workspaces, host.runner), host.store)

    async def opened(self) -> OpenedSwarm:
        request = OpenSwarmInput(
            workspace=self.lead, task_id=TASK_ID, agent=LEAD, step=STEP, swarm=SWARM, plan_hash="h"
        )
        return await ActivityEnvironment().run(self.worktrees.open_swarm, request)

    async def prepared(self, item: str, integration: int = 0) -> Workspace:
        task_id = ids.item_task_id(SWARM, item)
        return await self.life.prepared(task_id, 1, lambda line: None, integration=integration)

    async def sealed(self, workspace: Workspace, end: ItemEnd = END, **fields: object) -> ItemEnd:
        request = SealItemInput.model_validate(
            {
                "workspace": workspace,
                "task_id": workspace.workspace_id,
                "swarm": SWARM,
                "item": "one",
                "attempt": 1,
                "end": end,
                "agent": ids.agent_id(workspace.workspace_id),
                "last_step": 0,
                **fields,
            }
        )
        return await ActivityEnvironment().run(self.worktrees.seal_item, request)

    async def report(self, item: str = "one", attempt: int = 1) -> ItemReport:
        return ItemReport.model_validate_json(await self.host.store.get(ids.item_report_key(SWARM, item, attempt)))

    async def task(self, item: str) -> TaskSpec:
        return TaskSpec.model_validate_json(await self.host.store.get(ids.task_key(ids.item_task_id(SWARM, item))))


@pytest.fixture
def store() -> FailingStore:
    return FailingStore(MemoryStore())


@pytest_asyncio.fixture
async def rig(tmp_path: Path, store: FailingStore) -> AsyncGenerator[Rig]:
    host = SwarmHost(tmp_path / "a", "a", store, sandbox=best_sandbox(tmp_path / "hidden"))
    spec = task(workspace={"git": str(repository(tmp_path / "user"))}, protected=("tests/**",))
    lead = await host.prepare(spec, 1)
    await host.store.create(ids.task_key(TASK_ID), orjson.dumps(spec.model_dump(mode="json")))
    await host.store.create(ids.plan_key(SWARM, "h"), PLAN.model_dump_json().encode())
    await host.began()
    yield Rig(host, lead)
    await host.close()


async def test_opening_writes_a_task_for_each_item(rig: Rig) -> None:
    rig.host.edit(notes="by the lead")
    opened = await rig.opened()
    assert (STEP, True) == (opened.base_step, opened.has_checks)
    assert ["integration", "one", "seed", "two"] == sorted(
        key.split("/")[1].removeprefix(f"{SWARM}.") for key in await rig.host.store.list("tasks") if SWARM in key
    )
    one = (await rig.task("one")).sub_agent
    assert one is not None
    assert (opened.base_tree, ("app.py",), rig.lead.root) == (one.base_tree, one.write_scope, one.root)
    item = await rig.prepared("one")
    assert opened.base_tree == item.base_tree


async def test_a_swarm_that_is_opened_again_starts_from_what_was_recorded_first(rig: Rig) -> None:
    first = await rig.opened()
    rig.host.edit(later="by a background job")
    assert first == await rig.opened()


async def test_a_swarm_is_not_opened_while_the_store_takes_no_checkpoint(rig: Rig, store: FailingStore) -> None:
    await rig.life.prepared(TASK_ID, 1, lambda line: None)
    rig.host.edit(new="x")
    store.is_down = True
    with pytest.raises(StoreUnavailable):
        await rig.opened()
    store.is_down = False
    assert (await rig.opened()).base_tree


async def test_sealed_work_is_in_the_store_with_a_report_in_the_agents_words(rig: Rig) -> None:
    await rig.opened()
    item = await rig.prepared("one")
    agent = ids.agent_id(item.workspace_id)
    await rig.host.says(item, "echo work > app.py")
    arguments = {"summary": "Annotated.", "measurements": {"errors": 0}, "open_questions": ["And b.py?"]}
    use = {"type": "tool_use", "id": "a", "name": "finish", "input": arguments}
    await Transcripts(rig.host.store).put_answer(agent, 1, 4, answer(use))
    proved = ChecksDigest(passed=True, tree_hash=await rig.host.workspaces.shadow(item).tree_hash())
    end = await rig.sealed(item, last_step=4, checks=proved)
    assert end.seal is not None
    key = ids.item_changes_key(SWARM, "one", 1)
    assert (None, 4, key, 1, 1, 1, ("app.py",)) == (
        end.failure,
        end.steps,
        end.seal.key,
        end.seal.files,
        end.seal.insertions,
        end.seal.deletions,
        end.seal.changed_files,
    )
    assert (await rig.host.store.get(key)).startswith(b"# v2 git bundle\n")
    report = await rig.report()
    assert ("Annotate app.py", ItemStatus.SEALED, "Annotated.", {"errors": 0.0}, ("And b.py?",), ("app.py",)) == (
        report.goal,
        report.status,
        report.summary,
        report.measurements,
        report.open_questions,
        report.files,
    )
    assert (agent, "a", proved) == (report.agent, report.host, report.checks)
    assert end == await rig.sealed(item, last_step=4, checks=proved)


def answer(*content: Block) -> AnswerRecord:
    return AnswerRecord(content=content, stop_reason="tool_use", calls=(), usage=Usage(), model="m")


async def test_what_an_agent_left_running_is_ended_before_the_seal(rig: Rig) -> None:
    await rig.opened()
    item = await rig.prepared("one")
    key = f"{item.workspace_id}/lead/job"
    await rig.host.runner.start(key, rig.host.workspaces.shell(item, "sleep 600", background=True))
    await rig.sealed(item)
    assert 0 == await rig.host.workspaces.abandon(item.workspace_id)


async def test_work_outside_of_the_scope_makes_the_attempt_a_failure(rig: Rig) -> None:
    await rig.opened()
    item = await rig.prepared("one")
    await rig.host.says(item, "echo stray > stray.py")
    end = await rig.sealed(item)
    assert (ItemFailure.OUT_OF_SCOPE, None) == (end.failure, end.seal)
    assert "stray.py" in end.reason
    report = await rig.report()
    assert (ItemStatus.FAILED, ItemFailure.OUT_OF_SCOPE, end.reason) == (report.status, report.failure, report.reason)
    assert [] == await rig.host.store.list(f"swarms/{SWARM}/items/one/changes")


async def test_a_failed_attempt_has_a_report_with_its_last_words(rig: Rig) -> None:
    await rig.opened()
    item = await rig.prepared("one")
    agent = ids.agent_id(item.workspace_id)
    await rig.host.workspaces.discard(item.workspace_id)
    note = HandoffRecord(note="Half of it is done.", step=3)
    await rig.host.store.create(ids.handoff_key(agent), note.model_dump_json().encode())
    failed = END.model_copy(update={"failure": ItemFailure.STUCK, "reason": "loops"})
    assert failed == await rig.sealed(item, failed)
    assert ("Half of it is done.", "loops") == ((await rig.report()).summary, (await rig.report()).reason)


async def test_a_repeated_seal_keeps_what_the_first_one_stored(rig: Rig) -> None:
    await rig.opened()
    item = await rig.prepared("one")
    await rig.host.says(item, "echo first > app.py")
    first = await rig.sealed(item)
    assert first == await rig.sealed(item)
    again = await rig.life.prepared(item.workspace_id, 2, lambda line: None)
    await rig.host.says(again, "echo second > app.py; echo stray > stray")
    assert first.model_copy(update={"given_back": 2}) == await rig.sealed(again)


async def test_what_is_sealed_gives_its_worktree_back_and_then_its_slot(rig: Rig) -> None:
    await rig.opened()
    item = await rig.prepared("one")
    await rig.host.says(item, "echo work > app.py")
    with rig.pool.held(item.workspace_id, 1) as holding:
        sealing = asyncio.create_task(rig.sealed(item))
        await holding.released.wait()
        assert [] == await rig.host.workspaces.known(item.workspace_id)
        assert not sealing.done()
    assert (1, None) == ((end := await sealing).given_back, end.failure)
    assert end == await rig.sealed(item)


async def test_what_is_not_sealed_keeps_worktree_and_slot(rig: Rig) -> None:
    await rig.opened()
    item = await rig.prepared("one")
    await rig.host.says(item, "echo stray > stray.py")
    with rig.pool.held(item.workspace_id, 1) as holding:
        assert 0 == (await rig.sealed(item)).given_back
        assert not holding.released.is_set()
    assert "stray.py" in await rig.host.says(item, "ls")


async def test_a_seal_that_comes_late_leaves_a_newer_slot_alone(rig: Rig) -> None:
    await rig.opened()
    item = await rig.prepared("one")
    await rig.sealed(item)
    with rig.pool.held(item.workspace_id, 2) as holding:
        assert 0 == (await rig.sealed(item)).given_back
        newer = await rig.life.prepared(item.workspace_id, 2, lambda line: None)
        assert 0 == (await rig.sealed(item)).given_back
        assert not holding.released.is_set()
    assert 0 == (await rig.sealed(item)).given_back
    assert "app.py" in await rig.host.says(newer, "ls")


async def test_a_bundle_that_was_stored_before_its_report_counts(rig: Rig) -> None:
    await rig.opened()
    item = await rig.prepared("one")
    await rig.host.says(item, "echo first > app.py")
    work = await sealed(rig.host.workspaces, item, await rig.task("one"), message="one", seconds=1)
    await rig.host.store.create(ids.item_changes_key(SWARM, "one", 1), work.bundle)
    await rig.host.says(item, "echo second > app.py")
    end = await rig.sealed(item)
    assert end.seal is not None
    assert work.tree == end.seal.tree


async def test_a_worktree_that_is_discarded_is_gone_with_what_ran_in_it(rig: Rig) -> None:
    await rig.opened()
    item = await rig.prepared("one")
    key = f"{item.workspace_id}/lead/job"
    await rig.host.runner.start(key, rig.host.workspaces.shell(item, "sleep 600", background=True))
    for _ in range(2):
        await ActivityEnvironment().run(rig.worktrees.discard_worktree, DiscardWorktreeInput(workspace=item))
        assert [] == await rig.host.workspaces.known(item.workspace_id)


async def test_a_worktree_that_a_newer_slot_holds_stays(rig: Rig) -> None:
    await rig.opened()
    item = await rig.prepared("one")
    newer = await rig.life.prepared(item.workspace_id, 2, lambda line: None)
    await ActivityEnvironment().run(rig.worktrees.discard_worktree, DiscardWorktreeInput(workspace=item))
    assert "app.py" in await rig.host.says(newer, "ls")


async def test_a_swept_swarm_leaves_the_leads_workspace_alone(rig: Rig) -> None:
    await rig.opened()
    for name in ("one", "two", "integration"):
        await rig.prepared(name)
    await ActivityEnvironment().run(rig.worktrees.sweep_swarm, SweepSwarmInput(host_id="a", swarm=SWARM))
    assert [TASK_ID] == await rig.host.workspaces.known("")
    assert "app.py" in await rig.host.says(rig.lead, "ls")
