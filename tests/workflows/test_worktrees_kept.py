"""What a host that was restarted does with the worktrees of swarms that it has."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio
from obstore.store import MemoryStore
from temporalio.client import Client

from activities.slots import Slots
from activities.workspace import WorkspaceLife
from longshift.adapters.crashes import CrashJournal
from longshift.adapters.slots import SlotPool
from longshift.adapters.workspace import Checks
from longshift.contracts import ids
from longshift.contracts.slots import SlotKind
from longshift.contracts.workspace import Workspace
from tests.adapters.workspace.hosts import TASK_ID, FailingStore
from tests.adapters.worktrees.swarms import SWARM, SwarmHost, repository, task
from tests.sandboxing import best_sandbox

NOBODY = "nobody-polls-this"


class Rig:
    """A host with worktrees of a swarm."""

    def __init__(self, host: SwarmHost, client: Client) -> None:
        self.host, self.client = host, client
        self.pools = {SlotKind.SESSION: SlotPool(1), SlotKind.SUB_AGENT: SlotPool(4)}

    async def restarted(self, patience_seconds: float = 600.0) -> None:
        self.host.restart()
        life = WorkspaceLife(self.host.workspaces, Checks(self.host.workspaces, self.host.runner), self.host.store)
        slots = Slots(
            self.pools,
            life,
            self.host.workspaces,
            host_id="a",
            drain_seconds=1,
            patience_seconds=patience_seconds,
            journal=CrashJournal(self.host.folder / "in-flight"),
        )
        await slots.keep_places(self.client)

    async def working(self, item: Workspace) -> None:
        """A command of the item runs, and a slot is held for it."""
        await self.host.workspaces.mark_held(item)
        command = self.host.workspaces.shell(item, "sleep 600", background=True)
        await self.host.runner.start(f"{item.workspace_id}/lead/job", command)


@pytest_asyncio.fixture
async def rig(tmp_path: Path, client: Client) -> AsyncGenerator[Rig]:
    host = SwarmHost(tmp_path / "a", "a", FailingStore(MemoryStore()), sandbox=best_sandbox(tmp_path / "hidden"))
    yield Rig(host, client)
    for task_id in await host.workspaces.known(""):
        await host.workspaces.abandon(task_id)
    await host.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return repository(tmp_path / "user")


async def test_worktrees_of_nobody_are_removed_with_their_commands(rig: Rig, source: Path) -> None:
    spec = task(workspace={"git": str(source)})
    lead, sub_agent = await rig.host.delegating(spec)
    for name in ("one", "two", ids.INTEGRATION):
        item = await rig.host.item(spec, sub_agent, name)
        if name != "two":
            await rig.working(item)
    await rig.restarted()
    assert [TASK_ID] == await rig.host.workspaces.known("")
    assert "app.py" in await rig.host.says(lead, "ls")
    assert 0 == rig.pools[SlotKind.SUB_AGENT].used


@pytest.mark.slow
@pytest.mark.release
async def test_a_worktree_whose_item_ends_elsewhere_is_removed(rig: Rig, source: Path) -> None:
    spec = task(workspace={"git": str(source)})
    _, sub_agent = await rig.host.delegating(spec)
    item = await rig.host.item(spec, sub_agent, "one")
    await rig.working(item)
    workflow_id = ids.item_workflow_id(item.workspace_id)
    handle = await rig.client.start_workflow("Item", id=workflow_id, task_queue=NOBODY)
    await rig.restarted(patience_seconds=0.0)
    assert item.workspace_id in await rig.host.workspaces.known("")
    await handle.terminate()
    for _ in range(120):
        if await rig.host.workspaces.known("") == [TASK_ID]:
            break
        await asyncio.sleep(0.5)
    assert [TASK_ID] == await rig.host.workspaces.known("")


async def test_an_item_that_goes_on_is_expected_back(rig: Rig, source: Path) -> None:
    spec = task(workspace={"git": str(source)})
    _, sub_agent = await rig.host.delegating(spec)
    one, two = [await rig.host.item(spec, sub_agent, name) for name in ("one", "two")]
    integration = await rig.host.item(spec, sub_agent, ids.INTEGRATION)
    for item in (one, two):
        await rig.working(item)
    wanted = [ids.item_workflow_id(one.workspace_id), ids.swarm_workflow_id(SWARM)]
    handles = [await rig.client.start_workflow("Item", id=each, task_queue=NOBODY) for each in wanted]
    try:
        await rig.restarted()
    finally:
        for handle in handles:
            await handle.terminate()
    kept = {TASK_ID, one.workspace_id, integration.workspace_id}
    assert kept == set(await rig.host.workspaces.known(""))
    assert (0, 1) == (rig.pools[SlotKind.SESSION].used, rig.pools[SlotKind.SUB_AGENT].used)
    assert 1 == await rig.host.workspaces.abandon(one.workspace_id)
