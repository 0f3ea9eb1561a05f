"""The session workflow's input, updates and status."""

from enum import StrEnum

from longshift.contracts.agent import AgentLimits, AgentReport, News
from longshift.contracts.attention import Attention
from longshift.contracts.ledger import Extension, Spend
from longshift.contracts.people import PeopleChannels
from longshift.contracts.queue_place import QueuePlace
from longshift.contracts.reviews import Ask, Review
from longshift.contracts.stuck import Rung
from longshift.contracts.swarm import SwarmSummary
from longshift.contracts.task import MESSAGE_MAX_CHARACTERS, TaskSpec
from longshift.contracts.tools import PlanItem
from longshift.contracts.transcript import Note
from longshift.contracts.wire import Wire
from longshift.contracts.workspace import DeliveryDigest, Workspace

STEER_MAX_CHARACTERS = MESSAGE_MAX_CHARACTERS
"""A steering message travels as an update and a signal, so it is bounded."""


class SessionState(StrEnum):
    """What people see of a session; also the search attribute `LongshiftState`."""

    QUEUED = "queued"
    PREPARING = "preparing"
    RUNNING = "running"
    PAUSED = "paused"
    WAITING = "waiting"
    """For a person or a provider; the clock of active time stands."""
    DELIVERING = "delivering"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def is_final(self) -> bool:
        """Whether the session has ended."""
        return self in {SessionState.DONE, SessionState.FAILED, SessionState.CANCELLED, SessionState.EXPIRED}


class SessionInput(Wire):
    """Starts a session."""

    task: TaskSpec
    profile: str
    """The model profile in force, resolved when the task was submitted."""
    fallback: tuple[str, ...] = ()
    """The profiles that take over when the one in use stays down, in order."""
    limits: AgentLimits = AgentLimits()
    wrap_up_seconds: float = 900
    """How long before the deadline the agent is told to wrap up."""
    place: QueuePlace = QueuePlace()
    host_patience_seconds: float = 45
    """How long the host that had the slot is waited for before another one may take the session."""
    fleet: bool = False
    """All sessions together have a limit: this one tells what it spends, and holds when that is used up."""
    people: PeopleChannels = PeopleChannels()
    """Where people are told of the session."""
    remind_after_seconds: float = 14_400
    """How long after a question people are reminded of it first; 0: never."""


class Steer(Wire):
    """A person's message for the agent."""

    text: str
    message_id: str = ""
    item: str | None = None
    """The item of the swarm at work whose sub-agent it is for; `*`: all of them; None: the agent itself."""


class StrikeItem(Wire):
    """A person takes an item out of the swarm at work."""

    item: str
    reason: str = ""
    by: str = ""


class Extend(Wire):
    """More of a session's budget, active time among it, and with it the right to go on; 0: no more of that."""

    active_hours: float = 0.0
    tokens: int = 0
    usd: float = 0.0
    steps: int = 0

    @property
    def spending(self) -> Extension:
        """What is not time."""
        return Extension(tokens=self.tokens, usd=self.usd, steps=self.steps)


class TimeUsed(Wire):
    """How much of its active time a session has used."""

    used_seconds: float
    limit_seconds: float


class Reprioritise(Wire):
    """Another place in the queue, for a session that is still queued."""

    priority: int


class AgentStatus(Wire):
    """The agent tells its session where it stands; sent on change of `waiting` and every so many steps."""

    agent: str
    waiting: bool
    idle: bool = False
    """It holds between two steps and its files are in the store: it needs no slot until it goes on."""
    wait_seconds: float = 0.0
    """How long it will wait for the provider; 0 where it waits for a person."""
    attention: Attention | None = None
    step: int = 0
    tokens: int = 0
    cost_usd: float = 0.0
    context_fill: float = 0.0
    """Share of the window in use, 0 to 1."""
    profile: str = ""
    """The model profile in use; empty from an agent of an earlier release."""
    ask: Ask | None = None
    """What it asks of a person; it is parked until that is decided."""
    plan: tuple[PlanItem, ...] = ()
    rung: Rung = Rung.NONE
    """How far the ladder of a stuck agent was climbed."""
    news: tuple[News, ...] = ()
    """Its latest lines for people."""
    spent: Spend = Spend()
    """The tokens and dollars above, by kind; steps are counted in `step`."""
    unknown: Spend = Spend()
    """The part of it that no provider told: requests whose outcome is unknown, at their reservation."""
    last_text: str = ""
    changed_files: int = 0
    raised: Extension = Extension()
    """What people added to the budget where the agent asked for it."""
    throttled: int = 0
    """How often the provider said that there were too many requests."""
    swarm: SwarmSummary | None = None
    """Of the sub-agents at work, or that were last; tokens, cost, `spent` and `unknown` above have them in it."""
    swarm_at_work: bool = False
    delegated_steps: int = 0
    """Of its sub-agents; `spent` counts them, `step` does not."""


class SessionStatus(Wire):
    """The answer to the session's `status` query, and its result."""

    task_id: str
    title: str
    state: SessionState
    profile: str
    reason: str = ""
    """Why it failed, was cancelled or expired."""
    attention: Attention | None = None
    workspace: Workspace | None = None
    agent: str = ""
    """The current (or last) agent."""
    shift: int = 1
    place: QueuePlace = QueuePlace()
    generation: int = 0
    """Slots that the session has taken so far; the last is the one in force."""
    has_slot: bool = False
    active_seconds: float = 0.0
    active_limit_seconds: float = 0.0
    agents: tuple[AgentReport, ...] = ()
    """Reports of agents that ended."""
    spent: Spend = Spend()
    """By all agents: tokens by kind, dollars and steps; of the one at work as it told last."""
    unknown: Spend = Spend()
    """The part of it that no provider told: requests whose outcome is unknown, at their reservation."""
    extended: Extension = Extension()
    """What people added to the budget with `extend`."""
    cost_per_done_usd: float | None = None
    """What the finished task cost; None: the session did not end as done."""
    delivery: DeliveryDigest | None = None
    swarms: tuple[SwarmSummary, ...] = ()
    """How far its swarms have come, the latest of each, at most 10."""
    reviews: tuple[Review, ...] = ()
    """What was asked of people: the open ones, then the latest 20 that are not open any more."""
    unheard: tuple[Note, ...] = ()
    """In the delivered report: people's messages that no agent was given any more."""
