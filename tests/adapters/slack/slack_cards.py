"""Cards, questions and requests for the tests of messages to people."""

from longshift.contracts.cards import Message, MessageKind, NewsLine, PostInput, SessionCard
from longshift.contracts.people import Face
from longshift.contracts.reviews import Ask, AskKind, Decision, Option, OptionStyle, Review, ReviewState
from longshift.contracts.session import SessionState
from longshift.contracts.tools import PlanItem, PlanItemStatus

OPTIONS = (
    Option(id="retry", label="Try again", style=OptionStyle.PRIMARY),
    Option(id="advise", label="Give advice", needs_text=True),
    Option(id="end", label="End the session", style=OptionStyle.DANGER),
)


def a_review(review_id: str = "lead-s12-stuck", state: ReviewState = ReviewState.OPEN, **fields: object) -> Review:
    """A question, by default an open one."""
    ask = Ask(
        id=review_id,
        kind=AskKind.STUCK,
        question="The same test has failed eight times in the same way. What next?",
        evidence=("steps 31 to 38: pytest tests/test_fields.py, exit code 1, the same failure",),
        options=OPTIONS,
        agent="mend/lead",
        step=38,
    )
    decision = None
    if state is ReviewState.DECIDED:
        decision = Decision(ask_id=review_id, option="advise", text="Look at the locale.", by="U0ADA0001 (Ada)")
    given = {"ask": ask, "shown_hash": "a" * 64, "state": state, "decision": decision, "asked_at": 1_790_000_000.0}
    return Review.model_validate({**given, **fields})


def a_card(task_id: str = "mend", **fields: object) -> SessionCard:
    """A session at work."""
    given = {
        "task_id": task_id,
        "title": "Mend the rounding",
        "repository": "https://git.example/shop/fields",
        "state": SessionState.RUNNING,
        "profile": "kimi-k2.6",
        "agent": f"{task_id}/lead",
        "plan": (
            PlanItem(title="Find where it rounds", status=PlanItemStatus.DONE),
            PlanItem(title="Mend it", status=PlanItemStatus.IN_PROGRESS),
            PlanItem(title="Add a test"),
        ),
        "step": 38,
        "tokens": 1_234_567,
        "cost_usd": 1.52,
        "steps_limit": 4_000,
        "usd_limit": 10.0,
        "active_seconds": 4_000.0,
        "active_limit_seconds": 43_200.0,
        "context_fill": 0.41,
        "last_text": "The field rounds half down, so I look at where it is set.",
        "changed_files": 2,
    }
    return SessionCard.model_validate({**given, **fields})


def a_request(
    message: Message, card: SessionCard | None = None, *, channel: str = "C0FAKE001", **fields: object
) -> PostInput:
    """A message for Slack."""
    given = {"face": Face.SLACK, "channel": channel, "message": message, "card": card or a_card(), **fields}
    return PostInput.model_validate(given)


def the_root(ts: str = "") -> Message:
    """The root message."""
    return Message(kind=MessageKind.ROOT, key="root", ts=ts)


def the_question(review: Review, ts: str = "") -> Message:
    """A question."""
    return Message(kind=MessageKind.QUESTION, key=f"question:{review.ask.id}", ts=ts, review=review)


def some_news(*texts: str) -> tuple[NewsLine, ...]:
    """Lines of the lead."""
    return tuple(NewsLine(agent="mend/lead", number=number, text=text) for number, text in enumerate(texts, 1))
