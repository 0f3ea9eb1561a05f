"""A swarm: a window over the items of a plan, their integration, and what becomes of it in the lead's workspace.

What is begun, retried, failed is `policy.swarm_window`'s; merging is `integration`'s. It continues as new when its
history has grown: items are abandoned children, and go on meanwhile.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, FailureError

from longshift.contracts import ids
from longshift.contracts.swarm import SwarmReport
from longshift.contracts.swarm_activities import MergeActivities, SweepSwarmInput, WorktreeActivities
from longshift.contracts.swarm_start import SwarmStart
from longshift.contracts.swarm_state import SwarmState
from longshift.contracts.tools import ToolDigest
from longshift.contracts.workspace import Workspace
from longshift.policy import delegating, swarm_begin, swarm_view, swarm_window, width
from workflows import options, signals
from workflows.failures import in_words
from workflows.host_calls import HostLost, on_host
from workflows.swarm_inbox import SwarmInbox

Result = TypeVar("Result")

LOOK_SECONDS = 60.0
"""How often it is looked whether items of an earlier run still live: one that was terminated tells nobody."""
CANCEL_SECONDS = 180.0
"""How long a cancelled swarm waits for its items to tell their end."""
SWEEP_PATIENCE_SECONDS = 60.0
"""A host that does not begin to sweep in this time is gone; it sweeps when it is back."""


@workflow.defn(name="Swarm")
class Swarm(SwarmInbox):
    """From the base to the result of the `delegate` call."""

    @workflow.init
    def __init__(self, request: SwarmStart | SwarmState) -> None:
        is_new = isinstance(request, SwarmStart)
        super().__init__(swarm_begin.carried(request, workflow.time()) if is_new else request)
        self._told_changes = -1
        self._told_at = 0.0
        self._looked_at = workflow.time()
        self._alarms: list[float] = []
        self._working: asyncio.Task[None] | None = None

    @workflow.run
    async def run(self, request: SwarmStart | SwarmState) -> SwarmReport:
        """Work until all items are settled, then land; whatever ends it otherwise, no item is left behind."""
        life = asyncio.create_task(self._live())
        try:
            return await asyncio.shield(life)
        except (asyncio.CancelledError, FailureError):
            await self._abandon(life)
            raise

    async def _live(self) -> SwarmReport:
        if self._state.opened is None:
            base = await self._on_host(
                lambda workspace: workflow.start_activity_method(
                    WorktreeActivities.open_swarm,
                    swarm_begin.opening(self._state),
                    summary="record the base, write the tasks",
                    **options.housekeeping(workspace.host_queue),
                )
            )
            self._state = swarm_begin.opened(self._state, base, workflow.time())
            integration = self._integration
            integration.state = integration.state.model_copy(update={"has_checks": base.has_checks})
        self._working = asyncio.create_task(self._integration.work())
        while not swarm_window.is_settled(self._state):
            await self._next_change()
        self._integration.close()
        await self._finished_work()
        await self._tell_lead(at_once=True)
        result = await self._on_host(self._start_landing)
        await self._sweep()
        await workflow.wait_condition(workflow.all_handlers_finished)
        return SwarmReport(
            summary=swarm_view.summary(self._state, workflow.time()), result=result, reason=self._state.ending
        )

    async def _next_change(self) -> None:
        """Begin what may begin, tell what is to be told, and wait until something has changed."""
        self._begin_what_may()
        # Before anything is awaited: what changes while the lead is told may be the last change of all.
        before, trouble = self._changes, self._integration.trouble
        await self._tell_lead()
        await self._continue_if_grown()
        self._set_alarms()
        await workflow.wait_condition(
            lambda: self._changes != before or self._has_crashed() or self._integration.trouble != trouble
        )
        if self._has_crashed():
            await self._finished_work()
        if self._integration.trouble != trouble:
            self._changed()
        if workflow.time() - self._looked_at >= LOOK_SECONDS:
            self._looked_at = workflow.time()
            await self._look()

    def _has_crashed(self) -> bool:
        return self._working is not None and self._working.done()

    async def _finished_work(self) -> None:
        if self._working is not None:
            await self._working

    def _start_landing(self, workspace: Workspace) -> workflow.ActivityHandle[ToolDigest]:
        merged = self._integration.state
        request = swarm_begin.landing(self._state, workspace, merged.integrated, workflow.time())
        return workflow.start_activity_method(
            MergeActivities.land_swarm,
            request.model_copy(update={"merges": merged.merged, "checks": merged.proof}),
            summary="bring the result into the lead's workspace",
            **options.integration(workspace.host_queue),
        )

    async def _on_host(self, start: Callable[[Workspace], workflow.ActivityHandle[Result]]) -> Result:
        """A call on the lead's host, whichever that is then."""
        while True:
            try:
                return await on_host(self._held, start)
            except HostLost:
                workflow.logger.info("the lead's host was lost under a call")

    async def _tell_lead(self, *, at_once: bool = False) -> None:
        """How far it has come, to the lead and to people: on a change, and not too often."""
        if self._told_changes == self._changes:
            return
        now = workflow.time()
        due = self._told_at + delegating.tell_after_seconds(now - self._state.began_at)
        if now < due and not at_once:
            return self._alarm(due)
        self._told_changes, self._told_at = self._changes, workflow.time()
        self._state = self._state.model_copy(update={"number": self._state.number + 1})
        shown = swarm_view.summary(self._state, workflow.time(), self._integration.trouble)
        workflow.set_current_details(swarm_view.details(shown))
        await signals.to_agent(self._state.start.lead, "swarm_progress", shown)
        return None

    def _set_alarms(self) -> None:
        """When to look again although nobody has said anything."""
        now = workflow.time()
        if not swarm_window.is_held(self._state) and swarm_window.ready(self._state):
            grows_at = width.grows_at(self._state.width, now)
            if grows_at is not None:
                self._alarm(grows_at)
        if any(name not in self._watching for name in self._state.account.shares):
            self._alarm(self._looked_at + LOOK_SECONDS)

    def _alarm(self, at: float) -> None:
        """One is enough where one rings sooner."""
        if not any(each <= at for each in self._alarms):
            self._alarms.append(at)
            ringing = asyncio.create_task(self._ring(at))
            self._tasks.add(ringing)
            ringing.add_done_callback(self._tasks.discard)

    async def _ring(self, at: float) -> None:
        await workflow.sleep(max(0.001, at - workflow.time()))
        self._alarms.remove(at)
        self._changes += 1

    async def _continue_if_grown(self) -> None:
        """Only when nothing of its own is on its way: what an activity would return then is heard by nobody."""
        info, integration = workflow.info(), self._integration
        is_grown = info.get_current_history_length() >= self._state.start.history_events
        if not (is_grown or info.is_continue_as_new_suggested()):
            return
        integration.close()
        await self._finished_work()
        await workflow.wait_condition(lambda: not self._starting)
        await self._part()
        await workflow.wait_condition(workflow.all_handlers_finished)
        state = self._state.model_copy(update={"reconciling": integration.state, "runs": self._state.runs + 1})
        workflow.continue_as_new(state)

    async def _abandon(self, life: asyncio.Task[SwarmReport]) -> None:
        """Cancel every item, wait until each has told its end, and remove what is left of them."""
        self._changed(swarm_window.ending(self._state, "cancelled"))
        for task in (life, self._working):
            if task is not None and not task.done():
                task.cancel()
                await asyncio.wait([task])
        await self._cancel(self._state.account.shares)
        try:
            await workflow.wait_condition(
                lambda: not self._state.account.shares, timeout=timedelta(seconds=CANCEL_SECONDS)
            )
        except TimeoutError:
            workflow.logger.warning("%d items have not told their end", len(self._state.account.shares))
        await self._sweep()

    async def _sweep(self) -> None:
        """Integration, seeds, and what items may have left, on all hosts that had any."""
        workspace = self._state.start.workspace
        queues = {host: ids.host_queue(host) for host in self._state.hosts} | {workspace.host_id: workspace.host_queue}
        await asyncio.gather(*(self._swept(host, queue) for host, queue in queues.items()))

    async def _swept(self, host_id: str, queue: str) -> None:
        try:
            await workflow.execute_activity_method(
                WorktreeActivities.sweep_swarm,
                SweepSwarmInput(host_id=host_id, swarm=self._state.start.swarm),
                summary=f"sweep {host_id}"[:200],
                schedule_to_start_timeout=timedelta(seconds=SWEEP_PATIENCE_SECONDS),
                **options.housekeeping(queue),
            )
        except ActivityError as error:
            workflow.logger.info("host %s was not swept: %s", host_id, in_words(error))
