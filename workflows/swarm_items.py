"""The items of a swarm as children: begun, told things, watched, cancelled. What is begun when, is policy.

They are abandoned children: a swarm that continues as new keeps them. The engine tells their end to the run that began
them; those that go on beyond it are asked before to tell it themselves. One that has failed, or that runs no more when
the engine is asked, is lost.
"""

import asyncio
from collections.abc import Iterable
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ChildWorkflowError, FailureError, WorkflowAlreadyStartedError

from longshift.contracts import ids
from longshift.contracts.activities import GateActivities
from longshift.contracts.gate import FindEndedInput
from longshift.contracts.item import ItemInput
from longshift.contracts.swarm import ItemEnd, ItemStatus
from longshift.contracts.swarm_state import SwarmState
from longshift.contracts.workspace import Workspace
from longshift.policy import swarm_begin, swarm_resolvers, swarm_window
from workflows import attributes, options, signals
from workflows.failures import in_words
from workflows.integration import Integrated, Integration
from workflows.item import Item

BUSY_SECONDS = 1.0
"""An attempt that has told its end, and is about to close, is waited for so long at a time."""
BUSY_ROUNDS = 60
VANISHED = "its workflow ended without a report"


class SwarmItems:
    """The state of a swarm, and its children."""

    def __init__(self, state: SwarmState) -> None:
        self._state = state
        start = state.start
        # There before any handler runs: what is sealed is told to it.
        self._integration = Integration(
            state.reconciling,
            Integrated(swarm=start.swarm, session=start.session, plan_hash=start.plan.hash, rows=start.plan.rows),
            held=self._held,
            resolve=self._resolve,
            settled=self._settled,
        )
        self._changes: int = 0
        """Counts whatever may change what is to be done."""
        self._starting: dict[str, int] = {}
        """Name → its attempt that is about to start; the one before may close only now, and touches nothing of it."""
        self._late: dict[str, list[tuple[str, object]]] = {}
        """What is to be told to those that are about to start."""
        self._watching: dict[str, int] = {}
        """Name → its attempt whose end the engine tells to this run."""
        self._tasks: set[asyncio.Task[None]] = set()

    def _held(self) -> Workspace | None:
        """The lead's workspace, while a host holds it."""
        return self._state.start.workspace if self._state.has_slot else None

    def _changed(self, state: SwarmState | None = None) -> None:
        self._state = state or self._state
        self._changes += 1

    def _begin_what_may(self) -> None:
        """Begin items while there is room, and fail those for which there will never be a budget."""
        while (begun := swarm_window.next_begun(self._state, workflow.time())) is not None:
            item, self._state = begun
            number = self._integration.merged_number
            request = swarm_begin.item_input(self._state, item, number, workflow.time())
            self._state = swarm_begin.with_heard(self._state, (item,))
            self._begin(request)
        after = swarm_window.starved(self._state)
        if after is not self._state:
            before = self._state
            self._changed(after)
            self._drop_settled(before)

    def _begin(self, request: ItemInput) -> None:
        self._starting[request.item] = self._watching[request.item] = request.attempt
        task = asyncio.create_task(self._attempt(request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _attempt(self, request: ItemInput) -> None:
        """An attempt, from its start to what the engine says of its end."""
        try:
            handle = await self._started(request)
            await self._tell_late(request)
            end = await handle
        except FailureError as error:
            cause = error.cause if isinstance(error, ChildWorkflowError) and error.cause else error
            text = in_words(cause) if isinstance(cause, FailureError) else str(cause)
            end = swarm_begin.lost(request, f"{VANISHED}: {text}", workflow.time())
        finally:
            self._has_started(request)
            if self._watching.get(request.item) == request.attempt:
                del self._watching[request.item]
        self._take_end(end)

    async def _tell_late(self, request: ItemInput) -> None:
        """What came before its start, in order; until all of it is told, whatever else comes waits behind it."""
        while self._is_starting(request) and (late := self._late.get(request.item)):
            await self._signal(request.item, *late.pop(0))
        self._has_started(request)

    def _is_starting(self, request: ItemInput) -> bool:
        return self._starting.get(request.item) == request.attempt

    def _has_started(self, request: ItemInput) -> None:
        if self._is_starting(request):
            del self._starting[request.item]
            self._late.pop(request.item, None)

    async def _started(self, request: ItemInput) -> workflow.ChildWorkflowHandle[Item, ItemEnd]:
        """Start it as soon as the attempt before has closed."""
        task_id = ids.item_task_id(request.swarm, request.item)
        for left in range(BUSY_ROUNDS, -1, -1):
            try:
                return await workflow.start_child_workflow(
                    Item.run,
                    request,
                    id=ids.item_workflow_id(task_id),
                    task_timeout=timedelta(seconds=options.WORKFLOW_TASK_SECONDS),
                    parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                    cancellation_type=workflow.ChildWorkflowCancellationType.ABANDON,
                    search_attributes=attributes.of_child(),
                    static_summary=f"{request.item}, attempt {request.attempt}"[:200],
                )
            except WorkflowAlreadyStartedError:
                if not left:
                    raise
                await workflow.sleep(BUSY_SECONDS, summary="the attempt before closes")
        raise AssertionError("unreachable")

    def _take_end(self, end: ItemEnd) -> None:
        """Heard once; it may come twice, by the signal and by the engine."""
        before = self._state
        state = swarm_resolvers.after_end(before, end, workflow.time())
        if state is None:
            state = swarm_window.after_end(before, end, workflow.time())
        if state is before:
            return
        self._changed(swarm_window.with_host(state, end.host))
        if swarm_window.is_newly_sealed(before, self._state, end.item):
            self._integration.sealed(end)
        self._drop_settled(before)

    def _drop_settled(self, before: SwarmState) -> None:
        """The integration waits no more for items that are over without work of theirs."""
        for item in swarm_window.newly_out(before, self._state):
            self._integration.dropped(item)

    async def _part(self) -> None:
        """Ask those at work to tell their end to the next run, and hear the end of those that have closed already."""
        await asyncio.gather(*(self._parted(item, attempt) for item, attempt in tuple(self._watching.items())))

    async def _parted(self, item: str, attempt: int) -> None:
        if not await self._signal(item, "tell_end", None):
            await workflow.wait_condition(lambda: self._watching.get(item) != attempt)

    async def _signal(self, item: str, name: str, value: object) -> bool:
        return await signals.to_item(ids.item_task_id(self._state.start.swarm, item), name, value)

    async def _tell(self, names: Iterable[str], name: str, value: object = None) -> None:
        """A signal to each of these that is at work; those that are about to start get it afterwards."""
        for item in tuple(names):
            if item in self._starting:
                self._late.setdefault(item, []).append((name, value))
            elif item in self._state.account.shares:
                await self._signal(item, name, value)

    async def _cancel(self, names: Iterable[str]) -> None:
        """Cancel those at work; each tells its end."""
        swarm = self._state.start.swarm
        for item in tuple(names):
            await workflow.wait_condition(lambda: item not in self._starting)  # noqa: B023  # awaited within the round
            handle = workflow.get_external_workflow_handle(ids.item_workflow_id(ids.item_task_id(swarm, item)))
            try:
                await handle.cancel()
            except FailureError as error:
                workflow.logger.info("%s was not there to be cancelled: %s", item, in_words(error))

    async def _look(self) -> None:
        """Those of an earlier run that have ended without a word are lost."""
        swarm = self._state.start.swarm
        unwatched = {
            ids.item_workflow_id(ids.item_task_id(swarm, item)): item
            for item in self._state.account.shares
            if item not in self._watching
        }
        if not unwatched:
            return
        ended = await workflow.execute_local_activity_method(
            GateActivities.find_ended, FindEndedInput(sessions=tuple(unwatched)), **options.LEDGER
        )
        for each in ended.sessions:
            end = swarm_begin.end_of_lost(self._state, unwatched[each], VANISHED, workflow.time())
            if end is not None:
                self._take_end(end)

    def _settled(self, item: str, status: ItemStatus, reason: str) -> None:
        """The integration says what became of sealed work."""
        before = self._state
        self._changed(swarm_window.integrated(before, item, status, reason))
        self._drop_settled(before)

    async def _resolve(self, item: str, number: int) -> ItemEnd:
        """Have a merge mended, as soon as the budget allows; asked again, it is the same sub-agent."""
        name = swarm_resolvers.name_of(item, number)
        while True:
            self._state, end = swarm_resolvers.taken(self._state, name)
            if end is not None:
                return end
            if name not in self._state.account.shares:
                if not swarm_resolvers.is_wanted(self._state, item):
                    return swarm_resolvers.not_begun(name, self._state)
                held = self._state.paused or self._state.fleet_held
                begun = None if held else swarm_resolvers.begun(self._state, name, workflow.time())
                if begun is not None:
                    self._state, request = begun
                    self._begin(request)
                elif not held and not self._state.account.shares:
                    return swarm_resolvers.not_begun(name, self._state)
            before = self._changes
            await workflow.wait_condition(lambda: self._changes != before)  # noqa: B023  # awaited within the round
