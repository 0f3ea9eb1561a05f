"""Activities that play a script, so that a workflow test decides every outcome and sees every call."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from temporalio import activity
from temporalio.client import WorkflowHandle

from longshift.contracts import ids
from longshift.contracts.activities import (
    CallModelInput,
    CheckpointInput,
    DeliverInput,
    DeliveryActivities,
    LedgerActivities,
    ListJobsInput,
    ModelActivities,
    OpenAgentInput,
    OpenSessionInput,
    PrepareWorkspaceInput,
    ReleaseInput,
    RunChecksInput,
    SlotActivities,
    ToolActivities,
    WorkspaceActivities,
    WriteHandoffInput,
)
from longshift.contracts.checks import CheckResult, ChecksDigest
from longshift.contracts.completion import ProposedCheck, Verdict
from longshift.contracts.delivery import BranchDelivery, BranchPlan, PlanBranchInput, PublishInput
from longshift.contracts.errors import HostFull, SlotLost, StoreUnavailable, WorkspaceFailed
from longshift.contracts.model import CallDigest, HandoffDigest, ModelDigest, ModelOutcome, ToolClass, Usage
from longshift.contracts.rollback import (
    ConversationRolledBack,
    FilesRolledBack,
    FindStepsInput,
    RollBackConversationInput,
    RollBackFilesInput,
    StepsFound,
)
from longshift.contracts.slots import HoldSlotInput, SlotDraining, SlotEnd, SlotGranted, SlotTaken
from longshift.contracts.tools import TOOL_CLASSES, Job, JobsDigest, PlanItem, RunToolInput, ToolDigest, ToolStatus
from longshift.contracts.transcript import SealInput
from longshift.contracts.verification import DiffDigest, ExportDiffInput, VerdictDigest, VerifyInput
from longshift.contracts.workspace import CheckpointDigest, DeliveryDigest, Restoration, Workspace


def digest_of(*names: str, **fields: object) -> ModelDigest:
    """An answer that calls these tools."""
    calls = tuple(
        CallDigest(index=i, call_id=f"c{i}", name=name, tool_class=TOOL_CLASSES[name], arguments_hash="0", summary=name)
        for i, name in enumerate(names)
    )
    usage = Usage(input_tokens=10, output_tokens=5)
    given = {"outcome": ModelOutcome.ANSWERED, "calls": calls, "usage": usage, "window_tokens": 100_000, **fields}
    return ModelDigest.model_validate(given)


@dataclass
class Script:
    """What happens: one model outcome per call (the last repeats), and what every activity was asked."""

    answers: list[ModelDigest]
    answers_of: dict[str, list[ModelDigest]] = field(default_factory=dict[str, list[ModelDigest]])
    """By task, instead of `answers`."""
    checks: list[bool] = field(default_factory=lambda: [True])
    tool: Callable[[RunToolInput], ToolStatus] = lambda request: ToolStatus.OK
    quick_calls: bool = False
    setup_fails: str = ""
    failures: dict[str, list[Exception]] = field(default_factory=dict[str, list[Exception]])
    """By activity: what its next calls raise."""
    model_seconds: float = 0.0
    hold_tools: asyncio.Event | None = None
    """When set, tool calls wait for it."""
    asked: list[CallModelInput] = field(default_factory=list[CallModelInput])
    tools: list[RunToolInput] = field(default_factory=list[RunToolInput])
    seals: list[SealInput] = field(default_factory=list[SealInput])
    handoffs: list[WriteHandoffInput] = field(default_factory=list[WriteHandoffInput])
    rolled_back_files: list[RollBackFilesInput] = field(default_factory=list[RollBackFilesInput])
    rolled_back: list[RollBackConversationInput] = field(default_factory=list[RollBackConversationInput])
    jobs: tuple[Job, ...] = ()
    verdicts: list[VerdictDigest] = field(
        default_factory=lambda: [
            VerdictDigest(outcome=ModelOutcome.ANSWERED, verdict=Verdict(step=0, accepted=True), cost_usd=0.5)
        ]
    )
    """The verifier's, one per call; the last repeats."""
    verified: list[VerifyInput] = field(default_factory=list[VerifyInput])
    diffs: list[ExportDiffInput] = field(default_factory=list[ExportDiffInput])
    proposes: tuple[ProposedCheck, ...] | None = None
    """What every plan proposes."""
    trees: Callable[[int], str] = lambda step: f"t{step}"
    """The files after a step."""
    checkpoints: list[CheckpointInput] = field(default_factory=list[CheckpointInput])
    checks_run: list[RunChecksInput] = field(default_factory=list[RunChecksInput])
    opened: list[OpenAgentInput] = field(default_factory=list[OpenAgentInput])
    delivered: list[DeliverInput] = field(default_factory=list[DeliverInput])
    plans: list[BranchPlan] = field(default_factory=list[BranchPlan])
    """Of a branch; the last repeats."""
    published: list[PublishInput] = field(default_factory=list[PublishInput])
    released: int = 0
    archives: bool = True
    """Checkpoints reach the store."""
    slots: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    """Host and generation of every slot that was taken out of a queue."""
    slots_ended: list[int] = field(default_factory=list[int])
    """Their generations, as they end."""
    released_slots: dict[tuple[str, int], asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))
    """By task and generation: set when the slot is let go."""
    lost: set[int] = field(default_factory=set[int])
    """Generations whose host goes away."""
    draining: set[int] = field(default_factory=set[int])
    """Generations whose host is about to stop."""
    ended_commands: int = 0
    killed: int = 0
    tool_started: asyncio.Event = field(default_factory=asyncio.Event)
    model_asked: asyncio.Event = field(default_factory=asyncio.Event)
    hold_model: asyncio.Event | None = None
    hold_model_from: int = 1
    """The first model call that waits for it."""
    hold: dict[str, asyncio.Event] = field(default_factory=dict[str, asyncio.Event])
    """By activity: it waits for the event before it does anything."""
    entered: dict[str, asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))
    """By activity: set at its first call."""
    sealed: asyncio.Event = field(default_factory=asyncio.Event)
    reopened: asyncio.Event = field(default_factory=asyncio.Event)

    async def enter(self, name: str) -> None:
        """An activity begins."""
        self.entered[name].set()
        while name in self.hold and not self.hold[name].is_set():
            activity.heartbeat()
            await asyncio.sleep(0.05)
        if self.failures.get(name):
            raise self.failures[name].pop(0)

    def keep_seal(self, seal: SealInput) -> None:
        """A step is closed, by whichever activity."""
        self.seals.append(seal)
        self.sealed.set()


class ScriptedLedger(LedgerActivities):
    def __init__(self, script: Script) -> None:
        self._script = script

    @activity.defn
    async def open_session(self, request: OpenSessionInput) -> None:
        await self._script.enter("open_session")

    @activity.defn
    async def open_agent(self, request: OpenAgentInput) -> None:
        await self._script.enter("open_agent")
        self._script.opened.append(request)
        if len(self._script.opened) > 1:
            self._script.reopened.set()

    @activity.defn
    async def seal(self, request: SealInput) -> None:
        await self._script.enter("seal")
        self._script.keep_seal(request)

    @activity.defn
    async def find_steps(self, request: FindStepsInput) -> StepsFound:
        await self._script.enter("find_steps")
        last = max((each.step for each in self._script.asked if each.agent == request.agent), default=0)
        return StepsFound(last=last, tip=last)


class ScriptedModels(ModelActivities):
    def __init__(self, script: Script) -> None:
        self._script = script

    @activity.defn
    async def call_model(self, request: CallModelInput) -> ModelDigest:
        script = self._script
        script.asked.append(request)
        if request.seal is not None:
            script.keep_seal(request.seal)
        script.model_asked.set()
        if script.hold_model is not None and len(script.asked) >= script.hold_model_from:
            await script.hold_model.wait()
        answers = script.answers_of.get(request.task_id, script.answers)
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return answer.model_copy(update={"delivered_notes": len(request.notes) if answer.calls else 0})

    @activity.defn
    async def write_handoff(self, request: WriteHandoffInput) -> HandoffDigest:
        await self._script.enter("write_handoff")
        self._script.handoffs.append(request)
        epoch = request.epoch if request.final else request.epoch + 1
        return HandoffDigest(outcome=ModelOutcome.ANSWERED, epoch=epoch, context_tokens=100, note="so far")

    @activity.defn
    async def verify(self, request: VerifyInput) -> VerdictDigest:
        await self._script.enter("verify")
        self._script.verified.append(request)
        verdicts = self._script.verdicts
        return verdicts.pop(0) if len(verdicts) > 1 else verdicts[0]

    @activity.defn
    async def roll_back_conversation(self, request: RollBackConversationInput) -> ConversationRolledBack:
        await self._script.enter("roll_back_conversation")
        self._script.rolled_back.append(request)
        return ConversationRolledBack(epoch=request.epoch + 1, first_step=1, context_tokens=50)


class ScriptedTools(ToolActivities):
    def __init__(self, script: Script) -> None:
        self._script = script

    @activity.defn
    async def try_tool(self, request: RunToolInput) -> ToolDigest:
        return await self._run(request)

    @activity.defn
    async def run_tool(self, request: RunToolInput) -> ToolDigest:
        return await self._run(request)

    @activity.defn
    async def list_jobs(self, request: ListJobsInput) -> JobsDigest:
        await self._script.enter("list_jobs")
        return JobsDigest(jobs=self._script.jobs)

    async def _run(self, request: RunToolInput) -> ToolDigest:
        script = self._script
        script.tools.append(request)
        script.tool_started.set()
        if script.hold_tools is not None:
            try:
                while not script.hold_tools.is_set():
                    activity.heartbeat()
                    await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                script.killed += 1
                raise
        status = script.tool(request)
        changes = request.tool_class is not ToolClass.PURE
        return ToolDigest(
            index=request.index,
            status=status,
            changes_workspace=changes,
            result_bytes=4,
            generation=request.workspace.generation,
            plan=(PlanItem(title="one"),) if request.name == "update_plan" else None,
            proposed=script.proposes if request.name == "update_plan" else None,
        )


@dataclass
class Host:
    """One host of a script."""

    host_id: str = "h"
    is_full: bool = False
    life: int = 1
    """Of the workspaces that it grants."""
    restoration: Restoration | None = None
    """How it made a workspace that it did not have."""
    queue: str = ""
    tells_who_prepares: bool = True
    """Not where the workspace is ready at once."""

    @property
    def host_queue(self) -> str:
        """Where its tools are called."""
        return self.queue or f"queue-{self.host_id}"


class ScriptedSlots(SlotActivities):
    """Grants the slots of all hosts, and holds them."""

    def __init__(self, script: Script, hosts: Sequence[Host]) -> None:
        self._script = script
        self._hosts = hosts

    @activity.defn
    async def hold_slot(self, request: HoldSlotInput) -> SlotEnd:
        script, host = self._script, self._with_room()
        script.slots.append((host.host_id, request.generation))
        session = activity.client().get_workflow_handle(request.session)
        if host.tells_who_prepares:
            await session.signal("slot_taken", SlotTaken(generation=request.generation, host_id=host.host_id))
        await script.enter("hold_slot")
        if script.setup_fails:
            raise WorkspaceFailed(script.setup_fails)
        workspace = Workspace(
            workspace_id=request.task_id,
            host_id=host.host_id,
            host_queue=host.host_queue,
            root="/w",
            quick_calls=script.quick_calls,
            generation=request.generation,
            life=host.life,
            restoration=host.restoration,
        )
        released = script.released_slots[request.task_id, request.generation]
        await session.signal("slot_granted", SlotGranted(generation=request.generation, workspace=workspace))
        try:
            await self._hold(request, session, released)
        finally:
            script.slots_ended.append(request.generation)
        return SlotEnd(ended_commands=script.ended_commands)

    def _with_room(self) -> Host:
        """The host that was asked, or out of the queue the first with room."""
        queue = activity.info().task_queue
        asked = [host for host in self._hosts if queue in (ids.HOSTS_QUEUE, ids.host_slots_queue(host.host_id))]
        free = [host for host in asked if not host.is_full]
        if free:
            return free[0]
        if queue != ids.HOSTS_QUEUE:
            raise HostFull("full")
        raise StoreUnavailable("nobody has room: the engine asks again")

    async def _hold(self, request: HoldSlotInput, session: WorkflowHandle[Any, Any], released: asyncio.Event) -> None:
        is_told = False
        while not released.is_set():
            activity.heartbeat()
            if request.generation in self._script.draining and not is_told:
                is_told = True
                await session.signal("slot_draining", SlotDraining(generation=request.generation, seconds=30))
            if request.generation in self._script.lost:
                raise SlotLost("the host went away")
            await asyncio.sleep(0.05)


class ScriptedWorkspaces(WorkspaceActivities):
    def __init__(self, script: Script) -> None:
        self._script = script

    @activity.defn
    async def prepare_workspace(self, request: PrepareWorkspaceInput) -> Workspace:
        raise AssertionError("only sessions from before there were slots ask for this")

    @activity.defn
    async def checkpoint(self, request: CheckpointInput) -> CheckpointDigest:
        await self._script.enter("checkpoint")
        self._script.checkpoints.append(request)
        return CheckpointDigest(
            step=request.step,
            tree_hash=self._script.trees(request.step),
            commit="c",
            changed_count=1,
            archived=self._script.archives,
        )

    @activity.defn
    async def export_diff(self, request: ExportDiffInput) -> DiffDigest:
        await self._script.enter("export_diff")
        self._script.diffs.append(request)
        return DiffDigest(key=f"diff-{request.step}", files=1)

    @activity.defn
    async def roll_back_files(self, request: RollBackFilesInput) -> FilesRolledBack:
        await self._script.enter("roll_back_files")
        self._script.rolled_back_files.append(request)
        checkpoint = CheckpointDigest(
            step=request.step,
            tree_hash=f"t{request.to_step}",
            commit="c",
            archived=self._script.archives,
            back_to_step=request.to_step,
        )
        return FilesRolledBack(checkpoint=checkpoint, recorded_step=request.to_step)

    @activity.defn
    async def run_checks(self, request: RunChecksInput) -> ChecksDigest:
        await self._script.enter("run_checks")
        self._script.checks_run.append(request)
        passed = self._script.checks.pop(0) if len(self._script.checks) > 1 else self._script.checks[0]
        return ChecksDigest(passed=passed, results=(CheckResult(name="suite", passed=passed, detail="exit code"),))

    @activity.defn
    async def deliver(self, request: DeliverInput) -> DeliveryDigest:
        await self._script.enter("deliver")
        self._script.delivered.append(request)
        return DeliveryDigest(artifacts=("artifacts/x/patch.diff",))

    @activity.defn
    async def release_workspace(self, request: ReleaseInput) -> None:
        await self._script.enter("release_workspace")
        self._script.released += 1
        workspace = request.workspace
        self._script.released_slots[workspace.workspace_id, workspace.generation].set()


class ScriptedDeliveries(DeliveryActivities):
    """The way out."""

    def __init__(self, script: Script) -> None:
        self._script = script

    @activity.defn
    async def plan_branch(self, request: PlanBranchInput) -> BranchPlan:
        await self._script.enter("plan_branch")
        plans = self._script.plans
        return plans.pop(0) if len(plans) > 1 else plans[0]

    @activity.defn
    async def publish_branch(self, request: PublishInput) -> BranchDelivery:
        await self._script.enter("publish_branch")
        self._script.published.append(request)
        plan = request.plan
        return BranchDelivery(remote=plan.remote, branch=plan.branch, commit=plan.commit, pushed=True)
