"""Slots of this host: a session holds one by a call that lasts as long as the slot does."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator

from temporalio import activity
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.cancellation import is_cancelled_by_the_workflow
from activities.gate import is_running
from activities.heartbeat import Progress, heartbeating
from activities.workspace import WorkspaceLife
from longshift.adapters.crashes import CrashJournal
from longshift.adapters.slots import Holding, SlotPool
from longshift.adapters.workspace import Workspaces
from longshift.contracts import ids
from longshift.contracts.activities import SlotActivities
from longshift.contracts.errors import HostFull, SlotLost, StaleGeneration
from longshift.contracts.slots import HoldSlotInput, SlotDraining, SlotEnd, SlotGranted, SlotKind, SlotTaken
from longshift.contracts.workspace import Workspace
from longshift.policy.slots import forsaken_after

log = logging.getLogger("longshift.slots")

ORPHAN_LOOK_SECONDS = 300.0
"""How often a host looks whether an item goes on elsewhere whose worktree it still has."""

TOLD_AFTER_SECONDS = {SlotKind.SESSION: 0.1, SlotKind.SUB_AGENT: 5.0}
"""A signal costs whoever asked a turn, while it has nothing to do but wait; what is prepared by then needs none. People
watch how a session's workspace is prepared; of an item's only the host has to be known, should it go down with it."""


class Slots(SlotActivities):
    """Grants the slots of this host and holds them."""

    def __init__(
        self,
        pools: dict[SlotKind, SlotPool],
        life: WorkspaceLife,
        workspaces: Workspaces,
        *,
        host_id: str,
        drain_seconds: float,
        patience_seconds: float,
        journal: CrashJournal,
    ) -> None:
        """`drain_seconds` is how long a stopping worker waits for sessions to let go, `patience_seconds` how long
        a host waits for a session that held a slot before it ends what that has left running.
        """
        self._pools = pools
        self._life = life
        self._workspaces = workspaces
        self._host_id = host_id
        self._drain_seconds = drain_seconds
        self._patience_seconds = patience_seconds
        self._journal = journal
        self._forsaken: set[asyncio.Task[None]] = set()

    @activity.defn
    async def hold_slot(self, request: HoldSlotInput) -> SlotEnd:
        """Prepare the workspace, grant it to the session, and heartbeat until it lets go."""
        pool = self._pools[request.kind]
        is_returning = activity.info().task_queue == ids.host_slots_queue(self._host_id)
        if is_returning and not pool.has_room_for(request.task_id):
            raise HostFull(f"host {self._host_id} holds {pool.used} of {pool.capacity} slots")
        progress = Progress()
        with pool.held(request.task_id, request.generation, is_returning=is_returning) as holding:
            async with heartbeating(progress):
                workspace = await self._grant(request, progress)
                try:
                    await self._until_released(request, holding)
                except asyncio.CancelledError:
                    if not is_cancelled_by_the_workflow():
                        self._forsake(workspace, activity.client())
                        raise
                return SlotEnd(ended_commands=await self._end(workspace))

    async def _grant(self, request: HoldSlotInput, progress: Progress) -> Workspace:
        generation = request.generation
        async with (
            self._telling_who_prepares(request),
            self._journal.doing(f"{request.session} prepare", f"preparing the workspace of {request.session}"),
        ):
            workspace = await self._life.prepared(
                request.task_id, generation, progress.report, integration=request.integration
            )
        await self._workspaces.mark_held(workspace)
        await self._tell(request, "slot_granted", SlotGranted(generation=generation, workspace=workspace))
        progress.report("held")
        return workspace

    @contextlib.asynccontextmanager
    async def _telling_who_prepares(self, request: HoldSlotInput) -> AsyncGenerator[None]:
        """Tell the session who has taken it, unless the block ends so soon that the grant tells it."""

        async def tell() -> None:
            await asyncio.sleep(TOLD_AFTER_SECONDS[request.kind])
            await self._tell(request, "slot_taken", SlotTaken(generation=request.generation, host_id=self._host_id))

        telling = asyncio.create_task(tell())
        try:
            yield
        finally:
            telling.cancel()
            await asyncio.wait([telling])
            failure = None if telling.cancelled() else telling.exception()
        if failure is not None:
            raise failure

    async def keep_places(self, client: Client) -> None:
        """After a start: the sessions that held slots here are expected back; those that do not come are let go."""
        marked = await self._workspaces.marked_held()
        running = await asyncio.gather(
            *(is_running(client, ids.holder_workflow_id(workspace.workspace_id)) for workspace in marked)
        )
        held = [workspace for workspace, goes_on in zip(marked, running, strict=True) if goes_on]
        for workspace in marked:
            if workspace not in held:
                await self._end(workspace)
        for kind, pool in self._pools.items():
            pool.expect(task_id for task_id in (each.workspace_id for each in held) if _kind_of(task_id) is kind)
        for workspace in held:
            self._forsake(workspace, client)
        await self._discard_orphans(client)

    async def _discard_orphans(self, client: Client) -> None:
        """Remove the worktrees of items and swarms that have ended meanwhile."""
        found = [task_id for task_id in await self._workspaces.known("") if ids.is_sub_task_id(task_id)]
        wanted = await asyncio.gather(*(is_running(client, ids.holder_workflow_id(task_id)) for task_id in found))
        for task_id in (task_id for task_id, goes_on in zip(found, wanted, strict=True) if not goes_on):
            ended = await self._workspaces.discard(task_id)
            log.info("the worktree %s is of nobody and was removed; ended commands: %d", task_id, ended)

    async def _until_released(self, request: HoldSlotInput, holding: Holding) -> None:
        released = asyncio.create_task(holding.released.wait())
        stopping = asyncio.create_task(activity.wait_for_worker_shutdown())
        try:
            await asyncio.wait([released, stopping], return_when=asyncio.FIRST_COMPLETED)
            if not released.done():
                draining = SlotDraining(generation=request.generation, seconds=self._drain_seconds)
                await self._tell(request, "slot_draining", draining)
                await self._until_drained(released)
        finally:
            released.cancel()
            stopping.cancel()

    async def _until_drained(self, released: asyncio.Task[bool]) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(released, self._drain_seconds)
        if not released.done() or released.cancelled():
            raise SlotLost(f"host {self._host_id} stops; its commands go on, and it may be back soon")

    async def _end(self, workspace: Workspace) -> int:
        """End what still runs; a newer slot may hold the workspace by now, and then nothing is touched."""
        try:
            ended = await self._workspaces.release(workspace)
            await self._workspaces.mark_released(workspace)
        except StaleGeneration:
            return 0
        return ended

    def _forsake(self, workspace: Workspace, client: Client) -> None:
        """The engine has given this slot away: unless the session comes back here soon, end its commands."""
        task = asyncio.create_task(self._end_unless_back(workspace, client), name=f"forsaken {workspace.workspace_id}")
        self._forsaken.add(task)
        task.add_done_callback(self._forsaken.discard)

    async def _end_unless_back(self, workspace: Workspace, client: Client) -> None:
        await asyncio.sleep(forsaken_after(self._patience_seconds))
        task_id = workspace.workspace_id
        self._pools[_kind_of(task_id)].give_up(task_id)
        if self._is_held(task_id):
            return
        ended = await self._end(workspace)
        log.info("session %s did not come back for its slot; ended commands: %d", task_id, ended)
        while ids.is_sub_task_id(task_id) and not self._is_held(task_id):
            # An item that goes on may come back here after all; when it ends elsewhere, nobody tells this host.
            if not await _goes_on(client, task_id):
                await self._workspaces.discard(task_id)
                return
            await asyncio.sleep(ORPHAN_LOOK_SECONDS)

    def _is_held(self, task_id: str) -> bool:
        return any(pool.holding(task_id) is not None for pool in self._pools.values())

    async def _tell(self, request: HoldSlotInput, name: str, value: SlotTaken | SlotGranted | SlotDraining) -> None:
        try:
            await activity.client().get_workflow_handle(request.session).signal(name, value)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            raise SlotLost(f"{request.session} has ended") from error


def _kind_of(task_id: str) -> SlotKind:
    return SlotKind.SUB_AGENT if ids.is_sub_task_id(task_id) else SlotKind.SESSION


async def _goes_on(client: Client, task_id: str) -> bool:
    """Whether somebody may want the workspace of a task; an engine that does not answer is no reason to remove it."""
    try:
        return await is_running(client, ids.holder_workflow_id(task_id))
    except RPCError as error:
        log.info("whether %s goes on is not known: %s", task_id, error.message)
        return True
