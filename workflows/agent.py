"""The loop of one agent, for the lead and for every sub-agent alike.

It asks `policy.loop` what to do, does it through an activity, and tells the policy how it went. It must not grow:
a feature is a pure decision in `policy`, an activity or an interceptor. Bodies never pass through here.
"""

import asyncio
import contextlib
from collections.abc import Awaitable

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError, is_cancelled_exception

from longshift.contracts.activities import (
    LedgerActivities,
    ListJobsInput,
    ModelActivities,
    ToolActivities,
    WorkspaceActivities,
)
from longshift.contracts.agent import AgentInput, AgentReport, Phase
from longshift.contracts.checks import ChecksDigest
from longshift.contracts.model import CallDigest
from longshift.contracts.tools import Job, ToolDigest, ToolStatus
from longshift.contracts.workspace import Workspace
from longshift.policy import actions, describe, loop, requests, slots, standing, steps
from workflows import options
from workflows.delegating import AgentDelegations
from workflows.failures import in_words
from workflows.host_calls import HostLost, on_host

REPORT_EVERY_STEPS = 25
"""How often the session hears of steps, tokens and cost."""


@workflow.defn(name="Agent")
class Agent(AgentDelegations):
    """One agent, from its first step to its report."""

    @workflow.init
    def __init__(self, request: AgentInput) -> None:
        super().__init__(request)
        self._is_asking = False
        """A model call is out."""

    @workflow.run
    async def run(self, request: AgentInput) -> AgentReport:
        """Perform actions until the agent has ended; continue as new between two steps."""
        self._describe()
        try:
            while not loop.has_ended(self._state):
                self._raise_if_cancelled()
                await self._or_park(self._between_actions())
                await self._or_park(self._perform(loop.next_action(self._state)))
                self._is_asking = False
                await self._tell_news()
                self._describe()
        except BaseException as error:
            if not is_cancelled_exception(error):
                raise
            await self._close_cancelled()
        with contextlib.suppress(ActivityError):  # the delivery takes the tree as it is
            await self._checkpointed()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return standing.report(self._state)

    async def _or_park(self, doing: Awaitable[None]) -> None:
        """What fails outside, after all its attempts, waits for a person.

        The engine wraps the failure of a remote activity in an ActivityError, that of a local one in nothing.
        """
        try:
            await doing
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
            self._state = steps.park(self._state, "host", in_words(error))

    async def _between_actions(self) -> None:
        if self._state.phase is not Phase.MODEL or loop.must_seal(self._state):
            return
        if loop.is_held(self._state):
            await self._hold_at_step()
        info = workflow.info()
        grown = info.get_current_history_length() >= self._state.limits.history_events
        if grown or info.is_continue_as_new_suggested():
            await self._checkpointed()
            await workflow.wait_condition(workflow.all_handlers_finished)
            state = self._state.model_copy(update={"runs": self._state.runs + 1})
            workflow.continue_as_new(AgentInput(state=state))

    async def _perform(self, action: actions.Action) -> None:
        self._is_asking = isinstance(action, actions.CallModel | actions.Compact | actions.WriteHandoff)
        match action:
            case actions.CallModel():
                await self._call_model(action)
            case actions.RunTools():
                await self._run_tools(action)
            case actions.RunChecks():
                await self._run_checks(action)
            case actions.Verify():
                await self._verify()
            case actions.PlanSwarm() | actions.AmendPlan() | actions.CriticisePlan() | actions.RunSwarm():
                await self._delegate(action)
            case actions.Seal():
                await self._seal(action)
            case actions.RollBack():
                await self._roll_back(action)
            case actions.Compact() | actions.WriteHandoff():
                await self._write_handoff(final=isinstance(action, actions.WriteHandoff))
            case actions.Wait():
                await self._hold(action.seconds)
            case actions.Park():
                await self._hold(None)
            case actions.Finish():
                pass

    async def _call_model(self, action: actions.CallModel) -> None:
        state = self._state
        self._start_checkpoint()
        digest = await workflow.execute_activity_method(
            ModelActivities.call_model,
            requests.call_model(state, action),
            summary=describe.model_summary(state),
            **options.MODEL,
        )
        self._state = loop.after_model(self._state, digest)
        if state.step % REPORT_EVERY_STEPS == 0 or state.profile != self._state.profile:
            await self._report()

    async def _run_tools(self, action: actions.RunTools) -> None:
        await self._checkpointed()
        for batch in action.batches:
            ended = await asyncio.gather(*(self._run_tool(call) for call in batch), return_exceptions=True)
            for failure in ended:
                if failure is not None:
                    raise failure

    async def _run_tool(self, call: CallDigest) -> None:
        tried_in = self._held()
        try:
            digest = await self._try_tool(call) or await on_host(
                self._held, lambda workspace: self._start_tool(call, workspace), since=tried_in
            )
        except HostLost:
            if slots.runs_again(call.tool_class):
                return await self._run_tool(call)
            digest = ToolDigest(index=call.index, status=ToolStatus.LOST, lost_with_host=True)
        self._state = loop.after_tool(self._state, digest)
        return None

    def _start_tool(self, call: CallDigest, workspace: Workspace) -> workflow.ActivityHandle[ToolDigest]:
        return workflow.start_activity_method(
            ToolActivities.run_tool,
            requests.run_tool(self._state, call, workspace),
            summary=describe.tool_summary(self._state.step, call),
            **options.run_tool(workspace.host_queue),
        )

    async def _try_tool(self, call: CallDigest) -> ToolDigest | None:
        workspace = self._held()
        if workspace is None or not workspace.quick_calls:
            return None
        request = requests.run_tool(self._state, call, workspace)
        try:
            digest = await workflow.execute_local_activity_method(ToolActivities.try_tool, request, **options.TRY_TOOL)
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
            return None
        return None if digest.status in {ToolStatus.RUNNING, ToolStatus.ELSEWHERE} else digest

    async def _run_checks(self, action: actions.RunChecks) -> None:
        await self._checkpointed()
        try:
            digest = await on_host(self._held, self._start_checks) if action.are_there else None
        except HostLost:
            return  # the loop asks for them again, on the host that has the files now
        self._state = loop.after_checks(self._state, digest)

    def _start_checks(self, workspace: Workspace) -> workflow.ActivityHandle[ChecksDigest]:
        return workflow.start_activity_method(
            WorkspaceActivities.run_checks,
            requests.run_checks(self._state, workspace),
            summary=f"step {self._state.step} · checks",
            **options.run_checks(workspace.host_queue),
        )

    async def _verify(self) -> None:
        """The host writes down what was changed, and another model judges it."""
        step = self._state.step
        try:
            diff = await self._housekept(
                WorkspaceActivities.export_diff,
                lambda workspace: requests.export_diff(self._state, workspace),
                f"step {step} · changes for the verifier",
            )
        except HostLost:
            return  # the loop asks for it again, on the host that has the files now
        digest = await workflow.execute_activity_method(
            ModelActivities.verify,
            requests.verify(self._state, diff),
            summary=f"step {step} · verifier, {diff.files} changed files",
            **options.MODEL,
        )
        self._state = loop.after_verdict(self._state, digest)

    async def _seal(self, action: actions.Seal) -> None:
        await workflow.execute_local_activity_method(LedgerActivities.seal, action.seal, **options.LEDGER)
        self._state = loop.after_seal(self._state)

    async def _write_handoff(self, *, final: bool) -> None:
        self._start_checkpoint()
        await self._checkpointed()
        jobs = () if final else await self._jobs()
        digest = await workflow.execute_activity_method(
            ModelActivities.write_handoff,
            requests.write_handoff(self._state, final=final, jobs=jobs),
            summary=f"step {self._state.step} · {'last hand-off note' if final else 'compaction'}",
            **options.MODEL,
        )
        after = loop.after_handoff if final else loop.after_compaction
        self._state = after(self._state, digest)

    async def _roll_back(self, action: actions.RollBack) -> None:
        """Put the files back first: nobody works in them until the conversation is the one that belongs to them."""
        self._start_checkpoint()
        await self._checkpointed()
        summary = f"step {self._state.step} · back to step {action.wish.to_step}"
        try:
            files = await self._housekept(
                WorkspaceActivities.roll_back_files,
                lambda workspace: requests.roll_back_files(self._state, action, workspace),
                f"{summary} · files",
            )
        except HostLost:
            return  # the loop asks for it again, on the host that has the files now
        self._state = loop.after_checkpoint(self._state, files.checkpoint)
        done = await workflow.execute_activity_method(
            ModelActivities.roll_back_conversation,
            requests.roll_back_conversation(self._state, action),
            summary=f"{summary} · conversation",
            **options.MODEL,
        )
        self._state = loop.after_rollback(self._state, action.wish, files, done)
        await self._report()

    async def _jobs(self) -> tuple[Job, ...]:
        """The background jobs; an agent without a slot has none, as they end with it."""
        if self._held() is None or self._state.version < loop.VERSION_WITH_CONTEXT:
            return ()
        try:
            digest = await self._housekept(
                ToolActivities.list_jobs,
                lambda workspace: ListJobsInput(workspace=workspace, agent=self._state.agent),
                f"step {self._state.step} · background jobs",
            )
        except HostLost:
            return ()
        return digest.jobs

    async def _hold(self, seconds: float | None) -> None:
        """Wait for the provider (`seconds`) or for a person (None); either way a person's word ends it."""
        self._woken = False
        phase = self._state.phase
        await self._report(idle=await self._is_saved())
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._woken or self._state.phase is not phase,
                timeout=seconds,
                timeout_summary=f"waiting for the provider, {seconds:.0f} s" if seconds else None,
            )
        self._state = loop.resume(self._state)
        await self._report()

    async def _hold_at_step(self) -> None:
        """Wait between two steps until nobody wants that any more; meanwhile no slot is needed."""
        tells = workflow.patched("slots")
        if tells:
            await self._report(idle=await self._is_saved())
        await workflow.wait_condition(lambda: not loop.is_held(self._state) or self._state.phase is not Phase.MODEL)
        if tells:
            await self._report()

    async def _close_cancelled(self) -> None:
        """Running calls have been killed by now; what is left is to close the step."""
        reason = self._state.ending or "cancelled"
        self._state = loop.cancelled(self._state, reason, is_asking=self._is_asking)
        action = loop.next_action(self._state)
        if isinstance(action, actions.Seal):
            await self._seal(action)
