"""Tool calls on their workspace's host: arguments out of the store, result into the store, a digest back."""

import asyncio
import time
from collections.abc import Callable

from temporalio import activity

from activities.cancellation import is_cancelled_by_the_workflow
from activities.heartbeat import Progress, heartbeating
from longshift.adapters.calls import parse_arguments
from longshift.adapters.store import Transcripts
from longshift.adapters.tools import Toolbox, ToolContext, ToolOutcome
from longshift.adapters.workspace import Workspaces
from longshift.contracts import ids
from longshift.contracts.activities import ListJobsInput, ToolActivities
from longshift.contracts.tools import JobsDigest, RunToolInput, ToolDigest, ToolStatus
from longshift.contracts.transcript import AnswerRecord, Block, ResultRecord
from longshift.policy.network import NO_NETWORK
from longshift.policy.normalise import result_hash

QUICK_SECONDS = 1.0
"""How long a quick call may hold up the workflow task it runs in."""


class NoTools(ToolActivities):
    """For a worker that runs workflows and is no host: every quick call is for elsewhere."""

    @activity.defn
    async def try_tool(self, request: RunToolInput) -> ToolDigest:
        """Leave the call to the workspace's host."""
        return ToolDigest(index=request.index, status=ToolStatus.ELSEWHERE)

    @activity.defn
    async def run_tool(self, request: RunToolInput) -> ToolDigest:
        """Leave the call to the workspace's host; such a worker polls no queue of this."""
        return ToolDigest(index=request.index, status=ToolStatus.ELSEWHERE)

    @activity.defn
    async def list_jobs(self, request: ListJobsInput) -> JobsDigest:
        """Leave the question to the workspace's host."""
        return JobsDigest()


class Tools(ToolActivities):
    """Runs calls through the toolbox of this host."""

    def __init__(
        self,
        toolbox: Toolbox,
        workspaces: Workspaces,
        transcripts: Transcripts,
        host_id: str,
        clean: Callable[[str], str] = str,
    ) -> None:
        """`clean` takes known secrets out of results, before anybody sees them."""
        self._clean = clean
        self._toolbox = toolbox
        self._workspaces = workspaces
        self._transcripts = transcripts
        self._host_id = host_id

    @activity.defn
    async def try_tool(self, request: RunToolInput) -> ToolDigest:
        """Run the call if it is short."""
        if request.workspace.host_id != self._host_id:
            return ToolDigest(index=request.index, status=ToolStatus.ELSEWHERE)
        return await self._run(request, QUICK_SECONDS, Progress())

    @activity.defn
    async def run_tool(self, request: RunToolInput) -> ToolDigest:
        """Run the call, or re-attach to it, to its end."""
        progress = Progress()
        async with heartbeating(progress):
            return await self._run(request, None, progress)

    @activity.defn
    async def list_jobs(self, request: ListJobsInput) -> JobsDigest:
        """The agent's background jobs."""
        async with heartbeating(Progress()):
            self._workspaces.open(request.workspace)  # a host that lost the slot does not answer for it
            return JobsDigest(jobs=await self._toolbox.jobs(request.agent, request.workspace.life))

    async def _run(self, request: RunToolInput, patience_seconds: float | None, progress: Progress) -> ToolDigest:
        started = time.monotonic()
        context = self._context(request)
        answer = await self._transcripts.answer(request.agent, request.epoch, request.step)
        arguments = parse_arguments(request.name, _call_input(answer, request.index))
        try:
            outcome = await self._toolbox.run(
                request.name, arguments, context, patience_seconds=patience_seconds, on_progress=progress.report
            )
        except asyncio.CancelledError:
            if is_cancelled_by_the_workflow():
                await self._toolbox.kill(context)
            raise
        if outcome.status is ToolStatus.RUNNING:
            return ToolDigest(index=request.index, status=outcome.status)
        record = ResultRecord(text=self._clean(outcome.text), is_error=outcome.status is not ToolStatus.OK)
        stored = await self._transcripts.put_result(
            request.agent, request.epoch, request.step, request.index, record, request.workspace.generation
        )
        return _digest(request, outcome, stored, time.monotonic() - started)

    def _context(self, request: RunToolInput) -> ToolContext:
        place = self._workspaces.open(request.workspace)
        return ToolContext(
            agent=request.agent,
            task_id=request.workspace.workspace_id,
            step=request.step,
            index=request.index,
            root=place.tree,
            home=place.home,
            tmp=place.tmp,
            outputs_root=self._workspaces.outputs_root / request.workspace.workspace_id,
            run_key=ids.run_key(request.agent, request.step, request.index, request.workspace.life),
            life=request.workspace.life,
            network=request.workspace.network.profile if request.workspace.network else NO_NETWORK,
            seen_root=place.seen_root,
            seen_home=place.seen_home,
        )


def _call_input(answer: AnswerRecord, index: int) -> Block:
    uses = [block for block in answer.content if block.get("type") == "tool_use"]
    return uses[index]["input"]


def _digest(request: RunToolInput, outcome: ToolOutcome, stored: ResultRecord, duration_seconds: float) -> ToolDigest:
    return ToolDigest(
        index=request.index,
        status=outcome.status,
        result_hash=result_hash(stored.text, request.tool_class),
        result_bytes=len(stored.text.encode()),
        changes_workspace=outcome.changes_workspace,
        duration_seconds=round(duration_seconds, 3),
        plan=outcome.plan,
        proposed=outcome.proposed,
        ended_job=outcome.ended_job,
        ended_ok=outcome.ended_ok,
        summary=outcome.summary,
        waits=outcome.waits,
        generation=request.workspace.generation,
    )
