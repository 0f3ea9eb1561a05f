"""What an agent or its session asks of people, and what they decide: one durable record per question.

A question stays open until somebody decides it or it has become pointless; silence is never a no. What is shown and
offered is made in `policy.reviews`; the faces (command line, HTTP, Slack) only show it and hand decisions in.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import StringConstraints

from longshift.contracts.wire import UserInput, Wire

REVIEW_TEXT_MAX_CHARACTERS = 20_000


class Autonomy(StrEnum):
    """When a task's agent has to ask."""

    FULL = "full"
    """Never by its own choice: `ask_human` is answered by the runner, plans and any risk pass. Only what nobody
    but a person can solve (stuck, budget, configuration) still waits for one."""
    BALANCED = "balanced"
    """May ask questions; what is of high or unknown risk waits for a person."""
    CAUTIOUS = "cautious"
    """Also the first plan, and every plan after a failed one, waits for a person, and so does medium risk."""
    MANUAL = "manual"
    """Also every change of the plan, and every call that has effects."""


class Risk(StrEnum):
    """What a call, or an action of the runner for a session, may do beyond the workspace."""

    LOW = "low"
    MEDIUM = "medium"
    """Reaches outside of the workspace, such as a push, a publication, a deployment, an installation for all users."""
    HIGH = "high"
    """Destroys what cannot be had back, or reaches for secrets, rights, or what runs with them (a CI workflow)."""
    UNKNOWN = "unknown"
    """What it says hides what it does; it is treated as high."""

    @classmethod
    def _missing_(cls, value: object) -> "Risk | None":
        """What an earlier release wrote."""
        return {"none": cls.LOW, "risky": cls.MEDIUM, "dangerous": cls.HIGH}.get(str(value))


class AskKind(StrEnum):
    """What a question is about."""

    STUCK = "stuck"
    PLAN = "plan"
    RISK = "risk"
    BUDGET = "budget"
    CONFIGURATION = "configuration"
    """Key, model, refusal, overflow, host: something outside has to be mended."""
    QUESTION = "question"
    """Of the agent (`ask_human`)."""
    DEADLINE = "deadline"
    VERDICT = "verdict"
    """The verifier refuses what the agent says is done."""
    SWARM = "swarm"
    """May sub-agents work by this plan? Approving it is bound to the plan's hash, which the question names."""
    DELIVERY = "delivery"
    """What is done may leave the sandbox: a push, a pull request."""
    UNDELIVERED = "undelivered"
    """It did not get there; the patch is kept."""


class OptionStyle(StrEnum):
    """How a face shows an option."""

    PLAIN = "plain"
    PRIMARY = "primary"
    DANGER = "danger"


class Option(Wire):
    """One way to decide."""

    id: str
    """Such as `approve`, `reject`, `retry`, `advise`, `raise`, `end`, `cancel`, `choice-1`."""
    label: str
    """At most 75 characters (Slack's limit for a button)."""
    style: OptionStyle = OptionStyle.PLAIN
    needs_text: bool = False
    """The decision makes no sense without words, such as advice."""


class Ask(Wire):
    """A question, as the one who asks it knows it."""

    id: str
    """Unique within the session, such as `lead-s12-stuck`; the same for every delivery of the same question."""
    kind: AskKind
    question: str
    """One paragraph, at most 2,000 characters."""
    evidence: tuple[str, ...] = ()
    """What it rests on, in order; at most 20 of 2,000 characters. All of it is shown."""
    options: tuple[Option, ...] = ()
    agent: str = ""
    """Who asks; empty: the session itself."""
    step: int = 0


class Decision(Wire):
    """What a person decided, for the one who asked."""

    ask_id: str
    option: str
    text: str = ""
    by: str = ""
    """Who, as the face knows them, such as `U012AB3CD (Ada)`, a token's name or a user of this machine."""


class ReviewState(StrEnum):
    """How far a question has come."""

    OPEN = "open"
    DECIDED = "decided"
    WITHDRAWN = "withdrawn"
    """It has become pointless: somebody resumed or steered the agent, or the session ended."""


class Review(Wire):
    """The durable record of a question."""

    ask: Ask
    shown_hash: str
    """Of all that a face shows of it; a decision names it, so that nobody approves what they have not seen."""
    state: ReviewState = ReviewState.OPEN
    asked_at: float = 0.0
    """Seconds since 1970, as all times here."""
    remind_at: float = 0.0
    """When people are reminded first; 0: never. `policy.reviews.next_reminder` says when after that."""
    decided_at: float = 0.0
    decision: Decision | None = None
    via: str = ""
    """The face: `slack`, `cli`, `http`."""


class Answer(UserInput):
    """A decision, as a face hands it in (the update `answer`)."""

    review: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    """`Ask.id`."""
    option: Annotated[str, StringConstraints(min_length=1, max_length=60)]
    text: Annotated[str, StringConstraints(max_length=REVIEW_TEXT_MAX_CHARACTERS)] = ""
    shown_hash: Annotated[str, StringConstraints(max_length=64)] = ""
    """`Review.shown_hash` of what the person saw; empty where a person on the command line names none."""
    by: Annotated[str, StringConstraints(max_length=200)] = ""
    via: Annotated[str, StringConstraints(max_length=20)] = ""
