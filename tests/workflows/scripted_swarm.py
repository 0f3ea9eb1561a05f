# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""Swarms for the tests: their activities by a script, their slots, workers for them, with real or with played items."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Interceptor, Worker

from activities.boundary import ErrorBoundary
from activities.gate import Gates
from longshift.adapters.slots import SlotPool
from longshift.contracts import ids
from longshift.contracts.activities import SlotActivities
from longshift.contracts.errors import SlotLost, WorkspaceFailed
from longshift.contracts.fleet import FleetLimits
from longshift.contracts.item import ItemInput
from longshift.contracts.slots import HoldSlotInput, SlotEnd, SlotGranted
from longshift.contracts.swarm import ItemEnd, ItemFailure, ItemSeal, ItemStatus, SwarmReport, SwarmTable
from longshift.contracts.swarm_activities import (
    DiscardWorktreeInput,
    LandSwarmInput,
    MergeActivities,
    MergeDigest,
    MergeInput,
    OpenedSwarm,
    OpenResolverInput,
    OpenSwarmInput,
    SealItemInput,
    SweepSwarmInput,
    WorktreeActivities,
)
from longshift.contracts.swarm_plan import ItemRow, PlanDigest
from longshift.contracts.swarm_start import SwarmStart
from longshift.contracts.tools import ToolDigest, ToolStatus
from longshift.contracts.workspace import Workspace
from longshift.workflow_runner import workflow_runner
from tests.workflows.conftest import SOON, queue_worker, scripted_activities
from tests.workflows.scripted import Script
from tests.workflows.stub_item import HEARD, PLAY, ItemPlay, StubItem
from workflows.agent import Agent
from workflows.item import Item
from workflows.swarm import Swarm

HOST = "h"
HOST_QUEUE = ids.host_queue(HOST)


@dataclass
class SwarmScript:
    """How items go, and what was asked."""

    play: Callable[[ItemInput], ItemPlay] = lambda request: ItemPlay()
    played: list[ItemInput] = field(default_factory=list[ItemInput])
    heard: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    seal: Callable[[SealItemInput], ItemEnd] = lambda request: request.end.model_copy(
        update={"seal": ItemSeal(attempt=request.attempt, key="k", files=1)}
    )
    sealed: list[SealItemInput] = field(default_factory=list[SealItemInput])
    given_back: list[Workspace] = field(default_factory=list[Workspace])
    """With a seal."""
    discarded: list[Workspace] = field(default_factory=list[Workspace])
    swept: list[str] = field(default_factory=list[str])
    opened: list[OpenSwarmInput] = field(default_factory=list[OpenSwarmInput])
    landed: list[LandSwarmInput] = field(default_factory=list[LandSwarmInput])
    mended: list[OpenResolverInput] = field(default_factory=list[OpenResolverInput])
    merges: list[MergeInput] = field(default_factory=list[MergeInput])
    slots: list[HoldSlotInput] = field(default_factory=list[HoldSlotInput])
    refuse: Callable[[HoldSlotInput], str] = lambda request: ""
    """Why a slot's workspace cannot be made; empty: it can."""
    misfits: frozenset[str] = frozenset()
    """Items whose own work does not fit to what is integrated."""
    make: Callable[[HoldSlotInput], Awaitable[Workspace]] | None = None
    """Makes the worktree of a slot; without it there are no files."""
    pool: SlotPool = field(default_factory=lambda: SlotPool(1_000))
    """Who holds a slot now."""
    holds_on: bool = False
    """A seal gives nothing back."""
    lost: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])
    """Task and generation of slots whose host goes away."""


class SwarmDoubles(WorktreeActivities, MergeActivities):
    """Everything that a swarm calls but models and tools."""

    def __init__(self, script: SwarmScript) -> None:
        self._script = script

    @activity.defn
    async def open_swarm(self, request: OpenSwarmInput) -> OpenedSwarm:
        self._script.opened.append(request)
        return OpenedSwarm(base_tree="t0", base_step=request.step)

    @activity.defn
    async def seal_item(self, request: SealItemInput) -> ItemEnd:
        self._script.sealed.append(request)
        end = request.end if request.end.failure else self._script.seal(request)
        holding = self._script.pool.holding(request.task_id)
        if end.failure or holding is None or self._script.holds_on:
            return end
        self._script.given_back.append(request.workspace)
        holding.released.set()
        await holding.ended.wait()
        return end.model_copy(update={"given_back": holding.generation})

    @activity.defn
    async def discard_worktree(self, request: DiscardWorktreeInput) -> None:
        self._script.discarded.append(request.workspace)

    @activity.defn
    async def sweep_swarm(self, request: SweepSwarmInput) -> None:
        self._script.swept.append(request.host_id)

    @activity.defn
    async def merge_items(self, request: MergeInput) -> MergeDigest:
        self._script.merges.append(request)
        first = request.merges[0] if request.merges else None
        if first is not None and first.item in self._script.misfits and not first.by:
            return MergeDigest(number=request.onto, conflict=first.item, conflict_files=("f",))
        merged = tuple(each.item for each in request.merges)
        return MergeDigest(number=request.number, merged=merged, tree="t", workspace=request.workspace)

    @activity.defn
    async def open_resolver(self, request: OpenResolverInput) -> None:
        self._script.mended.append(request)

    @activity.defn
    async def land_swarm(self, request: LandSwarmInput) -> ToolDigest:
        self._script.landed.append(request)
        return ToolDigest(index=request.index, status=ToolStatus.OK)

    @activity.defn(name=PLAY)
    async def play_item(self, request: ItemInput) -> ItemPlay:
        self._script.played.append(request)
        return self._script.play(request)

    @activity.defn(name=HEARD)
    async def item_heard(self, item: str, what: str) -> None:
        self._script.heard[item].append(what)


class SubAgentSlots(SlotActivities):
    """Grants every slot at once, and holds it until the workspace is released, or given back with a seal."""

    def __init__(self, swarm: SwarmScript, script: Script) -> None:
        self._swarm = swarm
        self._script = script

    @activity.defn
    async def hold_slot(self, request: HoldSlotInput) -> SlotEnd:
        self._swarm.slots.append(request)
        if why := self._swarm.refuse(request):
            raise WorkspaceFailed(why)
        with self._swarm.pool.held(request.task_id, request.generation) as holding:
            workspace = await self._workspace(request)
            granted = SlotGranted(generation=request.generation, workspace=workspace)
            await activity.client().get_workflow_handle(request.session).signal("slot_granted", granted)
            released = self._script.released_slots[request.task_id, request.generation]
            while not (released.is_set() or holding.released.is_set()):
                activity.heartbeat()
                if (request.task_id, request.generation) in self._swarm.lost:
                    raise SlotLost("the host went away")
                await asyncio.sleep(0.05)
        return SlotEnd()

    async def _workspace(self, request: HoldSlotInput) -> Workspace:
        if self._swarm.make is not None:
            return await self._swarm.make(request)
        return Workspace(
            workspace_id=request.task_id,
            host_id=HOST,
            host_queue=HOST_QUEUE,
            root="/w",
            generation=request.generation,
        )


@asynccontextmanager
async def swarm_worker(
    client: Client,
    swarm: SwarmScript,
    script: Script | None = None,
    worktrees: WorktreeActivities | None = None,
    interceptors: Sequence[Interceptor] = (),
) -> AsyncGenerator[None]:
    """Workers for a swarm. With a `script` its items are real, and their agents play it; else `swarm` plays them.

    With `worktrees` these are real as well; `interceptors` are for workflows.
    """
    doubles, gates, boundary = SwarmDoubles(swarm), Gates(), ErrorBoundary()
    places = worktrees or doubles
    own = [
        *(places.open_swarm, places.seal_item, places.discard_worktree, places.sweep_swarm),
        *(doubles.merge_items, doubles.open_resolver, doubles.land_swarm, doubles.play_item, doubles.item_heard),
    ]
    agents = [] if script is None else scripted_activities(script, FleetLimits())
    names = {each.__name__ for each in agents}
    everything = [*own, *agents, *(each for each in (gates.find_ended,) if each.__name__ not in names)]
    async with AsyncExitStack() as workers:
        control = Worker(
            client,
            task_queue=ids.CONTROL_QUEUE,
            workflows=[Swarm, Agent, Item] if script else [Swarm, StubItem],
            activities=everything,
            interceptors=[boundary, *interceptors],
            workflow_runner=workflow_runner(),
            max_heartbeat_throttle_interval=SOON,
            max_cached_workflows=500,
        )
        await workers.enter_async_context(control)
        queues = {HOST_QUEUE: everything, ids.MODEL_QUEUE: agents or own}
        if script is not None:
            slots = [SubAgentSlots(swarm, script).hold_slot]
            queues |= {ids.SUB_AGENT_HOSTS_QUEUE: slots, ids.host_slots_queue(HOST): slots}
        for queue, activities in queues.items():
            await workers.enter_async_context(queue_worker(client, queue, activities, boundary))
        yield


def start_of(task_id: str, *rows: ItemRow, **fields: object) -> SwarmStart:
    """A swarm of a session that is named so."""
    given: dict[str, object] = {
        "swarm": f"{task_id}.swarm1",
        "session": task_id,
        "lead": f"{task_id}/lead",
        "step": 3,
        "index": 0,
        "plan": PlanDigest(key="p", hash="f" * 16, title="Do all", rows=rows),
        "workspace": Workspace(workspace_id=task_id, host_id=HOST, host_queue=HOST_QUEUE, root="/w"),
        "profile": "scripted",
        "width": 64,
        "host_patience_seconds": 5,
        **fields,
    }
    return SwarmStart.model_validate(given)


def rows(count: int) -> tuple[ItemRow, ...]:
    """Items that depend on nothing."""
    return tuple(ItemRow(id=f"i{number}") for number in range(count))


async def start_swarm(client: Client, start: SwarmStart) -> WorkflowHandle[Swarm, SwarmReport]:
    """Start it as a lead does."""
    return await client.start_workflow(
        Swarm.run, start, id=ids.swarm_workflow_id(start.swarm), task_queue=ids.CONTROL_QUEUE
    )


async def events_of(client: Client, workflow_id: str) -> list[int]:
    """The lengths of the histories of all its runs, the newest first."""
    lengths: list[int] = []
    run_id: str | None = None
    while True:
        history = await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
        lengths.append(len(history.events))
        run_id = history.events[0].workflow_execution_started_event_attributes.continued_execution_run_id
        if not run_id:
            return lengths


async def table_of(handle: WorkflowHandle[Swarm, SwarmReport]) -> SwarmTable:
    """Each item in a line."""
    return await handle.query(Swarm.table)


def count(report: SwarmReport, status: ItemStatus) -> int:
    """How many items ended so."""
    return report.summary.counts.get(status.value, 0)


def failing_once(failure: ItemFailure) -> Callable[[ItemInput], ItemPlay]:
    """The first attempt at each item fails."""
    return lambda request: ItemPlay(failure=failure if request.attempt == 1 else None)
