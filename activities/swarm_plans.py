"""Plans of swarms on the lead's host: arguments and changes become a plan in the store, or a list of faults.

What a plan may be is decided in `policy.swarm_plan` and `policy.plan_changes`.
"""

import asyncio
from collections.abc import Iterable

import orjson
from temporalio import activity

from activities.heartbeat import Progress, heartbeating
from longshift.adapters.calls import delegate_arguments, parse_arguments
from longshift.adapters.store import Store, Transcripts, read_plan, read_task
from longshift.adapters.workspace import Workspaces
from longshift.adapters.workspace.names import readable
from longshift.adapters.worktrees.three_way import too_old
from longshift.contracts import ids
from longshift.contracts.delegate import DelegateArguments
from longshift.contracts.swarm_activities import AmendPlanInput, PlanSwarmInput, SwarmPlanActivities
from longshift.contracts.swarm_plan import PlanDigest, SwarmPlan
from longshift.contracts.task import TaskSpec
from longshift.contracts.tools import DELEGATE
from longshift.contracts.workspace import Workspace
from longshift.policy import plan_changes, plan_diff, plan_text, swarm_plan
from longshift.policy.plan_critic import listing_of
from longshift.policy.plan_faults import Site
from longshift.policy.swarm_plan import PlanRefused


class SwarmPlans(SwarmPlanActivities):
    """Makes and changes plans, each kept under its own hash."""

    def __init__(self, workspaces: Workspaces, store: Store, transcripts: Transcripts, profiles: Iterable[str]) -> None:
        """`profiles` are the names of the model profiles that items may ask for."""
        self._workspaces = workspaces
        self._store = store
        self._transcripts = transcripts
        self._profiles = frozenset(profiles)

    @activity.defn
    async def plan_swarm(self, request: PlanSwarmInput) -> PlanDigest:
        """Fill in templates, check the plan against the rules and the tree, keep it."""
        async with heartbeating(Progress()):
            answer = await self._transcripts.answer(request.agent, request.epoch, request.step)
            uses = [block for block in answer.content if block.get("type") == "tool_use"]
            arguments = parse_arguments(DELEGATE, uses[request.index]["input"])
            if not isinstance(arguments, DelegateArguments):
                raise TypeError(f"call {request.index} of step {request.step} is no {DELEGATE}")
            unfit = await self._unfit(request.workspace)
            if unfit:
                return PlanDigest(refused=f"{unfit}. Until then nothing can be delegated here: do the work yourself")
            site = await self._site(request.workspace, await self._task(request.task_id), request.rules.max_items)
            try:
                plan = await asyncio.to_thread(swarm_plan.planned, arguments, site)
            except PlanRefused as refused:
                return PlanDigest(refused=str(refused))
            return await self._kept(plan, request.swarm, request.task_id, site)

    @activity.defn
    async def amend_plan(self, request: AmendPlanInput) -> PlanDigest:
        """The plan as a person changes it, checked like any other, with the difference to what was shown."""
        async with heartbeating(Progress()):
            plan = await self._plan(request.swarm, request.plan_hash)
            shown_before = await self._plan(request.swarm, request.shown_hash or request.plan_hash)
            task = await self._task(request.task_id)
            site = await self._site(request.workspace, task, task.swarm.max_items)
            try:
                changed = await asyncio.to_thread(_changed, plan, request.text, site)
            except PlanRefused as refused:
                return PlanDigest(refused=str(refused))
            digest = await self._kept(changed, request.swarm, request.task_id, site)
            return digest.model_copy(update={"changes": plan_diff.changes(shown_before, changed, request.task_id)})

    async def _kept(self, plan: SwarmPlan, swarm: str, task_id: str, site: Site) -> PlanDigest:
        body = swarm_plan.canonical(plan)
        plan_hash = swarm_plan.hash_of(body)
        key = ids.plan_key(swarm, plan_hash)
        await self._store.create(key, body)
        listing = await asyncio.to_thread(listing_of, (readable(name) for name in site.files))
        await self._store.create(ids.plan_files_key(swarm, plan_hash), orjson.dumps({"text": listing}))
        await self._store.settled()
        return PlanDigest(
            key=key,
            hash=plan_hash,
            title=swarm_plan.title_of(plan),
            rows=swarm_plan.rows_of(plan),
            shown=await asyncio.to_thread(plan_text.shown, plan, task_id),
            struck=plan.struck,
        )

    async def _unfit(self, workspace: Workspace) -> str:
        """Why the work of sub-agents could not be merged on this host; empty: it can."""
        async with self._workspaces.shadow(workspace).held() as git:
            return too_old((await git("version")).text)

    async def _site(self, workspace: Workspace, task: TaskSpec, max_items: int) -> Site:
        shadow = self._workspaces.shadow(workspace)
        files = await shadow.sizes((await shadow.snapshot()).tree)
        return Site(
            files=frozenset(files),
            profiles=self._profiles,
            protected=task.protected,
            task_checks=frozenset(check.name for check in task.checks),
            max_items=max_items,
        )

    async def _task(self, task_id: str) -> TaskSpec:
        return await read_task(self._store, task_id)

    async def _plan(self, swarm: str, plan_hash: str) -> SwarmPlan:
        return await read_plan(self._store, swarm, plan_hash)


def _changed(plan: SwarmPlan, text: str, site: Site) -> SwarmPlan:
    """A plan with the changes of a text: a line each, or a whole plan as JSON.

    Raises:
        PlanRefused: they cannot be applied, or what comes of them cannot be carried out.
    """
    if not text.lstrip().startswith("{"):
        return plan_changes.amended(plan, text, site)
    arguments, problem = delegate_arguments(text)
    if arguments is None:
        raise PlanRefused((f"the plan as JSON cannot be read: {problem}",))
    return plan_changes.replaced(plan, arguments, site)
