"""The integration of swarms on the lead's host: merges, tasks of those who mend them, the result for the lead."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import orjson
from temporalio import activity

from activities.cancellation import is_cancelled_by_the_workflow
from activities.heartbeat import Progress, heartbeating
from longshift.adapters.store import Store, Transcripts, read_plan, read_task
from longshift.adapters.workspace import Workspaces
from longshift.adapters.workspace.names import readable
from longshift.adapters.worktrees import history
from longshift.adapters.worktrees.landing import Landed, land, versions_written
from longshift.adapters.worktrees.mending import Mender
from longshift.adapters.worktrees.merging import Integrating
from longshift.adapters.worktrees.user_branch import Branch, UserBranch, branch_name
from longshift.contracts import ids
from longshift.contracts.model import ToolClass
from longshift.contracts.swarm import ItemReport, ItemStatus, SwarmResult
from longshift.contracts.swarm_activities import (
    LandSwarmInput,
    MergeActivities,
    MergeDigest,
    MergeInput,
    OpenResolverInput,
)
from longshift.contracts.task import TaskSpec
from longshift.contracts.tools import ToolDigest, ToolStatus
from longshift.contracts.transcript import ResultRecord
from longshift.contracts.workspace import Workspace
from longshift.policy.landing_words import branch_words, kept_words
from longshift.policy.merge_message import short_name
from longshift.policy.normalise import result_hash
from longshift.policy.report_tree import LIMIT_CHARACTERS, reduced

READS_AT_ONCE = 16
NAMES_KEPT = 200


@dataclass(frozen=True)
class _Outcome:
    """What has become of the integrated tree."""

    landed: Landed | None = None
    branch: Branch = field(default_factory=Branch)
    artifact: str = ""
    versions: str = ""
    """Where in the home folder the swarm's versions of files are that were kept."""


class Merges(MergeActivities):
    """Merges on this host."""

    def __init__(
        self, workspaces: Workspaces, store: Store, transcripts: Transcripts, clean: Callable[[str], str] = str
    ) -> None:
        """`clean` takes known secrets out of text."""
        self._workspaces = workspaces
        self._store = store
        self._transcripts = transcripts
        self._clean = clean
        self._lenient: list[str] = []
        """What this host's git need not check in bundles, once a merge has asked it."""

    @activity.defn
    async def merge_items(self, request: MergeInput) -> MergeDigest:
        """Merge into the integration's worktree, which is made where it is not there."""
        progress = Progress()
        async with heartbeating(progress):
            own, integrating = await self._integration(request.workspace, request.swarm, progress)
            progress.report(f"merging {len(request.merges)} items onto state {request.onto}")
            digest = await integrating.merged(
                request.onto, request.merges, request.number, writes_files=request.writes_files
            )
        return digest.model_copy(update={"workspace": own})

    @activity.defn
    async def open_resolver(self, request: OpenResolverInput) -> None:
        """Write what a resolver starts from, and its task."""
        progress = Progress()
        async with heartbeating(progress):
            _, integrating = await self._integration(request.workspace, request.swarm, progress)
            await Mender(integrating).opened(request)

    @activity.defn
    async def land_swarm(self, request: LandSwarmInput) -> ToolDigest:
        """The integrated tree in the lead's files, the branch, the bundle, the result; all of it may be repeated."""
        progress, started = Progress(), time.monotonic()
        async with heartbeating(progress):
            outcome = _Outcome()
            if request.number:
                outcome = await self._landed(request, progress)
            text = await self._text(request, outcome)
            is_error = ItemStatus.MERGED.value not in request.statuses.values()
            record = await self._transcripts.put_result(
                *(request.agent, request.epoch, request.step, request.index),
                ResultRecord(text=self._clean(text), is_error=is_error),
                request.workspace.generation,
            )
            result = _result(request, outcome)
            await self._store.create(ids.swarm_result_key(request.swarm), orjson.dumps(result.model_dump(mode="json")))
            await self._store.settled()
        merged = list(request.statuses.values()).count(ItemStatus.MERGED.value)
        return ToolDigest(
            index=request.index,
            status=ToolStatus.ERROR if record.is_error else ToolStatus.OK,
            result_hash=result_hash(record.text, ToolClass.EFFECT),
            result_bytes=len(record.text.encode()),
            changes_workspace=True,
            duration_seconds=round(time.monotonic() - started, 3),
            summary=f"{merged} of {len(request.statuses)} items merged",
            generation=request.workspace.generation,
        )

    async def _integration(self, lead: Workspace, swarm: str, progress: Progress) -> tuple[Workspace, Integrating]:
        """The integration beside the lead's workspace, made where it is not there."""
        self._workspaces.open(lead)  # a host that lost the slot merges nothing
        task = await self._task(ids.integration_id(swarm))
        try:
            own = await self._workspaces.prepare(task, lead.generation, progress.report)
        except asyncio.CancelledError:
            if is_cancelled_by_the_workflow():
                await self._workspaces.abandon(task.id)
            raise
        return own, self._integrating(own, swarm, task)

    def _integrating(self, workspace: Workspace, swarm: str, integration: TaskSpec) -> Integrating:
        base_tree = integration.sub_agent.base_tree if integration.sub_agent is not None else ""
        shadow = self._workspaces.shadow(workspace)
        return Integrating(self._store, shadow, swarm, base_tree, lenient=self._lenient)

    async def _landed(self, request: LandSwarmInput, progress: Progress) -> _Outcome:
        lead, swarm = request.workspace, request.swarm
        own = self._integrating(lead, swarm, await self._task(ids.integration_id(swarm)))
        if not await own.has_base():
            # A host that took over later has the newest checkpoint alone.
            _, integrating = await self._integration(lead, swarm, progress)
            await own.take_over(integrating, request.number)
        async with own.shadow.held() as git:
            base, tip = await own.state(git, 0), await own.state(git, request.number)
            tree = await history.tree_of(git, tip)
        progress.report("bringing the integrated tree into the lead's files")
        landed = await land(own.shadow, own.base_tree, tree)
        await self._workspaces.checkpoint(lead, request.step, request.agent)
        progress.report("making the branch")
        async with own.shadow.held() as git:
            branch = await UserBranch(git, swarm, base, tip).made(lead.source_commit)
        versions = ""
        if landed.kept and not branch.name:
            folder = f"{short_name(swarm)}-versions"
            await versions_written(own.shadow, tree, landed.kept, self._workspaces.open(lead).home / folder)
            versions = f"~/{folder}"
        artifact = ""
        if branch.bundle:
            artifact = ids.artifact_key(request.task_id, f"{short_name(swarm)}.bundle")
            await self._store.create(artifact, branch.bundle, in_memory=False)
        return _Outcome(landed, branch, artifact, versions)

    async def _text(self, request: LandSwarmInput, outcome: _Outcome) -> str:
        plan = await read_plan(self._store, request.swarm, request.plan_hash)
        kept = tuple(readable(name) for name in outcome.landed.kept) if outcome.landed is not None else ()
        note = kept_words(kept, outcome.branch.name, outcome.versions)
        branch = branch_words(outcome.branch.name, outcome.branch.why, outcome.artifact) if request.number else ""
        text = reduced(
            plan,
            await self._reports(request, outcome.branch),
            request.statuses,
            request.reasons,
            request.summary,
            request.critical_path,
            LIMIT_CHARACTERS - len(note) - 2,
            branch=branch,
            checks=request.checks,
            reason=request.reason,
        )
        return f"{note}\n\n{text}" if note else text

    async def _reports(self, request: LandSwarmInput, branch: Branch) -> dict[str, ItemReport]:
        """The reports that count, with the commits of their merges, and what was said by who mended one."""
        gate, commits = asyncio.Semaphore(READS_AT_ONCE), branch.commits or {}
        mended = {merge.item: merge for merge in request.merges if merge.by}

        async def read(item: str, attempt: int) -> ItemReport | None:
            async with gate:
                body = await self._store.find(ids.item_report_key(request.swarm, item, attempt))
            return ItemReport.model_validate_json(body) if body is not None else None

        async def read_whole(item: str, attempt: int) -> ItemReport | None:
            report = await read(item, attempt)
            if report is None:
                return None
            merge = mended.get(item)
            mender = await read(merge.by, merge.attempt) if merge is not None else None
            said = f"\n\nMerged by {mender.item}: {mender.summary}" if mender is not None else ""
            where = f"{commits[item][:12]} of {branch.name or 'the bundle'}" if item in commits else ""
            return report.model_copy(update={"branch": where, "summary": report.summary + said})

        found = await asyncio.gather(*(read_whole(item, attempt) for item, attempt in request.ends))
        return {item: report for (item, _), report in zip(request.ends, found, strict=True) if report is not None}

    async def _task(self, task_id: str) -> TaskSpec:
        return await read_task(self._store, task_id)


def _result(request: LandSwarmInput, outcome: _Outcome) -> SwarmResult:
    kept = outcome.landed.kept if outcome.landed is not None else ()
    return SwarmResult(
        swarm=request.swarm,
        plan_hash=request.plan_hash,
        summary=request.summary,
        attempts=dict(request.ends),
        statuses=request.statuses,
        reasons=request.reasons,
        critical_path=request.critical_path,
        branch=outcome.branch.name or (branch_name(request.swarm) if request.number else ""),
        commits=outcome.branch.commits or {},
        mended_by={merge.item: merge.by for merge in request.merges if merge.by},
        kept=tuple(readable(name) for name in kept[:NAMES_KEPT]),
        artifact=outcome.artifact,
        checks=request.checks,
        reason=request.reason,
    )
