"""What people are shown of a session outside of it, and where the messages about it stand.

A session tells its `Bulletin` workflow one card whenever something changed; the newest alone counts.
"""

from enum import StrEnum

from longshift.contracts.attention import Attention
from longshift.contracts.delivery import BranchDelivery
from longshift.contracts.people import Face, PeopleChannels
from longshift.contracts.reviews import Review
from longshift.contracts.session import SessionState
from longshift.contracts.swarm import SwarmSummary
from longshift.contracts.tools import PlanItem
from longshift.contracts.wire import Wire


class NewsLine(Wire):
    """Something that happened, as a line in the session's thread."""

    agent: str
    number: int
    """Counts from 1 within the agent."""
    text: str


class SessionCard(Wire):
    """A session as people see it at one moment; bounded in size."""

    task_id: str
    title: str
    repository: str = ""
    state: SessionState = SessionState.QUEUED
    reason: str = ""
    """Why it failed, was cancelled or expired."""
    attention: Attention | None = None
    profile: str = ""
    agent: str = ""
    plan: tuple[PlanItem, ...] = ()
    step: int = 0
    tokens: int = 0
    cost_usd: float = 0.0
    steps_limit: int | None = None
    tokens_limit: int | None = None
    usd_limit: float | None = None
    active_seconds: float = 0.0
    active_limit_seconds: float = 0.0
    context_fill: float = 0.0
    """Share of the window in use, 0 to 1."""
    checks: str = ""
    """The headline of the latest checks; empty until they were run."""
    last_text: str = ""
    """What the agent said last, at most 500 characters; at the end its summary."""
    changed_files: int = 0
    artifacts: tuple[str, ...] = ()
    branch: BranchDelivery | None = None
    """What became of a branch that the task wished for."""
    reviews: tuple[Review, ...] = ()
    """The open ones, then those decided or withdrawn lately."""
    news: tuple[NewsLine, ...] = ()
    """The latest lines, oldest first."""
    swarm: SwarmSummary | None = None
    """Of the sub-agents at work, or that were last."""
    final: bool = False
    """The session has ended; no other card follows."""


class MessageKind(StrEnum):
    """What a message is."""

    ROOT = "root"
    """The one message of the session: what it is and where it stands."""
    QUESTION = "question"
    REMINDER = "reminder"
    """A question again, as nobody has answered."""
    NEWS = "news"
    """One or many lines."""
    END = "end"
    """The session has ended: an edited message notifies nobody."""


class Message(Wire):
    """One thing to show: a new message, or with `ts` another content for one that stands there."""

    kind: MessageKind
    key: str
    """The same for every attempt at the same message, such as `root`, `question:lead-s12-stuck`."""
    ts: str = ""
    """Slack's name of the message that is edited."""
    review: Review | None = None
    news: tuple[NewsLine, ...] = ()
    missed: int = 0
    """How many lines were lost before those in `news`."""
    number: int = 0
    """Of a reminder, from 1."""


class PostedReview(Wire):
    """A question as it stands in front of people."""

    id: str
    shown_hash: str
    asked_at: float = 0.0
    question_ts: str = ""
    """Slack's name of the question itself."""
    messages: tuple[str, ...] = ()
    """Slack's names of the question and of its reminders, those of the latest nine."""
    reminders: int = 0
    reminded_at: float = 0.0


class Posted(Wire):
    """What stands where, on one face; bounded in size."""

    channel: str = ""
    """Slack's id of the channel."""
    root_ts: str = ""
    """Slack's name of the root message; on a face without such names anything but empty."""
    shown: SessionCard | None = None
    """The card that the root message shows."""
    shown_at: float = 0.0
    """Seconds since 1970, as all times here."""
    news: dict[str, int] = {}
    """Agent → number of its last line that was posted, for the latest 20 agents."""
    news_at: float = 0.0
    reviews: tuple[PostedReview, ...] = ()
    """Those whose messages still have buttons."""
    settled: tuple[str, ...] = ()
    """Ids of those that are over and said to be, the latest 60."""
    said_end: bool = False
    unsure: Message | None = None
    """A new message that may stand there, or not: it comes next, as it was, and is looked for first."""
    failing_since: float = 0.0
    """Since when the next message cannot be posted; 0: it can, as far as known."""


class PostInput(Wire):
    """One message for one face."""

    face: Face
    channel: str = ""
    thread_ts: str = ""
    """The root message; empty for that itself."""
    message: Message
    card: SessionCard
    ui_url: str = ""
    search_since: float = 0.0
    """An earlier call may have posted it, not before this time: look before posting. 0: there was none."""


class PostResult(Wire):
    """Where a message stands now."""

    ts: str = ""
    channel: str = ""
    gone: bool = False
    """It was to be edited and is not there any more."""


class BulletinInput(Wire):
    """Starts a bulletin, or continues it as new."""

    task_id: str
    channels: PeopleChannels
    card: SessionCard | None = None
    slack: Posted = Posted()
    webhook: Posted = Posted()
    history_events: int = 2_000
    """A run goes on as a new one when its history has grown to so many events."""
