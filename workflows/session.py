"""The life of one task: workspace, agent, proof, delivery. It supervises the clock and takes people's updates.

It never touches the loop of the agent: it signals. What a state allows is decided in `policy.session`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception

from longshift.contracts import ids
from longshift.contracts.activities import (
    DeliverInput,
    LedgerActivities,
    OpenAgentInput,
    OpenSessionInput,
    PrepareWorkspaceInput,
    ReleaseInput,
    RunChecksInput,
    WorkspaceActivities,
)
from longshift.contracts.agent import AgentInput, AgentOutcome, AgentReport, AgentState, Attention
from longshift.contracts.session import AgentStatus, Extend, SessionInput, SessionState, SessionStatus, Steer
from longshift.contracts.task import OnDeadline
from longshift.contracts.transcript import Note, Speaker
from longshift.contracts.workspace import Workspace
from longshift.policy import describe
from longshift.policy import session as policy
from longshift.policy.clock import ActiveClock
from workflows import attributes, options, signals
from workflows.agent import Agent
from workflows.failures import in_words

Result = TypeVar("Result")


@workflow.defn(name="Session")
class Session:
    """One task, from submission to its final state."""

    @workflow.init
    def __init__(self, request: SessionInput) -> None:
        self._request = request
        task = request.task
        self._clock = ActiveClock(limit_seconds=task.budget.active_hours * 3600)
        self._status = SessionStatus(
            task_id=task.id, title=task.title, state=SessionState.QUEUED, profile=request.profile
        )
        self._agent_status: AgentStatus | None = None
        self._agent: workflow.ChildWorkflowHandle[Agent, AgentReport] | None = None
        self._early_notes: list[Note] = []
        self._updates = 0
        self._steered_characters = 0
        self._paused = False
        self._resumed = False
        self._extended = False
        self._cancel_reason = ""
        self._wrapped_up = False
        self._time_is_up = False

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
        self._move(SessionState.PREPARING)
        opening = OpenSessionInput(task=task)
        await self._until_mended(
            lambda: workflow.execute_local_activity_method(LedgerActivities.open_session, opening, **options.LEDGER)
        )
        workspace = await self._unless_cancelled(
            workflow.start_activity_method(
                WorkspaceActivities.prepare_workspace,
                PrepareWorkspaceInput(task_id=task.id),
                summary="prepare the workspace",
                **options.PREPARE,
            )
        )
        self._status = self._status.model_copy(update={"workspace": workspace})
        if any(check.measure and check.measure.needs_baseline for check in task.checks):
            await self._unless_cancelled(
                workflow.start_activity_method(
                    WorkspaceActivities.run_checks,
                    RunChecksInput(workspace=workspace, task_id=task.id, baseline=True),
                    summary="measure the baseline",
                    **options.run_checks(workspace.host_queue),
                )
            )
        await self._work(workspace)

    async def _work(self, workspace: Workspace) -> None:
        """Run shifts until one ends the session."""
        handoff_from = ""
        while True:
            report = await self._shift(workspace, handoff_from)
            attributes.upsert_progress(policy.progress(self._status.agents, policy.at_end(report)))
            self._status = self._status.model_copy(update={"agents": (*self._status.agents, report)})
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
        text = f"{report.reason}; extend the session (longshift extend) or cancel it"
        self._move(SessionState.WAITING, attention=Attention(kind="deadline", text=text))
        await workflow.wait_condition(lambda: self._extended or bool(self._cancel_reason))
        if self._cancel_reason:
            self._move(SessionState.CANCELLED, reason=self._cancel_reason)
        return not self._cancel_reason

    async def _shift(self, workspace: Workspace, handoff_from: str) -> AgentReport:
        """One agent, from its start to its report, under the clock."""
        task, request = self._request.task, self._request
        agent = ids.agent_id(task.id, shift=self._status.shift)
        opening = OpenAgentInput(
            task_id=task.id, agent=agent, profile=request.profile, workspace=workspace, handoff_from=handoff_from
        )
        self._agent_status = None
        self._wrapped_up = self._time_is_up = False
        await self._until_mended(
            lambda: workflow.execute_local_activity_method(LedgerActivities.open_agent, opening, **options.LEDGER)
        )
        notes, self._early_notes = tuple(self._early_notes), []
        state = AgentState(
            agent=agent,
            task_id=task.id,
            profile=request.profile,
            workspace=workspace,
            limits=policy.agent_limits(request, self._status.agents),
            has_checks=bool(task.checks or task.protected),
            notes=notes,
            paused=self._paused,
        )
        self._agent = await workflow.start_child_workflow(
            Agent.run,
            AgentInput(state=state),
            id=ids.agent_workflow_id(agent),
            task_timeout=timedelta(seconds=options.WORKFLOW_TASK_SECONDS),
            cancellation_type=workflow.ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
            search_attributes=attributes.of_agent(request),
            static_summary=f"{agent}: {task.title}"[:200],
        )
        self._status = self._status.model_copy(update={"agent": agent})
        await self._tell_what_came_meanwhile(agent, told_paused=state.paused)
        try:
            return await self._supervised(self._agent)
        finally:
            self._clock = self._clock.stopped(workflow.time())
            self._agent = None

    async def _tell_what_came_meanwhile(self, agent: str, *, told_paused: bool) -> None:
        """What people said between the request for the agent and its start."""
        if self._paused != told_paused:
            await signals.to_agent(agent, "set_paused", value=self._paused)
        while self._early_notes:
            await signals.to_agent(agent, "deliver_note", self._early_notes.pop(0))

    async def _supervised(self, agent: workflow.ChildWorkflowHandle[Agent, AgentReport]) -> AgentReport:
        """Keep the clock while the agent works: warn before the end, and end it."""
        while not agent.done():
            if self._cancel_reason:
                agent.cancel()
                break
            self._keep_clock()
            alarm = policy.next_alarm(self._clock, workflow.time(), self._request.wrap_up_seconds, self._wrapped_up)
            try:
                await self._until_changed(agent, alarm)
            except TimeoutError:
                await self._ring(alarm)
        return await agent

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
        return (self._paused, self._is_waiting(), self._cancel_reason, self._clock.limit_seconds)

    def _keep_clock(self) -> None:
        attention = self._agent_status.attention if self._agent_status else None
        if self._paused or self._is_waiting():
            self._clock = self._clock.stopped(workflow.time())
            self._move(SessionState.PAUSED if self._paused else SessionState.WAITING, attention=attention)
        else:
            if not self._time_is_up:
                self._clock = self._clock.started(workflow.time())
            self._move(SessionState.RUNNING)

    def _is_waiting(self) -> bool:
        return self._agent_status is not None and self._agent_status.waiting

    async def _ring(self, alarm: policy.Alarm | None) -> None:
        if alarm is None or self._agent is None:
            return
        agent = self._status.agent
        if alarm.name == "wrap up":
            self._wrapped_up = True
            remaining = self._clock.remaining_at(workflow.time())
            await signals.to_agent(agent, "wrap_up", remaining)
        else:
            used = self._clock.used_at(workflow.time())
            self._clock = self._clock.stopped(workflow.time())
            self._time_is_up, self._extended = True, False
            await signals.to_agent(agent, "end", policy.time_is_up(used))

    async def _close(self) -> None:
        """Deliver what there is and end everything that still runs; then take the final state."""
        workspace = self._status.workspace
        final = SessionState.DONE if self._status.state is SessionState.DELIVERING else self._status.state
        if workspace is not None:
            try:
                request = DeliverInput(
                    workspace=workspace, task_id=self._status.task_id, status=self._final_status(final)
                )
                delivery = await self._until_mended(
                    lambda: workflow.execute_activity_method(
                        WorkspaceActivities.deliver,
                        request,
                        summary="deliver patch and report",
                        **options.housekeeping(workspace.host_queue),
                    )
                )
                self._status = self._status.model_copy(update={"delivery": delivery})
            except ActivityError as error:
                final = SessionState.FAILED
                self._add_reason(f"delivery failed: {in_words(error)}")
            await self._release(workspace)
        self._move(final, reason=self._status.reason)

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

    def _add_reason(self, text: str) -> None:
        reason = f"{self._status.reason}; {text}".lstrip("; ")
        self._status = self._status.model_copy(update={"reason": reason})

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
                self._move(SessionState.WAITING, reason=before.reason, attention=attention)
                self._resumed = False
                await workflow.wait_condition(lambda: self._resumed or bool(self._cancel_reason))
                if self._cancel_reason:
                    raise
                self._move(before.state, reason=before.reason)

    async def _unless_cancelled(self, handle: workflow.ActivityHandle[Result]) -> Result:
        await workflow.wait_condition(lambda: handle.done() or bool(self._cancel_reason))
        if not handle.done():
            handle.cancel()
        return await handle

    def _final_status(self, state: SessionState) -> SessionStatus:
        return self.status().model_copy(update={"state": state})

    def _move(self, state: SessionState, *, reason: str = "", attention: Attention | None = None) -> None:
        """Take a state; search attributes change only when it does."""
        old = self._status
        self._status = old.model_copy(update={"state": state, "reason": reason, "attention": attention})
        if (old.state, old.attention) != (state, attention):
            attributes.upsert_state(state, attention)
        workflow.set_current_details(describe.session_details(self.status()))

    @workflow.signal
    def agent_status(self, status: AgentStatus) -> None:
        """An agent tells where it stands."""
        self._agent_status = status
        attributes.upsert_progress(policy.progress(self._status.agents, status))
        workflow.set_current_details(describe.session_details(self.status()))

    @workflow.update
    async def steer(self, message: Steer) -> str:
        """Give the agent a message; it goes with its next model call."""
        self._updates += 1
        self._steered_characters += len(message.text)
        update = workflow.current_update_info()
        note = Note(speaker=Speaker.PERSON, text=message.text, message_id=update.id if update else "")
        if self._agent is None or self._time_is_up:
            self._early_notes.append(note)
            return "kept for the agent's start"
        await signals.to_agent(self._status.agent, "deliver_note", note)
        return "delivered with the next model call"

    @steer.validator
    def _may_steer(self, message: Steer) -> None:
        self._allow(policy.refuse_steer(self._status, message, self._updates, self._steered_characters))

    @workflow.update
    async def pause(self) -> str:
        """Hold the agent after its current step; the clock stands."""
        self._updates += 1
        self._paused = True
        if self._agent is not None:
            await signals.to_agent(self._status.agent, "set_paused", value=True)
        return "paused after the current step"

    @pause.validator
    def _may_pause(self) -> None:
        self._allow(policy.refuse_pause(self._status, self._paused, self._updates))

    @workflow.update
    async def resume(self) -> str:
        """Go on: after a pause, or when what a person had to mend is mended."""
        was_paused, self._paused = self._paused, False
        self._resumed = True
        if self._agent is not None:
            agent = self._status.agent
            if was_paused:
                await signals.to_agent(agent, "set_paused", value=False)
            await signals.to_agent(agent, "wake")
        return "resumed"

    @resume.validator
    def _may_resume(self) -> None:
        self._allow(policy.refuse_resume(self._status, self._paused))

    @workflow.update
    async def cancel(self, reason: str) -> str:
        """End the session: running commands are killed, what there is gets delivered."""
        self._cancel_reason = reason or "cancelled by a person"
        return "cancelling"

    @cancel.validator
    def _may_cancel(self, reason: str) -> None:
        self._allow(policy.refuse_cancel(self._status, self._cancel_reason))

    @workflow.update
    async def extend(self, extension: Extend) -> str:
        """Give the session more active time."""
        self._clock = self._clock.extended(extension.active_hours * 3600)
        self._updates += 1
        self._extended = True
        self._wrapped_up = False
        return f"{self._clock.limit_seconds / 3600:.1f} active hours in all"

    @extend.validator
    def _may_extend(self, extension: Extend) -> None:
        self._allow(policy.refuse_extend(self._status, extension, self._updates))

    def _allow(self, refusal: str) -> None:
        """Refuse an update with its reason."""
        if refusal:
            raise ApplicationError(refusal, type="refused", non_retryable=True)

    @workflow.query
    def status(self) -> SessionStatus:
        """Where the session stands."""
        used = self._clock.used_at(workflow.time())
        return self._status.model_copy(
            update={"active_seconds": round(used, 1), "active_limit_seconds": self._clock.limit_seconds}
        )
