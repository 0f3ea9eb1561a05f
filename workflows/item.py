"""One attempt at an item of a swarm: its slot, its agent, its seal; then everything is given back.

The next attempt is another run under the same workflow id. What an agent's end means is decided in
`policy.item_end`, what follows from it in `policy.swarm_window`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ChildWorkflowError, FailureError, is_cancelled_exception

from longshift.contracts import ids
from longshift.contracts.activities import LedgerActivities, OpenedAgent
from longshift.contracts.agent import AgentInput, AgentOutcome, AgentReport
from longshift.contracts.attention import Attention
from longshift.contracts.item import ItemInput
from longshift.contracts.slots import SlotGranted
from longshift.contracts.swarm import ItemEnd, ItemFailure, ItemNews
from longshift.contracts.swarm_activities import DiscardWorktreeInput, SealItemInput, WorktreeActivities
from longshift.contracts.workspace import Workspace
from longshift.policy import attempts, item_end, steps
from workflows import attributes, options, signals
from workflows.agent import Agent
from workflows.failures import in_words
from workflows.host_calls import HostLost, on_host
from workflows.item_inbox import ItemInbox
from workflows.slot import SlotPhase

Result = TypeVar("Result")

AGAIN_SECONDS = 60.0
"""What failed outside is tried again after this long, or when somebody says so."""
DISCARD_PATIENCE_SECONDS = 300.0
"""A host that does not take the removal of a worktree in this time is gone; it sweeps when it is back."""


@workflow.defn(name="Item")
class Item(ItemInbox):
    """From the slot to the end that the swarm hears: from the engine, or from here if it has continued as new since."""

    @workflow.init
    def __init__(self, request: ItemInput) -> None:
        super().__init__(request)
        self._end = attempts.ended(request, workflow.time(), 0.0)
        self._report: AgentReport | None = None

    @workflow.run
    async def run(self, request: ItemInput) -> ItemEnd:
        """Work, seal, give back; a cancel takes the same way out."""
        life = asyncio.create_task(self._live())
        try:
            await asyncio.shield(life)
        except asyncio.CancelledError:
            self._is_cancelled, self._ending = True, self._ending or "cancelled"
            await life
        await workflow.wait_condition(workflow.all_handlers_finished)
        if self._tells_end:
            await signals.to_swarm(request.swarm, "item_ended", self._end)
        return self._end

    async def _live(self) -> None:
        keeping = asyncio.create_task(self._slot.keep())
        try:
            await self._work()
            await self._seal()
        except BaseException as error:
            if not isinstance(error, FailureError) or not (self._ending or isinstance(error, ChildWorkflowError)):
                raise
            failure = ItemFailure.ENDED if self._ending else ItemFailure.LOST
            self._end = attempts.failed(self._end, failure, self._ending or in_words(error))
        self._slot.close(given_back=self._end.given_back)
        await keeping
        await self._discard()
        self._end = self._end.model_copy(update={"ended_at": workflow.time()})

    async def _work(self) -> None:
        """Until the agent has ended, for whichever reason."""
        await workflow.wait_condition(
            lambda: self._slot.phase in {SlotPhase.HELD, SlotPhase.REFUSED} or bool(self._ending)
        )
        if self._ending:
            self._end = attempts.failed(self._end, ItemFailure.ENDED, self._ending)
            return
        if self._slot.failure is not None:
            self._end = attempts.failed(self._end, ItemFailure.HOST, in_words(self._slot.failure))
            return
        await self._begin_agent()
        report = self._report = await self._supervised()
        self._end = attempts.with_report(self._end, report, told_throttled=self._told_throttled)
        failure = item_end.failure_of(report)
        if self._slot.failure is not None and report.outcome is not AgentOutcome.DONE:
            self._end = attempts.failed(self._end, ItemFailure.HOST, in_words(self._slot.failure))
        elif failure is not None:
            self._end = attempts.failed(self._end, failure, report.reason or self._ending)

    async def _begin_agent(self) -> None:
        request, workspace = self._request, self._slot.workspace
        assert workspace is not None  # it was granted
        opening = attempts.opening(request, workspace)
        opened = await self._until_mended(
            lambda: workflow.execute_local_activity_method(LedgerActivities.open_agent, opening, **options.LEDGER)
        )
        state = attempts.agent_state(request, workspace, opened or OpenedAgent())
        generation = workspace.generation
        agent = await workflow.start_child_workflow(
            Agent.run,
            AgentInput(state=steps.ended_or(state)),
            id=ids.agent_workflow_id(state.agent),
            task_timeout=timedelta(seconds=options.WORKFLOW_TASK_SECONDS),
            cancellation_type=workflow.ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
            search_attributes=attributes.of_child(),
            static_summary=f"{state.agent}"[:200],
        )
        self._agent = agent
        await self._tell_what_came_meanwhile(generation)

    async def _tell_what_came_meanwhile(self, generation: int) -> None:
        """What the swarm said, and hosts did, before the agent was there."""
        while self._early:
            await self._tell_agent(*self._early.pop(0))
        workspace = self._slot.held()
        if workspace is None:
            await self._tell_agent("slot_lost", generation)
        elif workspace.generation != generation:
            granted = SlotGranted(generation=workspace.generation, workspace=workspace)
            await self._tell_agent("slot_granted", granted)

    async def _supervised(self) -> AgentReport:
        """Until the agent has ended: by itself, by a cancel, or as nobody can make its worktree again."""
        agent = self._agent
        assert agent is not None  # it was begun
        await workflow.wait_condition(
            lambda: agent.done() or self._is_cancelled or self._slot.phase is SlotPhase.REFUSED
        )
        if not agent.done():
            agent.cancel()
        try:
            return await agent
        finally:
            self._agent = None

    async def _seal(self) -> None:
        """Its work, if it is proved, and its report. What came to nothing waits for no host to say so."""
        has_failed = self._end.failure is not None
        if self._slot.workspace is None or (has_failed and self._slot.held() is None) or self._is_cancelled:
            return
        self._end = self._end.model_copy(update={"ended_at": workflow.time()})
        sealing = asyncio.create_task(self._until_mended(self._sealed))
        await workflow.wait_condition(
            lambda: sealing.done() or self._is_cancelled or (has_failed and self._slot.held() is None)
        )
        if sealing.done():
            self._end = sealing.result()
            return
        sealing.cancel()
        await asyncio.wait([sealing])
        if not has_failed:
            self._end = attempts.failed(self._end, ItemFailure.ENDED, self._ending)

    async def _sealed(self) -> ItemEnd:
        while True:
            try:
                return await on_host(self._slot.held, self._start_seal)
            except HostLost:
                workflow.logger.info("the host of slot %d was lost under the seal", self._slot.generation)

    def _start_seal(self, workspace: Workspace) -> workflow.ActivityHandle[ItemEnd]:
        report, request = self._report, self._request
        return workflow.start_activity_method(
            WorktreeActivities.seal_item,
            SealItemInput(
                workspace=workspace,
                task_id=attempts.task_id(request),
                swarm=request.swarm,
                item=request.item,
                attempt=request.attempt,
                end=self._end.model_copy(update={"host": workspace.host_id}),
                agent=attempts.agent_of(request),
                last_step=report.last_step if report and report.outcome is AgentOutcome.DONE else 0,
                epoch=report.epoch if report else 1,
                checks=report.checks if report else None,
            ),
            summary=f"seal {request.item}"[:200],
            **options.housekeeping(workspace.host_queue),
        )

    async def _discard(self) -> None:
        """Its worktree, unless that went with the seal; the slot is back, so that nothing runs in it any more."""
        workspace = self._slot.workspace
        if workspace is None or self._end.given_back == self._slot.generation:
            return
        self._end = self._end.model_copy(update={"host": workspace.host_id})
        try:
            await workflow.execute_activity_method(
                WorktreeActivities.discard_worktree,
                DiscardWorktreeInput(workspace=workspace),
                summary="remove the worktree",
                schedule_to_start_timeout=timedelta(seconds=DISCARD_PATIENCE_SECONDS),
                **options.housekeeping(workspace.host_queue),
            )
        except ActivityError as error:
            workflow.logger.info("the worktree was not removed: %s", in_words(error))

    async def _until_mended(self, attempt: Callable[[], Awaitable[Result]]) -> Result:
        """What fails outside is no failure of the item: it is held up until that is mended, or it is to end."""
        while True:
            try:
                return await attempt()
            except FailureError as error:  # a local activity's failure is no ActivityError
                if self._ending or is_cancelled_exception(error):
                    raise
                attention = Attention(kind="host", text=in_words(error)[:2_000])
            await self._tell_held_up(attention)
            self._woken = False
            try:
                await workflow.wait_condition(lambda: self._woken or bool(self._ending), timeout=AGAIN_SECONDS)
            except TimeoutError:
                continue
            finally:
                await self._tell_held_up(None)

    async def _tell_held_up(self, attention: Attention | None) -> None:
        is_held_up = attention is not None
        news = ItemNews(item=self._request.item, waiting=is_held_up, attention=attention, needs_person=is_held_up)
        await signals.to_swarm(self._request.swarm, "item_status", news)
