"""Questions to people: the ways to decide each kind, what is shown of one, and when people are reminded of it.

How the questions of a session are kept, opened and decided is in `review_list`. Who asks and when is not decided here.
"""

import hashlib
import json
import math

from longshift.contracts.attention import Attention
from longshift.contracts.reviews import Answer, Ask, AskKind, Option, OptionStyle, Review
from longshift.contracts.session import AgentStatus

QUESTION_CHARACTERS = 2_000
EVIDENCE_LINES = 20
"""Of one question; a call that has no room is not decided by it, and is asked about next."""
EVIDENCE_CHARACTERS = 2_000
LABEL_CHARACTERS = 75
"""Slack's limit for a button."""
MAX_CHOICES = 20
REMIND_AGAIN_SECONDS = 12 * 3_600.0
"""After the first reminder; a question never expires."""

PASSES_BY_ITSELF = frozenset({"provider", "quota", "fleet"})
"""Kinds of attention that need no person: the agent tries again by itself."""

ADVISE, CONTINUE, END, CANCEL = "advise", "continue", "end", "cancel"
APPROVE, REJECT, RAISE, RETRY = "approve", "reject", "raise", "retry"
REPLY, EXTEND, ACCEPT, AMEND = "reply", "extend", "accept", "amend"
PLAIN_WORDS = frozenset({ADVISE, REPLY})
"""Options that are nothing but a message to the agent."""
BY_HANDS = frozenset({AskKind.CONFIGURATION, AskKind.DEADLINE})
"""What is asked of people is to do something, which resuming or extending the session tells as well."""
APPROVING = frozenset({APPROVE, ACCEPT})
"""Options that let something happen as it was shown: nobody takes one who has not seen all of it."""
SLACK_EVIDENCE_CHARACTERS = 7_000
SLACK_EVIDENCE_PIECES = 40
"""What one message of Slack's shows of a question; what is longer is approved where all of it is shown."""
CHOICE = "choice-"
"""What the id of one of the agent's own choices begins with; they count from 1."""

_END = Option(id=END, label="End it, with what there is")
_CANCEL = Option(id=CANCEL, label="Cancel", style=OptionStyle.DANGER)

OPTIONS: dict[AskKind, tuple[Option, ...]] = {
    AskKind.STUCK: (
        Option(id=ADVISE, label="Give advice", style=OptionStyle.PRIMARY, needs_text=True),
        Option(id=CONTINUE, label="Let it go on"),
        _END,
        _CANCEL,
    ),
    AskKind.PLAN: (
        Option(id=APPROVE, label="Approve the plan", style=OptionStyle.PRIMARY),
        Option(id=REJECT, label="Ask for another plan", style=OptionStyle.DANGER, needs_text=True),
    ),
    AskKind.RISK: (
        Option(id=APPROVE, label="Let it run", style=OptionStyle.PRIMARY),
        Option(id=REJECT, label="Do not run it", style=OptionStyle.DANGER),
    ),
    AskKind.BUDGET: (Option(id=RAISE, label="Raise by half", style=OptionStyle.PRIMARY), _END, _CANCEL),
    AskKind.CONFIGURATION: (Option(id=RETRY, label="Try again", style=OptionStyle.PRIMARY), _CANCEL),
    AskKind.QUESTION: (Option(id=REPLY, label="Reply", needs_text=True),),
    AskKind.DEADLINE: (
        Option(id=EXTEND, label="Give it as much time again", style=OptionStyle.PRIMARY),
        _END,
        _CANCEL,
    ),
    AskKind.SWARM: (
        Option(id=APPROVE, label="Approve the plan", style=OptionStyle.PRIMARY),
        Option(id=AMEND, label="Change the plan", needs_text=True),
        Option(id=REJECT, label="Decide against it", style=OptionStyle.DANGER, needs_text=True),
    ),
    AskKind.DELIVERY: (
        Option(id=APPROVE, label="Let it leave", style=OptionStyle.PRIMARY),
        Option(id=REJECT, label="Keep the patch only", style=OptionStyle.DANGER),
    ),
    AskKind.UNDELIVERED: (
        Option(id=RETRY, label="Try again", style=OptionStyle.PRIMARY),
        Option(id=END, label="Keep the patch only"),
    ),
    AskKind.VERDICT: (
        Option(id=ACCEPT, label="Accept it as done", style=OptionStyle.PRIMARY),
        Option(id=ADVISE, label="Say what is missing", needs_text=True),
        _END,
    ),
}
"""Kind → the ways to decide it. Those of the agent's own choice come before them."""


def options_of(kind: AskKind, choices: tuple[str, ...] = ()) -> tuple[Option, ...]:
    """The ways to decide a question of this kind; `choices` are what the model offers for its own question."""
    offered = choices[:MAX_CHOICES] if kind is AskKind.QUESTION else ()
    own = tuple(
        Option(id=f"{CHOICE}{number}", label=_cut(" ".join(text.split()) or f"choice {number}", LABEL_CHARACTERS))
        for number, text in enumerate(offered, 1)
    )
    return (*own, *OPTIONS[kind])


def of_attention(attention: Attention, agent: str, number: int, kind: AskKind = AskKind.CONFIGURATION) -> Ask:
    """The question of an agent, or with an empty name of the session, that has no words of its own for it."""
    text = attention.text or f"Something has to be mended before it can go on ({attention.kind})."
    return question(f"{attention.kind}-{number}", kind, text, agent, attention.since_step)


def question(ask_id: str, kind: AskKind, text: str, agent: str = "", step: int = 0) -> Ask:
    """A question with the usual options."""
    return bounded(Ask(id=ask_id, kind=kind, question=text, options=options_of(kind), agent=agent, step=step))


def bounded(ask: Ask) -> Ask:
    """The same within its limits, and with at least the usual options."""
    return ask.model_copy(
        update={
            "question": _cut(ask.question, QUESTION_CHARACTERS),
            "evidence": tuple(_cut(each, EVIDENCE_CHARACTERS) for each in ask.evidence[:EVIDENCE_LINES]),
            "options": ask.options or options_of(ask.kind),
        }
    )


def shown_hash(ask: Ask) -> str:
    """Of all that a face shows: kind, question, evidence, options. 32 hex digits."""
    options = [[each.id, each.label, each.style.value, each.needs_text] for each in ask.options]
    shown = json.dumps([ask.kind.value, ask.question, list(ask.evidence), options])
    return hashlib.sha256(shown.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def fits_slack(ask: Ask) -> bool:
    """Whether Slack shows all of the evidence."""
    return sum(map(len, ask.evidence)) <= SLACK_EVIDENCE_CHARACTERS and len(ask.evidence) <= SLACK_EVIDENCE_PIECES


def refuse_unseen(review: Review | None, answer: Answer) -> str:
    """Why an approval is not taken that was given where not all is shown."""
    if review is None or answer.via != "slack" or answer.option not in APPROVING or fits_slack(review.ask):
        return ""
    return (
        f"option: {review.ask.id} is too long to be shown whole in Slack; look at all of it with `longshift inbox` or "
        "over HTTP, and decide there"
    )


def opened(ask: Ask, now: float, remind_after_seconds: float) -> Review:
    """The record of a question that is asked now; without seconds nobody is reminded of it."""
    ask = bounded(ask)
    remind_at = now + remind_after_seconds if remind_after_seconds > 0 else 0.0
    return Review(ask=ask, shown_hash=shown_hash(ask), asked_at=now, remind_at=remind_at)


def next_reminder(review: Review, now: float) -> float:
    """When people are reminded next, seconds since 1970; 0: never.

    It follows from `now` alone, so that nobody has to note which reminders there were.
    """
    if review.remind_at <= 0 or now < review.remind_at:
        return review.remind_at
    rounds = math.floor((now - review.remind_at) / REMIND_AGAIN_SECONDS) + 1
    return review.remind_at + rounds * REMIND_AGAIN_SECONDS


def attention_of(status: AgentStatus) -> Attention | None:
    """Why a person should look at an agent; a question goes before anything else."""
    if status.ask is None:
        return status.attention
    return Attention(kind=status.ask.kind.value, text=status.ask.question[:2_000], since_step=status.ask.step)


def is_asking(status: AgentStatus) -> bool:
    """Whether the agent, or a part of its swarm, stands still until a person has decided something."""
    if status.ask is not None:
        return True
    stands = status.waiting or bool(_swarm_in_need(status))
    return stands and status.attention is not None and status.attention.kind not in PASSES_BY_ITSELF


def asks_the_same(before: AgentStatus | None, status: AgentStatus) -> bool:
    """Whether an agent that told of itself before still asks what it asked then, be it nothing."""
    if before is None or before.agent != status.agent:
        return not is_asking(status)
    return _question_in(before) == _question_in(status)


def _question_in(status: AgentStatus) -> object:
    if status.ask is not None:
        return status.ask.id
    if not is_asking(status):
        return None
    # How many items of a swarm wait changes all the time: it is one question.
    return _swarm_in_need(status) or status.attention


def _swarm_in_need(status: AgentStatus) -> str:
    """The swarm at work of which a part waits for a person."""
    return status.swarm.swarm if status.swarm_at_work and status.swarm and status.swarm.needs_person else ""


def option(review: Review, option_id: str) -> Option | None:
    """One of a question's options."""
    return next((each for each in review.ask.options if each.id == option_id), None)


def told(review: Review) -> str:
    """What was decided, in words; empty while nothing is."""
    decision = review.decision
    if decision is None:
        return ""
    chosen = option(review, decision.option)
    label = f" ({chosen.label})" if chosen else ""
    by = f", by {decision.by}" if decision.by else ""
    via = f" via {review.via}" if review.via else ""
    return f"{review.ask.id} is decided: {decision.option}{label}{by}{via}"


def command(task_id: str, review: Review, choice: Option) -> str:
    """What a person types to decide so."""
    text = " --text TEXT" if choice.needs_text else ""
    return f"longshift answer {task_id} {review.ask.id} {choice.id}{text}"


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
