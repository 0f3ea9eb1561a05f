"""Worktrees of a swarm on their host: what items start from, their work on its way into the store, their removal."""

import asyncio
import logging
from collections.abc import Sequence

import orjson
from temporalio import activity

from activities.heartbeat import Progress, heartbeating
from longshift.adapters.calls import parse_arguments
from longshift.adapters.slots import SlotPool
from longshift.adapters.store import Store, Transcripts, read_plan, read_task
from longshift.adapters.workspace import Workspaces
from longshift.adapters.worktrees.sealing import NotSealed, Sealed, sealed, tree_of_bundle
from longshift.contracts import ids
from longshift.contracts.errors import StaleGeneration, StoreUnavailable, WorkspaceFailed
from longshift.contracts.sub_agent import SubAgent
from longshift.contracts.swarm import ItemEnd, ItemReport, ItemSeal, ItemStatus
from longshift.contracts.swarm_activities import (
    DiscardWorktreeInput,
    OpenedSwarm,
    OpenSwarmInput,
    SealItemInput,
    SweepSwarmInput,
    WorktreeActivities,
)
from longshift.contracts.swarm_plan import SwarmPlan
from longshift.contracts.task import TaskSpec
from longshift.contracts.tools import FinishArguments
from longshift.contracts.transcript import HandoffRecord
from longshift.contracts.workspace import Workspace
from longshift.policy import item_task

log = logging.getLogger("longshift.worktrees")

SHOWN_FILES = 20
REASON_CHARACTERS = 300
SUMMARY_CHARACTERS = 20_000
WRITES_AT_ONCE = 16
HISTORY_LEFT_OUT = "Not covered, as too large or unreadable: "


class Worktrees(WorktreeActivities):
    """Works on the worktrees of this host."""

    def __init__(
        self, workspaces: Workspaces, store: Store, transcripts: Transcripts, pool: SlotPool | None = None
    ) -> None:
        """`pool` are the slots of this host for items; without one, their worktrees are held by nobody."""
        self._pool = pool
        self._workspaces = workspaces
        self._store = store
        self._transcripts = transcripts

    @activity.defn
    async def open_swarm(self, request: OpenSwarmInput) -> OpenedSwarm:
        """Record the base, write the tasks of items and integration; what a first attempt recorded stays."""
        progress = Progress()
        async with heartbeating(progress):
            session = await self._task(request.task_id)
            plan = await read_plan(self._store, request.swarm, request.plan_hash)
            sub_agent = await self._base(request, session, plan)
            tasks = [item_task.seed_task(session, sub_agent)]
            tasks += [item_task.item_task(session, plan, item, sub_agent) for item in plan.items]
            progress.report(f"writing {len(tasks)} tasks")
            await self._written(tasks)
            baseline = await self._store.find(ids.baseline_key(request.task_id))
            if baseline is not None:
                await self._store.create(ids.baseline_key(ids.integration_id(request.swarm)), baseline)
            await self._store.settled()
        return OpenedSwarm(
            base_tree=sub_agent.base_tree,
            base_step=sub_agent.base_step,
            has_checks=bool(item_task.integration_checks(session, plan) or session.protected),
        )

    @activity.defn
    async def seal_item(self, request: SealItemInput) -> ItemEnd:
        """Keep an item's work and report, then give its place back; what a first attempt stored stays."""
        progress = Progress()
        async with heartbeating(progress):
            earlier = await self._store.find(ids.item_report_key(request.swarm, request.item, request.attempt))
            if earlier is not None:
                end = _sealed_before(request, ItemReport.model_validate_json(earlier))
            else:
                end = await self._sealed_first(request, progress)
            if end.failure is not None:
                return end
            progress.report("removing the worktree")
            return end.model_copy(update={"given_back": await self._given_back(request.workspace)})

    @activity.defn
    async def discard_worktree(self, request: DiscardWorktreeInput) -> None:
        """End what runs in a worktree and remove it; one that a newer slot holds stays."""
        async with heartbeating(Progress()):
            await self._removed(request.workspace)

    @activity.defn
    async def sweep_swarm(self, request: SweepSwarmInput) -> None:
        """Remove what is left of a swarm on this host."""
        progress = Progress()
        async with heartbeating(progress):
            for task_id in await self._workspaces.known(f"{request.swarm}."):
                progress.report(f"removing {task_id}")
                await self._workspaces.discard(task_id)

    async def _base(self, request: OpenSwarmInput, session: TaskSpec, plan: SwarmPlan) -> SubAgent:
        """What all items have in common; the integration's task keeps it, and is written first."""
        key = ids.task_key(ids.integration_id(request.swarm))
        body = await self._store.find(key)
        if body is None:
            digest = await self._workspaces.checkpoint(request.workspace, request.step, request.agent)
            if not digest.archived:
                raise StoreUnavailable("the lead's files are recorded, but the store did not take their checkpoint")
            sub_agent = SubAgent(
                session=request.task_id,
                swarm=request.swarm,
                item=ids.INTEGRATION,
                base_step=request.step,
                base_agent=request.agent,
                base_tree=digest.tree_hash,
                root=request.workspace.root,
                home=str(self._workspaces.open(request.workspace).home),
            )
            body = await self._store.create(key, _body(item_task.integration_task(session, plan, sub_agent)))
        found = TaskSpec.model_validate_json(body).sub_agent
        assert found is not None, "the integration's task says what it is"
        return found

    async def _written(self, tasks: Sequence[TaskSpec]) -> None:
        for start in range(0, len(tasks), WRITES_AT_ONCE):
            several = tasks[start : start + WRITES_AT_ONCE]
            await asyncio.gather(*(self._store.create(ids.task_key(task.id), _body(task)) for task in several))

    async def _removed(self, workspace: Workspace) -> bool:
        """Whether it is nobody's any more."""
        try:
            await self._workspaces.release(workspace)
        except StaleGeneration:
            return False
        await self._workspaces.discard(workspace.workspace_id)
        return True

    async def _given_back(self, workspace: Workspace) -> int:
        """Remove the worktree of sealed work, and end its slot; the slot's generation, 0 where that is not done.

        The slot is held until the worktree is gone: so nobody else comes by it, and `hold_slot` and the seal are
        answered together, which wakes the item once.
        """
        holding = self._pool.holding(workspace.workspace_id) if self._pool is not None else None
        if holding is not None and holding.generation > workspace.generation:
            return 0
        try:
            if not await self._removed(workspace):
                return 0
        except WorkspaceFailed as error:
            log.warning("the worktree of sealed work stays until its swarm is swept: %s", error)
            return 0
        if holding is not None and holding.generation == workspace.generation:
            holding.released.set()
            await holding.ended.wait()
        return workspace.generation

    async def _sealed_first(self, request: SealItemInput, progress: Progress) -> ItemEnd:
        """Put work and report into the store."""
        task = await self._task(request.task_id)
        end, work = request.end, None
        if end.failure is None:
            progress.report("sealing the work")
            await self._workspaces.abandon(request.task_id)
            end, work = await self._sealed(request, task)
        await self._reported(request, task, end, work)
        await self._store.settled()
        return end

    async def _sealed(self, request: SealItemInput, task: TaskSpec) -> tuple[ItemEnd, Sealed | None]:
        proved = request.checks.tree_hash if request.checks is not None and request.checks.passed else ""
        try:
            work = await sealed(
                self._workspaces,
                request.workspace,
                task,
                message=f"{request.item}: {item_task.goal_line(task.title.partition(': ')[2])}",
                seconds=int(request.end.ended_at),
                proved_tree=proved,
            )
        except NotSealed as refused:
            update = {"failure": refused.failure, "reason": str(refused)[:REASON_CHARACTERS]}
            return request.end.model_copy(update=update), None
        key, tree = "", work.tree
        if work.bundle:
            key = ids.item_changes_key(request.swarm, request.item, request.attempt)
            stored = await self._store.create(key, work.bundle, in_memory=False)
            if stored != work.bundle:
                tree = await tree_of_bundle(self._workspaces, request.workspace, stored)
        await self._network_kept(request.workspace, request.task_id)
        seal = ItemSeal(
            attempt=request.attempt,
            key=key,
            base_tree=request.workspace.base_tree,
            tree=tree,
            files=work.counts.files,
            insertions=work.counts.insertions,
            deletions=work.counts.deletions,
            changed_files=work.counts.changed_files[:SHOWN_FILES],
        )
        return request.end.model_copy(update={"seal": seal}), work

    async def _network_kept(self, workspace: Workspace, task_id: str) -> None:
        used = await self._workspaces.network_use(workspace)
        if used is not None:
            await self._store.create(ids.artifact_key(task_id, "network.jsonl"), used[1])

    async def _reported(self, request: SealItemInput, task: TaskSpec, end: ItemEnd, work: Sealed | None) -> None:
        """Write the report: from then on a repeated call has the same end."""
        finish = await self._finish(request)
        counts = work.counts if work is not None else None
        left_out = sorted({*counts.left_out} - {*counts.changed_files}) if counts is not None else []
        questions = finish.open_questions if finish is not None else ()
        if left_out:
            questions = (*questions, f"{HISTORY_LEFT_OUT}{', '.join(left_out[:SHOWN_FILES])}")
        report = ItemReport(
            item=request.item,
            goal=task.title.partition(": ")[2],
            status=ItemStatus.SEALED if end.failure is None else ItemStatus.FAILED,
            failure=end.failure,
            reason=end.reason,
            attempt=request.attempt,
            summary=(finish.summary if finish is not None else await self._last_words(request))[:SUMMARY_CHARACTERS],
            files=counts.changed_files if counts is not None else (),
            tree=end.seal.tree if end.seal is not None else "",
            insertions=counts.insertions if counts is not None else 0,
            deletions=counts.deletions if counts is not None else 0,
            checks=request.checks,
            measurements=finish.measurements if finish is not None else {},
            open_questions=questions,
            spend=end.spent,
            steps=end.steps,
            started_at=end.started_at,
            ended_at=end.ended_at,
            agent=request.agent,
            host=request.workspace.host_id,
        )
        await self._store.create(ids.item_report_key(request.swarm, request.item, request.attempt), _body(report))

    async def _finish(self, request: SealItemInput) -> FinishArguments | None:
        """The arguments of the `finish` that ended the attempt."""
        if not request.last_step:
            return None
        answer = await self._transcripts.find_answer(request.agent, request.epoch, request.last_step)
        if answer is None:
            return None
        calls = [block for block in answer.content if block.get("type") == "tool_use" and block.get("name") == "finish"]
        arguments = parse_arguments("finish", calls[-1]["input"]) if calls else None
        return arguments if isinstance(arguments, FinishArguments) else None

    async def _last_words(self, request: SealItemInput) -> str:
        """The note with which an agent ended that was stopped."""
        body = await self._store.find(ids.handoff_key(request.agent))
        return HandoffRecord.model_validate_json(body).note if body is not None else ""

    async def _task(self, task_id: str) -> TaskSpec:
        return await read_task(self._store, task_id)


def _sealed_before(request: SealItemInput, report: ItemReport) -> ItemEnd:
    """The end that an earlier call has reported, whatever has become of the worktree since."""
    end = request.end.model_copy(update={"failure": report.failure, "reason": report.reason})
    if report.failure is not None:
        return end.model_copy(update={"seal": None})
    seal = ItemSeal(
        attempt=request.attempt,
        key=ids.item_changes_key(request.swarm, request.item, request.attempt) if report.files else "",
        base_tree=request.workspace.base_tree,
        tree=report.tree,
        files=len(report.files),
        insertions=report.insertions,
        deletions=report.deletions,
        changed_files=report.files[:SHOWN_FILES],
    )
    return end.model_copy(update={"seal": seal})


def _body(value: TaskSpec | ItemReport) -> bytes:
    return orjson.dumps(value.model_dump(mode="json"))
