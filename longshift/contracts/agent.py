"""The agent workflow's input, carried state and report."""

from enum import StrEnum

from longshift.contracts.attention import Attention
from longshift.contracts.checks import ChecksDigest
from longshift.contracts.completion import Completion, CompletionReport, Verifier
from longshift.contracts.delegation import Delegation
from longshift.contracts.ledger import Allowance, Extension, OnLimit, Spend
from longshift.contracts.model import BYTES_PER_TOKEN, CallDigest, Reserve, Usage
from longshift.contracts.queue_place import QueuePlace
from longshift.contracts.reviews import Ask, Autonomy
from longshift.contracts.rollback import Rollback
from longshift.contracts.stuck import Rung, RungTaken, Signal, StuckState, StuckThresholds
from longshift.contracts.swarm import SwarmSummary
from longshift.contracts.swarm_plan import SwarmRules
from longshift.contracts.tools import PlanItem, ToolDigest
from longshift.contracts.transcript import Note, SealInput
from longshift.contracts.wire import Wire
from longshift.contracts.workspace import CheckpointDigest, Workspace


class AgentLimits(Wire):
    """What the agent keeps to, out of the task's budget and the worker's settings."""

    steps: int | None = None
    """Of the whole session, as all budgets here; agents of earlier releases have what is left for them."""
    tokens: int | None = None
    usd: float | None = None
    own: Allowance = Allowance()
    """The task's own budget, before anybody raised it."""
    warn_at_share: float = 0.8
    """Of a budget: agent and people are told when so much of it is used."""
    on_limit: OnLimit = OnLimit.ASK
    """What happens when the next call does not fit the budget."""
    compact_at_share: float = 0.85
    """Of the window."""
    compact_reserve_tokens: int = 50_000
    """Compact when less than this is left, where the window is larger than twice the reserve."""
    clear_to_share: float = 0.5
    """Clearing old tool results is enough where it brings the context down to this share of the window."""
    keep_results_tokens: int = 40_000
    """The newest of the conversation, whose results are never cleared; at most a fifth of the window."""
    keep_rounds_tokens: int = 20_000
    """The newest rounds, which go on verbatim beside a hand-off note; at most 8 % of the window."""
    fallback_after_seconds: float = 1_800
    """How long a provider is waited for before the next of the fall-back profiles takes over."""
    stuck: StuckThresholds = StuckThresholds()
    """When the agent counts as stuck."""
    swarm_width: int = 64
    """Sub-agents at work at once, at most; how many slots their hosts have is another matter."""
    history_events: int = 1_000
    """Continue as new at about this many events, so that a cold worker replays in about a second."""


class Phase(StrEnum):
    """Where the agent stands between two actions."""

    MODEL = "model"
    """Ask the model for the next step."""
    TOOLS = "tools"
    """Run the calls of the current answer."""
    CHECKS = "checks"
    """`finish` was called: prove it."""
    VERIFY = "verify"
    """The checks are green: have the work judged."""
    DELEGATE = "delegate"
    """`delegate` was called: carry it out; see `AgentState.delegation`."""
    COMPACT = "compact"
    HANDOFF = "handoff"
    """Write the last hand-off note, then end."""
    PARKED = "parked"
    """Only a person can help; see `attention`."""
    WAITING = "waiting"
    """The provider has to recover; see `attention`."""
    ENDED = "ended"


class AgentOutcome(StrEnum):
    """How an agent ended."""

    DONE = "done"
    EXPIRED = "expired"
    """Time or budget used up; a hand-off note was written."""
    CANCELLED = "cancelled"


class News(Wire):
    """A line for people about something that happened to an agent: it becomes a message in the session's thread."""

    number: int
    """Counts from 1 within the agent."""
    text: str
    """At most 500 characters."""


class PersonAnswer(Wire):
    """What a person said of one call of an answer: a reply to `ask_human`, or that a call may run or not."""

    index: int
    """The call's."""
    allowed: bool = True
    """The call may run; of `ask_human`: always."""
    text: str = ""
    """For the model, whole: it becomes the result of a call that does not run."""


class Recall(Wire):
    """Evidence of whether compaction loses what is needed: how often it happens, and what is read again after it."""

    recent_steps: tuple[int, ...] = ()
    """The steps of the latest compactions, at most 10."""
    known_reads: tuple[str, ...] = ()
    """`CallDigest.reads` of what was read before the last compaction, the latest 200."""
    reads: tuple[str, ...] = ()
    """What has been read since, the latest 200."""
    reads_since: int = 0
    """How many reads there were since the last compaction."""
    repeated_since: int = 0
    """How many of them repeat what was read before it."""


class AgentState(Wire):
    """All that an agent carries from action to action and through continue-as-new; bounded in size."""

    version: int = 1
    agent: str
    task_id: str
    profile: str
    workspace: Workspace
    limits: AgentLimits = AgentLimits()
    has_checks: bool = False

    phase: Phase = Phase.MODEL
    epoch: int = 1
    epoch_first_step: int = 1
    first_step: int = 1
    """The agent's own first step; a later one than 1 in a fork, which goes on with another agent's conversation."""
    step: int = 1
    """The current step."""
    unwritten_seal: SealInput | None = None
    """What closes the step before; it is written with the next model call, or by itself where none follows."""
    context_tokens: int = 0
    window_tokens: int = 0
    needs_room: bool = False
    """The provider said overflow: compact before the next call."""
    overflow_streak: int = 0
    estimated_tokens: int = 0
    """The part of `context_tokens` that no `usage` has counted yet."""
    context_bytes: int = 0
    body_limit_bytes: int = 0
    """What the provider takes in one request; 0 while unknown."""
    bytes_per_token: float = BYTES_PER_TOKEN
    learnt_window_tokens: int = 0
    """The window, where an overflow showed that it is smaller than the profile says."""
    cleared_step: int = 0
    """The step at which old results were cleared last; 0: never."""
    waits: int = 0
    """Consecutive waits for the provider."""
    waited_seconds: float = 0.0
    """How long the profile in use has been waited for in this trouble."""
    fallback: tuple[str, ...] = ()
    """The profiles that take over when the one in use stays down, in order; one that gave up goes to the end."""
    epoch_profile: str = ""
    """The profile whose model wrote the current epoch, where that is not the one in use: it has to be handed over."""
    wait_seconds: float = 0.0

    calls: tuple[CallDigest, ...] = ()
    last_calls: str = ""
    """What the step before did, in a line for people."""
    stop_reason: str = ""
    results: tuple[ToolDigest, ...] = ()
    checks: ChecksDigest | None = None
    """The latest outcome of the checks."""
    finish_refused: str | None = None
    """Why the current `finish` is not accepted; becomes its result."""
    idle_answers: int = 0
    """Consecutive answers without a call."""

    notes: tuple[Note, ...] = ()
    """Messages to deliver with the next model call."""
    plan: tuple[PlanItem, ...] = ()
    checkpoint: CheckpointDigest | None = None
    checkpoint_due: bool = False
    attention: Attention | None = None
    paused: bool = False
    """A person holds the agent between two steps."""
    has_slot: bool = True
    """Whether a host holds the workspace for it now; without, calls on the host wait."""
    suspended: bool = False
    """The host is about to stop: hold between two steps until there is another slot."""
    unsaved_steps: tuple[int, ...] = ()
    """Steps whose changes are in no checkpoint of the store, the last 100 of them; another host would lack them."""
    resume_phase: Phase = Phase.MODEL
    """Where a parked or waiting agent goes on."""
    rollback: Rollback | None = None
    """Wanted, and not done yet: it comes before anything else, as soon as no step is open."""

    ending: str = ""
    """Set when time or budget is used up: the reason, for the hand-off and the report."""
    outcome: AgentOutcome | None = None

    usage: Usage = Usage()
    cost_usd: float = 0.0
    unknown: Spend = Spend()
    """The part of both that no provider told: requests whose outcome is unknown, at their reservation."""
    earlier: Spend = Spend()
    """What earlier agents of the session spent; it counts against the same limits."""
    reserve: Reserve = Reserve()
    """What the next call may cost at most, apart from its prompt."""
    costs: dict[str, Spend] = {}
    """By model profile."""
    earlier_costs: dict[str, Spend] = {}
    """The same of earlier agents of the session."""
    delegated: Spend = Spend()
    """What its swarms spent that are over, steps included; of the one at work `swarm` tells."""
    delegated_unknown: Spend = Spend()
    """The part of it that no provider told."""
    delegated_costs: dict[str, Spend] = {}
    """The same by model profile."""
    raised: Extension = Extension()
    """What people's decisions added to the limits."""
    warned: tuple[str, ...] = ()
    """The limits of which it has been told that they are nearly used up."""
    fleet_held: bool = False
    """All sessions together have spent what they may: hold between two steps."""
    model_calls: int = 0
    tool_calls: int = 0
    rejected_calls: int = 0
    lost_calls: int = 0
    compactions: int = 0
    """Hand-off notes between epochs."""
    clearings: int = 0
    """Epochs that were begun by clearing old results alone."""
    recall: Recall = Recall()
    stuck: StuckState = StuckState()
    autonomy: Autonomy = Autonomy.FULL
    """When the agent has to ask; agents of earlier releases never do."""
    ask: Ask | None = None
    """What a person has to decide before the agent goes on; it is parked meanwhile."""
    throttled: int = 0
    """How often the provider said that there were too many requests."""
    asks: int = 0
    """How often it has asked; makes the ids of its questions."""
    answers: tuple[PersonAnswer, ...] = ()
    """What people said of calls of the current answer."""
    plan_is_shown: bool = False
    """A person has decided about the plan that the current answer brings."""
    checked_step: int = 0
    """The step in which the checks were run last."""
    completion: Completion = Completion()
    takes_checks: bool = False
    """The task declares no checks: those that the agent proposes in its plan are run."""
    verifier: Verifier | None = None
    """Who judges the work before `finish` is accepted; nobody when empty."""
    approved_plan: str = ""
    """Hash of the plan that a person approved last; empty: none."""
    news: tuple[News, ...] = ()
    """The latest 20 lines for people."""
    last_handover: str = ""
    """When and why another profile took over last, in words for people."""
    rollbacks: int = 0
    last_rollback: str = ""
    """Which steps were undone last, and by whom, in words for people."""
    note_by_runner: str = ""
    """Why no model is asked for the last hand-off note any more; empty: one is."""
    runs: int = 1
    """Continue-as-new runs so far, this one included."""
    last_text: str = ""
    handoff_note: str = ""
    """Key of the epoch or hand-off that holds the last note, with its first characters."""

    delegation: Delegation | None = None
    """The open `delegate` call."""
    delegations: int = 0
    """Swarms ever begun, those of steps that were undone included."""
    plan_rejections: int = 0
    """How many plans in a row a critic has rejected."""
    swarm: SwarmSummary | None = None
    """Of the swarm at work, or that was last."""
    swarms: tuple[SwarmSummary, ...] = ()
    """Of those that are over, the latest 10."""
    swarm_rules: SwarmRules = SwarmRules()
    is_sub_agent: bool = False
    """It works at an item of a swarm: it asks nobody, has no sub-agents, and ends where a person would be needed."""
    place: QueuePlace = QueuePlace()
    """The session's, for the slots of sub-agents."""
    host_patience_seconds: float = 45
    """The session's."""


class AgentInput(Wire):
    """Starts an agent, or continues it as new."""

    state: AgentState


class AgentReport(Wire):
    """What an agent returns to its session."""

    agent: str
    outcome: AgentOutcome
    reason: str = ""
    steps: int = 0
    epoch: int = 1
    last_step: int = 0
    usage: Usage = Usage()
    cost_usd: float = 0.0
    unknown: Spend = Spend()
    """The part of both that no provider told: requests whose outcome is unknown, at their reservation."""
    costs: dict[str, Spend] = {}
    """By model profile."""
    raised: Extension = Extension()
    """What people's decisions added to the session's limits."""
    tool_calls: int = 0
    rejected_calls: int = 0
    lost_calls: int = 0
    compactions: int = 0
    clearings: int = 0
    rollbacks: int = 0
    profile: str = ""
    """The profile in use at the end."""
    runs: int = 1
    checks: ChecksDigest | None = None
    summary: str = ""
    """The `finish` summary or the last text, shortened to 2,000 characters."""
    context_fill: float = 0.0
    """Share of the window in use at the end, 0 to 1."""
    completion: CompletionReport | None = None
    """What stands behind the end; None from an agent of an earlier release."""
    rungs: tuple[RungTaken, ...] = ()
    """What was done about its being stuck, the latest 20."""
    failed_approaches: tuple[str, ...] = ()
    """What it gave up."""
    questions: int = 0
    """How often people were asked."""
    undelivered: tuple[Note, ...] = ()
    """People's messages that came too late for this agent; the next shift's gets them."""
    delegated: Spend = Spend()
    """What its sub-agents spent, steps included; it is in `unknown` and `costs`, and in nothing else above."""
    swarms: tuple[SwarmSummary, ...] = ()
    """What became of its swarms, the latest 10."""
    handoff_note: str = ""
    throttled: int = 0
    """How often the provider said that there were too many requests."""


class AgentProgress(Wire):
    """The answer to the agent's `progress` query."""

    agent: str
    phase: Phase
    step: int
    first_step: int = 1
    """The agent's own first step; those before it are another agent's."""
    epoch: int
    context_tokens: int
    window_tokens: int
    usage: Usage
    cost_usd: float
    tool_calls: int
    compactions: int
    runs: int
    unknown: Spend = Spend()
    """The part of usage and cost that no provider told."""
    next_call: Spend = Spend()
    """What the next model call may cost at most."""
    limits: Allowance = Allowance()
    """What the whole session may spend, as it was raised."""
    clearings: int = 0
    profile: str = ""
    """The model profile in use."""
    last_handover: str = ""
    """When and why another profile took over last, in words."""
    rollbacks: int = 0
    last_rollback: str = ""
    """Which steps were undone last, and by whom, in words."""
    compactions_per_100_steps: float = 0.0
    """Over the latest compactions, clearings included."""
    repeated_reads_share: float = 0.0
    """Of the reads since the last compaction, the part that repeats what was read before it."""
    rung: Rung = Rung.NONE
    """How far the ladder of a stuck agent was climbed."""
    signals: tuple[Signal, ...] = ()
    """Why it seems stuck now."""
    rungs: dict[str, int] = {}
    """Rung → how often it was taken."""
    plan: tuple[PlanItem, ...] = ()
    checks: ChecksDigest | None = None
    completion: CompletionReport | None = None
    """What speaks for the work so far: checks declared or proposed, claims of the last `finish`, verdicts."""
    attention: Attention | None = None
    paused: bool = False
    has_slot: bool = True
    next_action: str = ""
    last_text: str = ""
    changed_files: int = 0
    swarm: SwarmSummary | None = None
    """Of the sub-agents at work, or that were last."""
    delegated: Spend = Spend()
    """What its sub-agents spent, steps included; it is in `unknown`, and in nothing else above."""
