"""The life of a workspace on its host: prepare, checkpoint, prove, deliver, release."""

import asyncio
from collections.abc import Callable, Mapping

import orjson
from temporalio import activity

from activities.cancellation import is_cancelled_by_the_workflow
from activities.heartbeat import Progress, heartbeating
from longshift.adapters.slots import SlotPool
from longshift.adapters.store import Store, read_task
from longshift.adapters.workspace import Checks, Workspaces
from longshift.adapters.workspace.delivery import DeliveryCounts
from longshift.contracts import ids
from longshift.contracts.activities import (
    CheckpointInput,
    DeliverInput,
    PrepareWorkspaceInput,
    ReleaseInput,
    RunChecksInput,
    WorkspaceActivities,
)
from longshift.contracts.checks import ChecksDigest
from longshift.contracts.completion import ProposedCheck
from longshift.contracts.rollback import FilesRolledBack, RollBackFilesInput
from longshift.contracts.session import SessionState
from longshift.contracts.slots import SlotKind
from longshift.contracts.task import Check, TaskSpec
from longshift.contracts.verification import DiffDigest, DiffRecord, ExportDiffInput
from longshift.contracts.workspace import CheckpointDigest, DeliveryDigest, Workspace
from longshift.policy.checks import measures_alike

DIFF_LIMIT_CHARACTERS = 4_000


class WorkspaceLife(WorkspaceActivities):
    """Works on the workspaces of this host."""

    def __init__(
        self, workspaces: Workspaces, checks: Checks, store: Store, pools: Mapping[SlotKind, SlotPool] | None = None
    ) -> None:
        """`pools` are the slots of this host; without any, workspaces are held by nobody."""
        self._workspaces = workspaces
        self._checks = checks
        self._store = store
        self._pools = pools or {}

    @activity.defn
    async def prepare_workspace(self, request: PrepareWorkspaceInput) -> Workspace:
        """Fetch the source, run the setup, record the base tree."""
        progress = Progress()
        async with heartbeating(progress):
            return await self.prepared(request.task_id, request.generation, progress.report)

    async def prepared(
        self, task_id: str, generation: int, on_progress: Callable[[str], None], *, integration: int = 0
    ) -> Workspace:
        """The workspace of a task, made or made again where this host does not have it.

        `integration` is the integrated state that an item starts from; 0: the one that its task names.
        """
        task = await self._task(task_id)
        if integration and task.sub_agent is not None:
            sub_agent = task.sub_agent.model_copy(update={"integration": integration})
            task = task.model_copy(update={"sub_agent": sub_agent})
        try:
            workspace = await self._workspaces.prepare(task, generation, on_progress)
        except asyncio.CancelledError:
            if is_cancelled_by_the_workflow():
                await self._workspaces.abandon(task.id)
            raise
        rules = await self._workspaces.rules_text(workspace)
        if rules:
            await self._store.create(ids.rules_key(task.id), rules.encode())
        return workspace

    @activity.defn
    async def checkpoint(self, request: CheckpointInput) -> CheckpointDigest:
        """Record the tree after a step."""
        async with heartbeating(Progress()):
            return await self._workspaces.checkpoint(request.workspace, request.step, agent=request.agent)

    @activity.defn
    async def roll_back_files(self, request: RollBackFilesInput) -> FilesRolledBack:
        """Make the files those after an earlier step, and record them."""
        progress = Progress()
        async with heartbeating(progress):
            return await self._workspaces.roll_back(
                request.workspace, request.agent, request.step, request.to_step, progress.report
            )

    @activity.defn
    async def run_checks(self, request: RunChecksInput) -> ChecksDigest:
        """Run every declared check and compare the protected files."""
        task = _with_proposed(await self._task(request.task_id), request.proposed)
        progress = Progress()
        async with heartbeating(progress):
            if request.baseline and await self._inherits_baseline(task):
                return ChecksDigest(passed=True)
            baseline = await self._baseline(request.task_id)
            digest = await self._checks.run(
                task,
                request.workspace,
                baseline=baseline,
                takes_baseline=request.baseline,
                key_prefix=_run_prefix(request),
                on_progress=progress.report,
            )
        if request.baseline:
            body = orjson.dumps({result.name: result.value for result in digest.results})
            await self._store.create(ids.baseline_key(request.task_id), body)
        return digest

    @activity.defn
    async def export_diff(self, request: ExportDiffInput) -> DiffDigest:
        """Write what was changed so far into the store; what a first attempt wrote stays."""
        key = ids.verified_key(request.agent, request.step, request.workspace.generation, "diff")
        async with heartbeating(Progress()):
            body = await self._store.find(key)
            if body is None:
                record = await self._workspaces.changes(request.workspace)
                body = await self._store.create(key, orjson.dumps(record.model_dump(mode="json")))
                await self._store.settled()
        record = DiffRecord.model_validate_json(body)
        return DiffDigest(key=key, files=record.files_count, is_whole=record.is_whole)

    @activity.defn
    async def deliver(self, request: DeliverInput) -> DeliveryDigest:
        """Write patch and report to the store; what a first attempt wrote stays."""
        async with heartbeating(Progress()):
            patch, counts = await self._workspaces.export(request.workspace)
            names = [ids.artifact_key(request.task_id, name) for name in ("patch.diff", "report.json")]
            patch = await self._store.create(names[0], patch)
            used = await self._workspaces.network_use(request.workspace)
            if used is not None:
                names.append(ids.artifact_key(request.task_id, "network.jsonl"))
                await self._store.create(names[-1], used[1])
            if request.status.state is SessionState.DONE and (await self._task(request.task_id)).deliver is not None:
                names.append(await self._changes_stored(request, counts))
            digest = DeliveryDigest(
                artifacts=tuple(names),
                network=used[0] if used is not None else None,
                changed_files=counts.files,
                insertions=counts.insertions,
                deletions=counts.deletions,
                diff=patch[: 4 * DIFF_LIMIT_CHARACTERS].decode(errors="replace")[:DIFF_LIMIT_CHARACTERS],
            )
            report = request.status.model_copy(update={"delivery": digest})
            await self._store.create(names[1], orjson.dumps(report.model_dump(mode="json"), option=orjson.OPT_INDENT_2))
            await self._store.settled()
        return digest

    @activity.defn
    async def release_workspace(self, request: ReleaseInput) -> None:
        """Let go of the slot, and kill what still runs; the files stay for people to look at."""
        held = (pool.holding(request.workspace.workspace_id) for pool in self._pools.values())
        holding = next((each for each in held if each and each.generation == request.workspace.generation), None)
        async with heartbeating(Progress()):
            if holding is None:
                await self._workspaces.release(request.workspace)
            else:
                holding.released.set()
                await holding.ended.wait()

    async def _changes_stored(self, request: DeliverInput, counts: DeliveryCounts) -> str:
        """The bundle that a branch is made of; gives its key."""
        key = ids.artifact_key(request.task_id, ids.CHANGES_ARTIFACT)
        if await self._store.find(key) is None:
            # A branch that is not whole, or was not searched for secrets as the patch was, is none.
            is_whole = not counts.left_out
            bundle = await self._workspaces.bundle_changes(request.workspace, counts.tree_hash) if is_whole else b""
            await self._store.create(key, bundle)
        return key

    async def _task(self, task_id: str) -> TaskSpec:
        return await read_task(self._store, task_id)

    async def _inherits_baseline(self, task: TaskSpec) -> bool:
        """Take over what was measured before the session that this one goes on from did any work."""
        if task.start_from is None:
            return False
        body = await self._store.find(ids.baseline_key(task.start_from.session))
        if body is None or not measures_alike(task, await self._task(task.start_from.session)):
            return False
        await self._store.create(ids.baseline_key(task.id), body)
        return True

    async def _baseline(self, task_id: str) -> dict[str, float]:
        body = await self._store.find(ids.baseline_key(task_id))
        return orjson.loads(body) if body else {}


def _with_proposed(task: TaskSpec, proposed: tuple[ProposedCheck, ...]) -> TaskSpec:
    """The task with the checks that its agent proposed; those that it declares itself always come first."""
    if task.checks or not proposed:
        return task
    checks = tuple(Check(name=check.name, run=check.run) for check in proposed)
    return task.model_copy(update={"checks": checks})


def _run_prefix(request: RunChecksInput) -> str:
    """The key under which the checks' processes are claimed: the same for every attempt."""
    return f"{request.task_id}/baseline" if request.baseline else f"{request.agent}/s{request.step:06d}-checks"
