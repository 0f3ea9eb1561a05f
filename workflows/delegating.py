"""How an agent carries a `delegate` call out: plan, critic, and the swarm, which hears what its agent hears.

What the call needs next is decided in `policy.delegating`; the swarm itself is `workflows.swarm`.
"""

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError, ChildWorkflowError

from longshift.contracts import ids
from longshift.contracts.agent import AgentInput
from longshift.contracts.swarm import SwarmReport, SwarmSummary
from longshift.contracts.swarm_activities import SwarmModelActivities, SwarmPlanActivities
from longshift.contracts.swarm_start import SwarmStart
from longshift.policy import actions, delegating, loop, standing, swarm_requests, tree_spend
from workflows import attributes, options, signals
from workflows.agent_files import AgentFiles
from workflows.failures import in_words
from workflows.host_calls import HostLost, settled

SwarmHandle = workflow.ChildWorkflowHandle[Any, SwarmReport]

SWARM_WORKFLOW = "Swarm"


class AgentDelegations(AgentFiles):
    """The state of an agent, its files, and the `delegate` call that is open."""

    def __init__(self, request: AgentInput) -> None:
        super().__init__(request)
        self._looked_at: SwarmSummary | None = None
        self._shown_trouble = ("", False)
        """What the session knows of it."""
        self._shown_suspended = False
        self._shown_at = 0.0
        self._began_at = 0.0

    async def _delegate(self, action: actions.Delegating) -> None:
        match action:
            case actions.PlanSwarm() | actions.AmendPlan():
                await self._plan_swarm(amends=isinstance(action, actions.AmendPlan))
            case actions.CriticisePlan():
                await self._criticise_plan()
            case actions.RunSwarm():
                await self._run_swarm()

    async def _plan_swarm(self, *, amends: bool) -> None:
        await self._checkpointed()
        summary = f"step {self._state.step} · plan of a swarm"
        try:
            if amends:
                plan = await self._housekept(
                    SwarmPlanActivities.amend_plan,
                    lambda workspace: swarm_requests.amendment(self._state, workspace),
                    f"{summary}, as a person changes it",
                )
            else:
                plan = await self._housekept(
                    SwarmPlanActivities.plan_swarm,
                    lambda workspace: swarm_requests.plan(self._state, workspace),
                    summary,
                )
        except HostLost:
            return  # the loop asks for it again, on the host that has the files now
        after = loop.after_amendment if amends else loop.after_plan
        self._state = after(self._state, plan)

    async def _criticise_plan(self) -> None:
        digest = await workflow.execute_activity_method(
            SwarmModelActivities.criticise_plan,
            swarm_requests.criticism(self._state),
            summary=f"step {self._state.step} · critic of the plan",
            **options.MODEL,
        )
        self._state = loop.after_critic(self._state, digest)

    async def _run_swarm(self) -> None:
        """Have the plan carried out, whatever becomes of hosts meanwhile."""
        await self._checkpointed()
        await workflow.wait_condition(lambda: self._held() is not None)
        workspace = self._held()
        assert workspace is not None  # it was waited for
        self._for_swarm.clear()  # all of it is in what the swarm starts with
        start = swarm_requests.start(self._state, workspace)
        starting = asyncio.create_task(self._started(start))
        try:
            swarm = await asyncio.shield(starting)
            self._began_at = workflow.time()
            await self._show_swarm()
            while not swarm.done():
                await self._accompany(start.swarm, swarm)
        except asyncio.CancelledError:
            await _cancelled(starting)
            raise
        try:
            report = await swarm
        except ChildWorkflowError as error:  # also one that was cancelled by itself: the agent goes on
            self._state = tree_spend.lost(self._state)
            text = f"the swarm has ended without a report: {in_words(error)}; resume the session to run it again"
            raise ApplicationError(text, type="swarm") from None  # people read the innermost cause
        self._state = loop.after_swarm(self._state, report)
        await self._report()

    async def _started(self, start: SwarmStart) -> SwarmHandle:
        return await workflow.start_child_workflow(
            SWARM_WORKFLOW,
            start,
            id=ids.swarm_workflow_id(start.swarm),
            result_type=SwarmReport,
            parent_close_policy=workflow.ParentClosePolicy.TERMINATE,
            cancellation_type=workflow.ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
            task_timeout=timedelta(seconds=options.WORKFLOW_TASK_SECONDS),
            search_attributes=attributes.of_child(),
            static_summary=f"{start.swarm}: {start.plan.title}"[:200],
        )

    async def _accompany(self, name: str, swarm: SwarmHandle) -> None:
        """Pass the next words on to the swarm, in their order, and tell the session how far it has come."""
        await workflow.wait_condition(
            lambda: (
                swarm.done()
                or bool(self._for_swarm)
                or self._state.swarm is not self._looked_at
                or self._state.suspended is not self._shown_suspended
            )
        )
        while self._for_swarm:
            word = self._for_swarm.pop(0)
            await signals.to_swarm(name, word.name, word.value)
            self._raise_if_cancelled()
        self._looked_at = self._state.swarm
        self._describe()
        if self._is_worth_telling():
            await self._show_swarm()

    def _is_worth_telling(self) -> bool:
        now = workflow.time()
        if self._state.suspended is not self._shown_suspended:
            return True
        if standing.has_news(self._state, self._told_news) or self._trouble() != self._shown_trouble:
            return True
        return now - self._shown_at >= delegating.tell_after_seconds(now - self._began_at)

    def _trouble(self) -> tuple[str, bool]:
        """What the session hears of at once, when it changes; how many items wait for it is another matter."""
        found = delegating.trouble(self._state)
        return found.kind if found else "", delegating.is_held_up(self._state)

    async def _show_swarm(self) -> None:
        self._shown_trouble, self._shown_at = self._trouble(), workflow.time()
        self._told_news = self._state.news[-1].number if self._state.news else 0
        self._shown_suspended = self._state.suspended
        # A host that is about to stop may go: what is merged is in the store, and the lead changes nothing meanwhile.
        await self._report(idle=self._state.suspended and await self._is_saved())


async def _cancelled(starting: asyncio.Task[SwarmHandle]) -> None:
    """Have the swarm cancelled, and wait until it is over: it cancels its items, which outlive it otherwise."""
    if await settled(starting) is None:
        swarm = starting.result()
        swarm.cancel()
        await settled(swarm)
