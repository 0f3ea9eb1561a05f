"""What the API takes and gives, as values: the OpenAPI document is made from them. No text of it is kept elsewhere."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from longshift.contracts.agent import AgentProgress
from longshift.contracts.reviews import REVIEW_TEXT_MAX_CHARACTERS, Review
from longshift.contracts.session import STEER_MAX_CHARACTERS, SessionState, SessionStatus
from longshift.contracts.swarm import ItemLine, ItemReport, SwarmResult, SwarmTable
from longshift.contracts.swarm_plan import SwarmPlan
from longshift.policy.session import MAX_EXTENSION_HOURS
from longshift.sessions.listing import ListedSession
from longshift.sessions.questions import LIMIT_SESSIONS

PAGE_LIMIT = 200
REASON_MAX_CHARACTERS = 2_000

Text = Annotated[str, StringConstraints(min_length=1, max_length=STEER_MAX_CHARACTERS, pattern=r"\S")]


class Given(BaseModel):
    """A body that somebody sends: nothing in it is guessed at."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class SteerBody(Given):
    """A message for the agent, or for sub-agents of its swarm at work."""

    text: Text
    item: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    """The item whose sub-agent it is for; `*`: all items that are not settled; left out: the agent itself."""


class StrikeBody(Given):
    """Take an item out of the swarm at work."""

    item: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    reason: Annotated[str, StringConstraints(max_length=REASON_MAX_CHARACTERS)] = ""
    """Kept in the item's report."""


class AnswerBody(Given):
    """What the person says whom the session waits for; the agent gets it, and the session goes on."""

    text: Text


class DecisionBody(Given):
    """How a question is decided."""

    option: Annotated[str, StringConstraints(min_length=1, max_length=60)]
    """The id of one of its options."""
    shown_hash: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    """`shown_hash` of the question as it was seen: what has changed since is not decided."""
    text: Annotated[str, StringConstraints(max_length=REVIEW_TEXT_MAX_CHARACTERS)] = ""
    """For the agent; options with `needs_text` make no sense without."""


class CancelBody(Given):
    """Why the session is ended; kept in its report."""

    reason: Annotated[str, StringConstraints(max_length=REASON_MAX_CHARACTERS)] = ""


class RollbackBody(Given):
    """Undo the steps after one."""

    to_step: int = Field(ge=0)
    """The last step that stays, of the agent at work; 0 is its beginning."""
    reason: Annotated[str, StringConstraints(max_length=STEER_MAX_CHARACTERS)] = ""
    """The agent gets it as a person's message."""


class ExtendBody(Given):
    """More active time, or more of the budget; at least one of them."""

    active_hours: float | None = Field(default=None, gt=0, le=MAX_EXTENSION_HOURS, allow_inf_nan=False)
    tokens: int | None = Field(default=None, gt=0, le=10**12)
    usd: float | None = Field(default=None, gt=0, le=1e7, allow_inf_nan=False)
    steps: int | None = Field(default=None, gt=0, le=10**6)

    @model_validator(mode="after")
    def _adds_something(self) -> Self:
        if self == type(self).model_construct():
            raise ValueError("nothing is added; give active_hours, tokens, usd or steps")
        return self


class ListQuery(BaseModel):
    """Which sessions are listed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: list[SessionState] = []
    """Only these; may be given several times."""
    attention: bool | None = None
    """Only sessions that ask for a person or wait for a provider, or only the others."""
    limit: int = Field(default=50, ge=1, le=PAGE_LIMIT)
    page_token: str = Field(default="", max_length=4_000, pattern=r"^[A-Za-z0-9_-]*$")
    """`next_page_token` of the page before."""


class ReviewsQuery(BaseModel):
    """Which questions are listed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    limit: int = Field(default=LIMIT_SESSIONS, ge=1, le=LIMIT_SESSIONS)
    """Ask at most so many sessions."""


class TranscriptQuery(BaseModel):
    """Which entries are given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: int | None = Field(default=None, ge=1, le=1_000_000)
    """Only the answer and the results of this step."""


class SwarmQuery(BaseModel):
    """Which swarm is meant."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    swarm: str = Field(default="", max_length=100)
    """Its number in the session, such as `1`, or its name; the latest when left out."""


class NoQuery(BaseModel):
    """There is nothing to choose."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ErrorDetail(BaseModel):
    """What went wrong, and what to do about it."""

    kind: str
    message: str
    field: str | None = None
    """The part of the request that is meant."""


class ErrorAnswer(BaseModel):
    """The one shape of every failure."""

    error: ErrorDetail


class Submitted(BaseModel):
    """The engine holds the task; it cannot be lost any more."""

    task_id: str
    is_new: bool
    """False when the same task had been submitted before."""
    location: str
    """Where its status is told."""


class SessionPage(BaseModel):
    """Sessions, the newest first."""

    sessions: list[ListedSession]
    next_page_token: str | None = None
    """There may be more; a page may hold fewer sessions than asked for, even none."""


class OpenReview(BaseModel):
    """A question that waits for a person."""

    task_id: str
    title: str
    review: Review


class OpenReviews(BaseModel):
    """The open questions, the first asked first."""

    reviews: list[OpenReview]
    silent: list[str]
    """Sessions that need a person, while no worker tells what for."""
    left_off: int
    """Further sessions that need a person; those of other repositories than the token's are counted too."""


class SessionDocument(BaseModel):
    """One session as its workflows and the engine tell it."""

    task_id: str
    status: SessionStatus
    progress: AgentProgress | None = None
    """The current agent's own words."""
    step: int = 0
    """Of all agents of the session together, as are tokens and cost."""
    tokens: int = 0
    cost_usd: float = 0.0
    next_action: str = ""
    doing: list[str] = []
    """What runs right now."""
    needs_person: bool = False
    started_at: datetime | None = None
    closed_at: datetime | None = None
    url: str = ""
    """Its page in the Web UI, where there is one."""
    remark: str = ""
    """Why this is not the session's own answer."""
    started_from: str = ""
    """The session, and the step, that this one goes on from."""


class SwarmDocument(BaseModel):
    """A swarm: how far it has come, and each item in a line."""

    task_id: str
    table: SwarmTable
    result: SwarmResult | None = None
    """Of one that is over."""
    is_over: bool = False
    remark: str = ""
    """Why this is not the swarm's own answer."""


class ItemDocument(BaseModel):
    """An item of a swarm."""

    task_id: str
    swarm: str
    line: ItemLine
    report: ItemReport | None = None
    """Of its last attempt that has ended."""
    agent: str
    """Whose transcript it is."""


class PlanDocument(BaseModel):
    """The plan that waits for a person, or else the one that is, or was, carried out."""

    task_id: str
    plan: SwarmPlan


class Told(BaseModel):
    """What the session says to what it was told."""

    task_id: str
    action: str
    answer: str


class ArtifactNames(BaseModel):
    """What a session has left so far."""

    task_id: str
    artifacts: list[str]


class QueueAnswer(BaseModel):
    """How full the queue is."""

    waiting: int
    limit: int
    """Beyond it nothing more is taken in."""
    is_full: bool


class Health(BaseModel):
    """Whether this process is alive, or ready."""

    status: str


class Ignored(BaseModel):
    """A webhook that makes no task, and why."""

    ignored: str
