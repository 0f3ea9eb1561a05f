# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""Real items with real worktrees: what the seal refuses is not merged, however green the checks were.

Checks and model are scripted, so that the seal is the only guard here; the lead's own checks are others' tests.
"""

from collections import Counter
from collections.abc import AsyncGenerator
from pathlib import Path

import orjson
import pytest
import pytest_asyncio
from obstore.store import MemoryStore
from temporalio.client import Client

from activities.workspace import WorkspaceLife
from activities.worktrees import Worktrees
from longshift.adapters.slots import SlotPool
from longshift.adapters.store import Transcripts
from longshift.adapters.workspace import Checks
from longshift.contracts import ids
from longshift.contracts.slots import HoldSlotInput
from longshift.contracts.swarm import ItemFailure, ItemReport, ItemStatus
from longshift.contracts.swarm_plan import ItemRow, PlanDigest, SwarmItem, SwarmPlan
from longshift.contracts.tools import RunToolInput, ToolStatus
from longshift.contracts.workspace import Workspace
from tests.adapters.workspace.hosts import TASK_ID, FailingStore
from tests.adapters.worktrees.swarms import LEAD, STEP, SWARM, SwarmHost, repository, task
from tests.sandboxing import best_sandbox
from tests.workflows.scripted import Script, digest_of
from tests.workflows.scripted_swarm import HOST, SwarmScript, start_of, start_swarm, swarm_worker

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]

ITEMS = ("keeps", "strays", "repents", "protected")
PLAN = SwarmPlan(
    goal="Do all", items=tuple(SwarmItem(id=name, goal="Do", write_scope=(name, "kept")) for name in ITEMS)
)
HASH = "f" * 16


class Scene:
    """A lead that has planned, on a host that is also the items'."""

    def __init__(self, host: SwarmHost, lead: Workspace) -> None:
        self.host, self.lead = host, lead
        self.pool = SlotPool(len(ITEMS))
        self.worktrees = Worktrees(host.workspaces, host.store, Transcripts(host.store), self.pool)
        self._life = WorkspaceLife(host.workspaces, Checks(host.workspaces, host.runner), host.store)
        self.written: Counter[str] = Counter()

    async def make(self, request: HoldSlotInput) -> Workspace:
        """The worktree of an item."""
        return await self._life.prepared(
            request.task_id, request.generation, lambda line: None, integration=request.integration
        )

    def write(self, request: RunToolInput) -> ToolStatus:
        """What the command of an item does to its files."""
        item = request.workspace.workspace_id.rpartition(".")[2]
        self.written[item] += 1
        tree = self.host.tree_of(item)
        (tree / item).write_text("work\n")
        if item == "strays" or (item == "repents" and self.written[item] == 1):
            (tree / "stray").write_text("work\n")
        if item == "protected":
            (tree / "kept").write_text("work\n")
        return ToolStatus.OK

    async def reports(self, item: str) -> list[ItemReport]:
        """Of its two attempts, as far as there are any."""
        bodies = [await self.host.store.find(ids.item_report_key(SWARM, item, attempt)) for attempt in (1, 2)]
        return [ItemReport.model_validate_json(body) for body in bodies if body is not None]


@pytest_asyncio.fixture(loop_scope="session")
async def scene(tmp_path: Path) -> AsyncGenerator[Scene]:
    host = SwarmHost(tmp_path / HOST, HOST, FailingStore(MemoryStore()), sandbox=best_sandbox(tmp_path / "hidden"))
    spec = task(workspace={"git": str(repository(tmp_path / "user", kept="as it was\n"))}, protected=("kept",))
    lead = await host.prepare(spec, 1)
    await host.store.create(ids.task_key(TASK_ID), orjson.dumps(spec.model_dump(mode="json")))
    await host.store.create(ids.plan_key(SWARM, HASH), PLAN.model_dump_json().encode())
    await host.began()
    yield Scene(host, lead)
    await host.close()


async def test_what_the_seal_refuses_fails_the_attempt_and_nothing_of_it_is_merged(
    client: Client, scene: Scene
) -> None:
    answers = {ids.item_task_id(SWARM, item): [digest_of("bash"), digest_of("finish")] * 2 for item in ITEMS}
    swarm, script = SwarmScript(make=scene.make, pool=scene.pool), Script([], answers_of=answers, tool=scene.write)
    rows = tuple(ItemRow(id=item) for item in ITEMS)
    plan = PlanDigest(key=ids.plan_key(SWARM, HASH), hash=HASH, title="Do all", rows=rows)
    start = start_of(TASK_ID, plan=plan, swarm=SWARM, lead=LEAD, step=STEP, workspace=scene.lead, attempts=2)
    async with swarm_worker(client, swarm, script, scene.worktrees):
        report = await (await start_swarm(client, start)).result()
    assert {ItemStatus.MERGED: 2, ItemStatus.FAILED: 2} == report.summary.counts
    out, red = ItemFailure.OUT_OF_SCOPE, ItemFailure.CHECKS_RED
    ends = {item: [each.failure for each in await scene.reports(item)] for item in ITEMS}
    assert {"keeps": [None], "strays": [out, out], "repents": [out, None], "protected": [red, red]} == ends
    assert [
        "strays: failed, changed outside of its write scope: stray",
        "protected: failed, changed protected files: kept",
    ] == [*report.summary.troubled]
    assert {"keeps": ("keeps",), "repents": ("repents",)} == {
        merge.item: (await scene.reports(merge.item))[-1].files for asked in swarm.merges for merge in asked.merges
    }
    told = {asked.task_id.rpartition(".")[2]: note.text for asked in script.asked for note in asked.notes}
    assert {"strays", "repents", "protected"} == told.keys()
    assert "outside of your write scope" in told["repents"]
    assert [TASK_ID] == await scene.host.workspaces.known("")
