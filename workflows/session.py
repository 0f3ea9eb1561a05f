"""The life of one task: slot, agent, proof, delivery. It supervises the clock.

It never touches the loop of the agent: it signals. What people and hosts say to it is in `steering`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError, is_cancelled_exception

from longshift.contracts import ids
from longshift.contracts.activities import (
    DeliverInput,
    LedgerActivities,
    OpenAgentInput,
    OpenedAgent,
    OpenSessionInput,
    PrepareWorkspaceInput,
    ReleaseInput,
    RunChecksInput,
    WorkspaceActivities,
)
from longshift.contracts.agent import AgentInput, AgentOutcome, AgentReport, AgentState
from longshift.contracts.attention import Attention
from longshift.contracts.completion import Completion
from longshift.contracts.delegation import VERSION_WITH_SWARMS
from longshift.contracts.ledger import Extension
from longshift.contracts.reviews import AskKind
from longshift.contracts.session import (
    SessionInput,
    SessionState,
    SessionStatus,
    TimeUsed,
)
from longshift.contracts.slots import SlotGranted
from longshift.contracts.stuck import Rung
from longshift.contracts.task import OnDeadline
from longshift.contracts.transcript import Note
from longshift.contracts.workspace import DeliveryDigest, Workspace
from longshift.policy import reviews, session_swarms, slots, steps
from longshift.policy import session as policy
from workflows import attributes, options, signals
from workflows.agent import Agent
from workflows.failures import in_words
from workflows.host_calls import HostLost, on_host
from workflows.slot import SlotPhase
from workflows.swarm_steering import SwarmSteering

Result = TypeVar("Result")


@workflow.defn(name="Session")
class Session(SwarmSteering):
    """One task, from submission to its final state."""

    @workflow.init
    def __init__(self, request: SessionInput) -> None:
        super().__init__(request)
        self._keeping: asyncio.Task[None] | None = None

    @workflow.run
    async def run(self, request: SessionInput) -> SessionStatus:
        """Prepare, work, deliver; whatever happens, the session ends in a final state with its reason."""
        life = asyncio.create_task(self._live_and_close())
        try:
            await asyncio.shield(life)
        except asyncio.CancelledError:
            # A cancel in the Web UI takes the same way as a person's: whatever waits sees the reason.
            self._cancel_reason = self._cancel_reason or "cancelled"
            await life
        self._tell_people(final=True)
        await self._telling.told()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.status()

    async def _live_and_close(self) -> None:
        try:
            await self._live()
        except BaseException as error:
            if is_cancelled_exception(error) or (self._cancel_reason and isinstance(error, FailureError)):
                self._move(SessionState.CANCELLED, reason=self._cancel_reason or "cancelled")
            elif isinstance(error, FailureError):
                self._move(SessionState.FAILED, reason=in_words(error))
            else:
                raise
        await self._close()

    async def _live(self) -> None:
        task = self._request.task
        self._fleet.start()
        in_queue = workflow.patched("slots")
        if not in_queue:
            self._move(SessionState.PREPARING)
        opening = OpenSessionInput(task=task)
        await self._until_mended(
            lambda: workflow.execute_local_activity_method(LedgerActivities.open_session, opening, **options.LEDGER)
        )
        await self._unless_cancelled(self._first_slot() if in_queue else self._prepared())
        if any(check.measure and check.measure.needs_baseline for check in task.checks):
            await self._unless_cancelled(self._measured_baseline())
        await self._work()

    async def _first_slot(self) -> None:
        """Wait for the task's time, then in the queue, until a host has made the workspace."""
        due = self._request.task.not_before
        seconds = (due - workflow.now()).total_seconds() if due else 0.0
        if seconds > 0:
            attributes.upsert_waits_for("time")
            await workflow.sleep(seconds, summary="not before its time")
            attributes.upsert_waits_for("")
        self._keeping = asyncio.create_task(self._slot.keep())
        await workflow.wait_condition(lambda: self._slot.phase in {SlotPhase.HELD, SlotPhase.REFUSED})
        if self._slot.failure is not None:
            raise self._slot.failure

    async def _prepared(self) -> None:
        """A session from before there were slots has its workspace from one call."""
        workspace = await workflow.execute_activity_method(
            WorkspaceActivities.prepare_workspace,
            PrepareWorkspaceInput(task_id=self._request.task.id),
            summary="prepare the workspace",
            **options.PREPARE,
        )
        self._slot.take_over(workspace)

    async def _measured_baseline(self) -> None:
        task_id = self._request.task.id
        await self._on_host(
            lambda workspace: workflow.start_activity_method(
                WorkspaceActivities.run_checks,
                RunChecksInput(workspace=workspace, task_id=task_id, baseline=True),
                summary="measure the baseline",
                **options.run_checks(workspace.host_queue),
            )
        )

    async def _on_host(self, start: Callable[[Workspace], workflow.ActivityHandle[Result]]) -> Result:
        """A call that may be made again on whichever host holds the slot then."""
        while True:
            try:
                return await on_host(self._slot.held, start)
            except HostLost:
                workflow.logger.info("the host of slot %d was lost under a call", self._slot.generation)

    async def _work(self) -> None:
        """Run shifts until one ends the session."""
        handoff_from = ""
        while True:
            report = await self._shift(handoff_from)
            attributes.upsert_progress(policy.progress(self._status.agents, policy.at_end(report)))
            swarms = session_swarms.with_swarms(self._status.swarms, report.swarms)
            self._status = self._status.model_copy(update={"agents": (*self._status.agents, report), "swarms": swarms})
            if report.outcome is AgentOutcome.DONE:
                return self._move(SessionState.DELIVERING)
            if report.outcome is AgentOutcome.CANCELLED:
                return self._move(SessionState.CANCELLED, reason=self._cancel_reason or report.reason)
            if not await self._may_go_on(report):
                return None
            handoff_from = report.agent
            self._early_notes[:0] = report.undelivered
            self._status = self._status.model_copy(update={"shift": self._status.shift + 1})

    async def _may_go_on(self, report: AgentReport) -> bool:
        """After time or budget is used up: what the task's `on_deadline` says."""
        if policy.goes_on(self._request.task.on_deadline, report, self._status.shift):
            self._clock = self._clock.extended(self._request.task.budget.active_hours * 3600)
            return True
        if self._extended and policy.is_time(report):
            return True
        if self._request.task.on_deadline is not OnDeadline.ASK or not policy.is_time(report):
            self._move(SessionState.EXPIRED, reason=report.reason)
            return False
        attention = Attention(
            kind="deadline", text=f"{report.reason}; extend the session (longshift extend) or cancel it"
        )
        self._is_enough = False
        question = self._questions.ask(attention, AskKind.DEADLINE)
        self._move(SessionState.WAITING, attention=attention)
        await workflow.wait_condition(lambda: self._extended or self._is_enough or bool(self._cancel_reason))
        self._questions.withdraw(question)
        if self._cancel_reason:
            self._move(SessionState.CANCELLED, reason=self._cancel_reason)
        elif not self._extended:
            self._move(SessionState.EXPIRED, reason=report.reason)
        return self._extended and not self._cancel_reason

    async def _shift(self, handoff_from: str) -> AgentReport:
        """One agent, from its start to its report, under the clock."""
        task, request = self._request.task, self._request
        workspace, generation = self._workspace(), self._slot.generation
        agent = ids.agent_id(task.id, shift=self._status.shift)
        opening = OpenAgentInput(
            task_id=task.id, agent=agent, profile=request.profile, workspace=workspace, handoff_from=handoff_from
        )
        self._agent_status = None
        self._show_rung(Rung.NONE)
        self._wrapped_up = self._time_is_up = self._time_warned = False
        opened = await self._until_mended(
            lambda: workflow.execute_local_activity_method(LedgerActivities.open_agent, opening, **options.LEDGER)
        )
        opened = opened or OpenedAgent()
        notes, self._early_notes = tuple(self._early_notes), []
        given = self._given
        state = self._first_state(agent, workspace, opened, notes, given)
        self._agent = await workflow.start_child_workflow(
            Agent.run,
            AgentInput(state=steps.ended_or(state)),
            id=ids.agent_workflow_id(agent),
            task_timeout=timedelta(seconds=options.WORKFLOW_TASK_SECONDS),
            cancellation_type=workflow.ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
            search_attributes=attributes.of_agent(request),
            static_summary=f"{agent}: {task.title}"[:200],
        )
        self._status = self._status.model_copy(update={"agent": agent})
        await self._tell_what_came_meanwhile(state, generation, given)
        try:
            report = await self._supervised(self._agent)
        finally:
            self._agent = None
        self._questions.withdraw_of(agent)
        self._clock = self._clock.stopped(workflow.time())
        return report

    def _first_state(
        self, agent: str, workspace: Workspace, opened: OpenedAgent, notes: tuple[Note, ...], given: Extension
    ) -> AgentState:
        """What an agent begins with."""
        task, request = self._request.task, self._request
        return AgentState(
            agent=agent,
            task_id=task.id,
            version=VERSION_WITH_SWARMS,
            autonomy=task.autonomy,
            profile=request.profile,
            fallback=request.fallback,
            workspace=workspace,
            limits=policy.agent_limits(request, self._status.agents, given),
            earlier=policy.spent_before(self._status.agents),
            earlier_costs=policy.costs_before(self._status.agents),
            fleet_held=bool(self._fleet.hold.reason),
            has_checks=bool(task.checks or task.protected),
            takes_checks=not task.checks,
            verifier=task.verifier,
            completion=Completion(proposed=() if task.checks else opened.proposed),
            first_step=opened.first_step,
            step=opened.first_step,
            epoch_first_step=opened.first_step,
            plan=opened.plan,
            notes=(*opened.notes, *notes),
            paused=self._paused,
            has_slot=self._slot.held() is not None,
            swarm_rules=task.swarm,
            place=self._slot.place,
            host_patience_seconds=request.host_patience_seconds,
        )

    async def _tell_what_came_meanwhile(self, told: AgentState, generation: int, given: Extension) -> None:
        """What people said, and hosts did, between the request for the agent and its start."""
        agent = told.agent
        if self._paused != told.paused:
            await signals.to_agent(agent, "set_paused", value=self._paused)
        is_held = bool(self._fleet.hold.reason)
        if is_held != told.fleet_held:
            await signals.to_agent(agent, "hold_for_fleet", value=is_held)
        if self._given != given:
            await signals.to_agent(agent, "extend", self._given - given)
        workspace = self._slot.held()
        if workspace is not None and (workspace.generation != generation or not told.has_slot):
            await signals.to_agent(
                agent, "slot_granted", SlotGranted(generation=workspace.generation, workspace=workspace)
            )
        elif workspace is None and told.has_slot:
            await signals.to_agent(agent, "slot_lost", generation)
        while self._early_notes:
            await signals.to_agent(agent, "deliver_note", self._early_notes.pop(0))

    async def _supervised(self, agent: workflow.ChildWorkflowHandle[Agent, AgentReport]) -> AgentReport:
        """Keep the clock while the agent works: warn before the end, and end it."""
        while not agent.done():
            if self._cancel_reason:
                agent.cancel()
                break
            self._keep_clock()
            alarm = self._next_alarm()
            try:
                await self._until_changed(agent, alarm)
            except TimeoutError:
                await self._ring(alarm)
        return await agent

    def _next_alarm(self) -> policy.Alarm | None:
        share = None
        if not self._time_warned and workflow.patched("people"):
            share = policy.warn_at_share(self._request)
        return policy.next_alarm(self._clock, workflow.time(), self._request.wrap_up_seconds, self._wrapped_up, share)

    async def _until_changed(
        self, agent: workflow.ChildWorkflowHandle[Agent, AgentReport], alarm: policy.Alarm | None
    ) -> None:
        """Wait until the agent ends, something watched changes, or the alarm rings (TimeoutError)."""
        before = self._watched()
        await workflow.wait_condition(
            lambda: agent.done() or self._watched() != before,
            timeout=alarm.in_seconds if alarm else None,
            timeout_summary=f"active time: {alarm.name}" if alarm else None,
        )

    def _watched(self) -> tuple[object, ...]:
        """What the supervision reacts to."""
        return (
            self._paused,
            self._is_waiting(),
            self._slot.phase,
            self._cancel_reason,
            self._clock.limit_seconds,
            self._fleet.hold,
        )

    def _keep_clock(self) -> None:
        attention = reviews.attention_of(self._agent_status) if self._agent_status else None
        if self._paused or self._is_waiting():
            self._clock = self._clock.stopped(workflow.time())
            self._move(SessionState.PAUSED if self._paused else SessionState.WAITING, attention=attention)
        elif self._fleet.hold.reason:
            self._clock = self._clock.stopped(workflow.time())
            self._move(SessionState.WAITING, attention=Attention(kind="fleet", text=self._fleet.hold.reason))
        elif self._slot.phase is not SlotPhase.HELD:
            self._clock = self._clock.stopped(workflow.time())
            self._show_slot()
        else:
            if not self._time_is_up:
                self._clock = self._clock.started(workflow.time())
            self._move(SessionState.RUNNING)

    async def _ring(self, alarm: policy.Alarm | None) -> None:
        if alarm is None or self._agent is None:
            return
        agent = self._status.agent
        if alarm.name == "wrap up":
            self._wrapped_up = True
            remaining = self._clock.remaining_at(workflow.time())
            await signals.to_agent(agent, "wrap_up", remaining)
        elif alarm.name == "warn":
            self._time_warned = True
            used = self._clock.used_at(workflow.time())
            time = TimeUsed(used_seconds=used, limit_seconds=self._clock.limit_seconds)
            await signals.to_agent(agent, "warn_of_time", time)
        else:
            used = self._clock.used_at(workflow.time())
            self._clock = self._clock.stopped(workflow.time())
            self._time_is_up, self._extended = True, False
            await signals.to_agent(agent, "end", policy.time_is_up(used))

    async def _close(self) -> None:
        """Deliver what there is and end everything that still runs; then take the final state."""
        self._clock = self._clock.stopped(workflow.time())
        final = SessionState.DONE if self._status.state is SessionState.DELIVERING else self._status.state
        if self._slot.workspace is not None:
            try:
                delivery = await self._until_mended(lambda: self._delivered(final))
                self._status = self._status.model_copy(update={"delivery": delivery})
            except ActivityError as error:
                final = SessionState.FAILED
                self._add_reason(f"delivery failed: {in_words(error)}")
            except TimeoutError:
                self._add_reason(slots.NOT_DELIVERED)
        await self._let_go()
        if final is SessionState.DONE and self._status.delivery is not None and self._request.task.deliver is not None:
            final = await self._published(self._status.delivery)
        await self._fleet.close(final.value)
        self._questions.withdraw_all()
        self._move(final, reason=self._status.reason)

    async def _published(self, delivery: DeliveryDigest) -> SessionState:
        """What is done leaves the sandbox as its task wishes; no slot is needed. The work stays done without it."""
        branch = await self._publishing.publish(lambda: self._cancel_reason)
        self._status = self._status.model_copy(update={"delivery": delivery.model_copy(update={"branch": branch})})
        if branch.failure:
            self._add_reason(f"not delivered as a branch: {branch.failure}")
        return SessionState.DONE if branch.pushed or not self._cancel_reason else SessionState.CANCELLED

    async def _delivered(self, final: SessionState) -> DeliveryDigest:
        """Patch and report. What is done waits for a host as long as it takes, anything else for a while."""
        if self._slot.held() is None:
            patience = None if final is SessionState.DONE else slots.DELIVERY_PATIENCE_SECONDS
            await workflow.wait_condition(lambda: self._slot.held() is not None, timeout=patience)
        return await self._on_host(
            lambda workspace: workflow.start_activity_method(
                WorkspaceActivities.deliver,
                DeliverInput(workspace=workspace, task_id=self._status.task_id, status=self._final_status(final)),
                summary="deliver patch and report",
                **options.housekeeping(workspace.host_queue),
            )
        )

    async def _let_go(self) -> None:
        """Give the slot back for good."""
        if self._keeping is not None:
            self._slot.close()
            await self._keeping
        elif self._slot.workspace is not None:
            await self._release(self._slot.workspace)

    async def _release(self, workspace: Workspace) -> None:
        try:
            await workflow.execute_activity_method(
                WorkspaceActivities.release_workspace,
                ReleaseInput(workspace=workspace),
                summary="release the workspace",
                **options.housekeeping(workspace.host_queue),
            )
        except ActivityError as error:
            self._add_reason(f"release failed: {in_words(error)}")

    async def _until_mended(self, attempt: Callable[[], Awaitable[Result]]) -> Result:
        """What fails outside waits for a person: resume tries it again, a cancel lets it fail."""
        before = self._status
        while True:
            try:
                return await attempt()
            except FailureError as error:  # a local activity's failure is no ActivityError
                if self._cancel_reason:
                    raise
                attention = Attention(kind="host", text=in_words(error)[:2_000])
                question = self._questions.ask(attention)
                self._move(SessionState.WAITING, reason=before.reason, attention=attention)
                self._resumed = False
                await workflow.wait_condition(lambda: self._resumed or bool(self._cancel_reason))
                self._questions.withdraw(question)
                if self._cancel_reason:
                    raise
                self._move(before.state, reason=before.reason)

    async def _unless_cancelled(self, doing: Coroutine[Any, Any, Result]) -> Result:
        task = asyncio.create_task(doing)
        await workflow.wait_condition(lambda: task.done() or bool(self._cancel_reason))
        if not task.done():
            task.cancel()
        return await task

    def _show_slot(self) -> None:
        """The state of a session whose agent, or whose beginning, waits for a slot."""
        if self._slot.phase is SlotPhase.REFUSED:
            text = in_words(self._slot.failure) if self._slot.failure else "no workspace"
            self._move(SessionState.WAITING, attention=Attention(kind="host", text=text[:2_000]))
        else:
            preparing = self._slot.phase is SlotPhase.PREPARING
            self._move(SessionState.PREPARING if preparing else SessionState.QUEUED)
