"""The activities, as workflows see them: abstract classes with one input value and one result value each.

`activities/` implements them. Names on the wire are the method names; time-outs and queues stand in
`workflows/options.py`.
"""

from abc import ABC, abstractmethod

from temporalio import activity

from longshift.contracts.agent import AgentLimits
from longshift.contracts.cards import PostInput, PostResult
from longshift.contracts.checks import ChecksDigest
from longshift.contracts.completion import ProposedCheck
from longshift.contracts.delivery import BranchDelivery, BranchPlan, PlanBranchInput, PublishInput
from longshift.contracts.fleet import FleetSpend
from longshift.contracts.gate import EndedSessions, EnterGateInput, FindEndedInput
from longshift.contracts.ledger import Allowance
from longshift.contracts.model import BYTES_PER_TOKEN, HandoffDigest, ModelDigest
from longshift.contracts.reviews import Autonomy
from longshift.contracts.rollback import (
    ConversationRolledBack,
    FilesRolledBack,
    FindStepsInput,
    RollBackConversationInput,
    RollBackFilesInput,
    StepsFound,
)
from longshift.contracts.session import SessionStatus
from longshift.contracts.slots import HoldSlotInput, SlotEnd
from longshift.contracts.task import TaskSpec
from longshift.contracts.tools import Job, JobsDigest, PlanItem, RunToolInput, ToolDigest
from longshift.contracts.transcript import Note, SealInput
from longshift.contracts.verification import DiffDigest, ExportDiffInput, VerdictDigest, VerifyInput
from longshift.contracts.wire import Wire
from longshift.contracts.workspace import CheckpointDigest, DeliveryDigest, Workspace


class OpenSessionInput(Wire):
    """The task to keep."""

    task: TaskSpec


class OpenAgentInput(Wire):
    """Writes an agent's first epoch."""

    task_id: str
    agent: str
    profile: str
    workspace: Workspace
    handoff_from: str = ""
    """The agent id whose hand-off note starts this one; empty for the first."""
    keeps_conversation: bool = False
    """Where that agent has left no note, its whole conversation goes on instead; where it never began, that of the
    shift before it."""


class OpenedAgent(Wire):
    """What an agent starts with, apart from its conversation."""

    first_step: int = 1
    plan: tuple[PlanItem, ...] = ()
    """The plan of the agent whose work it goes on with."""
    proposed: tuple[ProposedCheck, ...] = ()
    """The checks of that plan."""
    notes: tuple[Note, ...] = ()
    """Messages that go with its first request."""


class CallModelInput(Wire):
    """One model call; the transcript is read from the store."""

    agent: str
    task_id: str
    profile: str
    epoch: int
    epoch_first_step: int
    step: int
    context_tokens: int = 0
    """The estimate of the prompt's size, to fit the output limit into the window."""
    estimated_tokens: int = 0
    """The part of it that no `usage` has counted yet."""
    bytes_per_token: float = BYTES_PER_TOKEN
    """What the conversation's `usage` said so far."""
    learnt_window_tokens: int = 0
    """The provider's real window, where an overflow showed that it is smaller than the profile says."""
    notes: tuple[Note, ...] = ()
    """Messages for the model that go with this call and are kept with its answer."""
    autonomy: Autonomy = Autonomy.FULL
    """Says which calls of the answer a person has to let run."""
    seal: SealInput | None = None
    """Closes the step before, and is written first."""
    left: Allowance = Allowance()
    """What the budget has left: nothing is asked a second time beyond it."""


class WriteHandoffInput(Wire):
    """Makes room in a conversation up to its last closed step, or ends it with a note."""

    agent: str
    task_id: str
    profile: str
    epoch: int
    epoch_first_step: int
    step: int
    """The first step that is not closed: the next epoch starts with it."""
    context_tokens: int = 0
    final: bool = False
    """The session ends with it: keep the note, open no further epoch."""
    changed_files: tuple[str, ...] = ()
    changed_count: int = 0
    """How many there are; the list is cut at 200."""
    jobs: tuple[Job, ...] = ()
    """The agent's background jobs, as their host knows them."""
    plan: str = ""
    """The current plan as text; it survives verbatim."""
    workspace: Workspace | None = None
    """Where the files are now, to be said anew; None: as it was said first."""
    reason: str = ""
    limits: AgentLimits = AgentLimits()
    bytes_per_token: float = BYTES_PER_TOKEN
    learnt_window_tokens: int = 0
    keep_rounds: bool = True
    """The newest rounds go on verbatim; not where a conversation did not fit with them."""
    may_clear: bool = False
    """Clearing old results may do, where that frees enough."""
    foreign: bool = False
    """Another provider's model led the conversation so far: nothing of its thinking may be sent."""
    by_runner: str = ""
    """Why no model is to be asked for the note; empty: ask."""
    failed_approaches: tuple[str, ...] = ()
    """What was tried and given up; it survives verbatim."""


class ListJobsInput(Wire):
    """Asks a host for the background jobs of an agent."""

    workspace: Workspace
    agent: str


class PrepareWorkspaceInput(Wire):
    """Makes a session's workspace on the host that takes the call."""

    task_id: str
    generation: int = 1


class CheckpointInput(Wire):
    """Records the tree after a step."""

    workspace: Workspace
    agent: str
    step: int


class RunChecksInput(Wire):
    """Runs the declared checks; with `baseline`, takes the measurements before work starts."""

    workspace: Workspace
    task_id: str
    agent: str = ""
    step: int = 0
    baseline: bool = False
    proposed: tuple[ProposedCheck, ...] = ()
    """What is run where the task declares no checks."""


class DeliverInput(Wire):
    """Exports the patch and the report."""

    workspace: Workspace
    task_id: str
    status: SessionStatus


class ReleaseInput(Wire):
    """Ends everything that still runs in a workspace."""

    workspace: Workspace


class LedgerActivities(ABC):
    """Short, idempotent bookkeeping in the store; run as local activities."""

    @activity.defn
    @abstractmethod
    async def open_session(self, request: OpenSessionInput) -> None:
        """Keep the task as submitted."""

    @activity.defn
    @abstractmethod
    async def open_agent(self, request: OpenAgentInput) -> OpenedAgent | None:
        """Write the base of an agent's first epoch. None came from earlier releases, and means a plain beginning."""

    @activity.defn
    @abstractmethod
    async def seal(self, request: SealInput) -> None:
        """Close a step that no model call follows at once; otherwise the call brings the seal along."""

    @activity.defn
    @abstractmethod
    async def find_steps(self, request: FindStepsInput) -> StepsFound:
        """How far the agent's transcript has come."""


class ModelActivities(ABC):
    """Calls to model providers."""

    @activity.defn
    @abstractmethod
    async def call_model(self, request: CallModelInput) -> ModelDigest:
        """Ask for the next step; an answer that is already stored is returned without a call."""

    @activity.defn
    @abstractmethod
    async def write_handoff(self, request: WriteHandoffInput) -> HandoffDigest:
        """Ask for a hand-off note and open the next epoch with it."""

    @activity.defn
    @abstractmethod
    async def roll_back_conversation(self, request: RollBackConversationInput) -> ConversationRolledBack:
        """Open the next epoch with the conversation as it was after an earlier step; no provider is asked."""

    @activity.defn
    @abstractmethod
    async def verify(self, request: VerifyInput) -> VerdictDigest:
        """Ask in a fresh context whether the task is done; a stored verdict is returned without a call."""


class ToolActivities(ABC):
    """Tool calls, on the workspace's host."""

    @activity.defn
    @abstractmethod
    async def try_tool(self, request: RunToolInput) -> ToolDigest:
        """Run the call if it is short: a longer one comes back as RUNNING, to be followed by `run_tool`."""

    @activity.defn
    @abstractmethod
    async def run_tool(self, request: RunToolInput) -> ToolDigest:
        """Run the call, or re-attach to it, to its end."""

    @activity.defn
    @abstractmethod
    async def list_jobs(self, request: ListJobsInput) -> JobsDigest:
        """The agent's background jobs that run, or have ended, in this life of the workspace."""


class WorkspaceActivities(ABC):
    """The life of a workspace, on its host."""

    @activity.defn
    @abstractmethod
    async def prepare_workspace(self, request: PrepareWorkspaceInput) -> Workspace:
        """Fetch the source, run the setup, record the base tree."""

    @activity.defn
    @abstractmethod
    async def checkpoint(self, request: CheckpointInput) -> CheckpointDigest:
        """Record the tree in the shadow repository."""

    @activity.defn
    @abstractmethod
    async def roll_back_files(self, request: RollBackFilesInput) -> FilesRolledBack:
        """End what runs, make the files those after an earlier step, and record them."""

    @activity.defn
    @abstractmethod
    async def run_checks(self, request: RunChecksInput) -> ChecksDigest:
        """Prove completion: run every declared check, or the proposed ones, and compare protected files."""

    @activity.defn
    @abstractmethod
    async def export_diff(self, request: ExportDiffInput) -> DiffDigest:
        """Write what was changed so far into the store, for a verifier."""

    @activity.defn
    @abstractmethod
    async def deliver(self, request: DeliverInput) -> DeliveryDigest:
        """Write patch and report to the store."""

    @activity.defn
    @abstractmethod
    async def release_workspace(self, request: ReleaseInput) -> None:
        """Kill background jobs; the files stay."""


class GateActivities(ABC):
    """Sessions at the gate of their key; run as local activities."""

    @activity.defn
    @abstractmethod
    async def enter_gate(self, request: EnterGateInput) -> None:
        """Bring a session to the gate; the gate signals `gate_opened` when it may pass."""

    @activity.defn
    @abstractmethod
    async def find_ended(self, request: FindEndedInput) -> EndedSessions:
        """Which of the sessions run no more."""


class FleetActivities(ABC):
    """Sessions as one of all; run as local activities."""

    @activity.defn
    @abstractmethod
    async def tell_fleet(self, spend: FleetSpend) -> None:
        """Tell what a session has spent; the fleet signals `hold_for_fleet` when it may not go on."""


class SlotActivities(ABC):
    """Slots of a host."""

    @activity.defn
    @abstractmethod
    async def hold_slot(self, request: HoldSlotInput) -> SlotEnd:
        """Prepare the workspace, grant it to the session, and heartbeat until `release_workspace` or a cancellation.

        A host that stops before that ends it with `slot_lost`, one that has no room with `host_full`.
        """


class DeliveryActivities(ABC):
    """A result on its way out of the sandbox. No workspace is touched: what `deliver` wrote to the store is read."""

    @activity.defn
    @abstractmethod
    async def plan_branch(self, request: PlanBranchInput) -> BranchPlan:
        """Make the commit in a clean repository, and say where it would go; nothing leaves."""

    @activity.defn
    @abstractmethod
    async def publish_branch(self, request: PublishInput) -> BranchDelivery:
        """Push the planned commit, and open the pull request; what an earlier attempt did stays, and is found."""


class PeopleActivities(ABC):
    """Messages to people outside."""

    @activity.defn
    @abstractmethod
    async def post(self, request: PostInput) -> PostResult:
        """Post or edit one message. An attempt that follows another one first looks whether that did it."""
