"""The questions of one session: a bounded list, and what opens, withdraws and decides them. Refusals are texts.

What a question looks like is in `reviews`. Who hears of a decision is the session's.
"""

from collections.abc import Callable

from longshift.contracts.reviews import Answer, Decision, Review, ReviewState
from longshift.contracts.session import SessionStatus
from longshift.policy import reviews

Reviews = tuple[Review, ...]

KEPT_CLOSED = 20
"""Of those that are not open any more; the session's status travels as one value."""
KEPT_CHARACTERS = 2_000
"""Of the evidence, and of a decision's words, once a question is closed."""


def open_ones(kept: Reviews) -> Reviews:
    """Those that wait for a person, the first asked first."""
    return tuple(each for each in kept if each.state is ReviewState.OPEN)


def find(kept: Reviews, review_id: str) -> Review | None:
    """The one with this id."""
    return next((each for each in kept if each.ask.id == review_id), None)


def for_words(kept: Reviews) -> tuple[Review, str] | None:
    """The only open question that plain words answer, with the option they are; None where there is none, or several.

    Words about a plan or a command could mean either option, so they answer none.
    """
    found = [
        (each, option.id)
        for each in open_ones(kept)
        for option in each.ask.options
        if option.id in reviews.PLAIN_WORDS and option.needs_text
    ]
    return found[0] if len(found) == 1 else None


def with_opened(kept: Reviews, review: Review) -> Reviews:
    """Ask one more; one of the same id is asked anew."""
    return _bounded((*(each for each in kept if each.ask.id != review.ask.id), review))


def with_withdrawn(kept: Reviews, is_pointless: Callable[[Review], bool], now: float) -> Reviews:
    """Nobody needs an answer to these any more."""
    return _bounded(
        tuple(
            each.model_copy(update={"state": ReviewState.WITHDRAWN, "decided_at": now, "remind_at": 0.0})
            if each.state is ReviewState.OPEN and is_pointless(each)
            else each
            for each in kept
        )
    )


def decided(review: Review, answer: Answer, now: float) -> Review:
    """The question with its decision, whole: what the one who asked is told."""
    decision = Decision(ask_id=review.ask.id, option=answer.option, text=answer.text.strip(), by=answer.by)
    return review.model_copy(
        update={
            "state": ReviewState.DECIDED,
            "decision": decision,
            "decided_at": now,
            "remind_at": 0.0,
            "via": answer.via,
        }
    )


def with_decided(kept: Reviews, review: Review) -> Reviews:
    """Keep a decision."""
    return _bounded(tuple(review if each.ask.id == review.ask.id else each for each in kept))


def _bounded(kept: Reviews) -> Reviews:
    """Open ones first, then the latest others."""
    closed = sorted(
        (each for each in kept if each.state is not ReviewState.OPEN), key=lambda each: each.decided_at, reverse=True
    )
    return (*open_ones(kept), *(_shortened(each) for each in closed[:KEPT_CLOSED]))


def _shortened(review: Review) -> Review:
    """A closed question. What was shown is gone in part, its hash stays."""
    left, evidence = KEPT_CHARACTERS, list[str]()
    for each in review.ask.evidence:
        if left > 0:
            evidence.append(each[:left])
            left -= len(each)
    decision = review.decision
    if decision is not None:
        decision = decision.model_copy(update={"text": decision.text[:KEPT_CHARACTERS]})
    ask = review.ask.model_copy(update={"evidence": tuple(evidence)})
    return review.model_copy(update={"ask": ask, "decision": decision})


def is_repeated(review: Review, answer: Answer) -> bool:
    """Whether the same person says once more what that person has decided."""
    decision = review.decision
    if review.state is not ReviewState.DECIDED or decision is None:
        return False
    words = answer.text.strip()[:KEPT_CHARACTERS]
    return (decision.option, decision.by) == (answer.option, answer.by) and words in ("", decision.text)


def refuse_answer(status: SessionStatus, answer: Answer) -> str:
    """Why a decision is not taken, for the person who made it; empty: it is, or it was and counts once."""
    review = find(status.reviews, answer.review)
    if review is not None and is_repeated(review, answer):
        return ""
    if review is not None and review.state is ReviewState.DECIDED:
        return f"review: {reviews.told(review)}; nothing is left to decide"
    if status.state.is_final:
        return f"cannot answer: the session is {status.state.value}"
    if review is None:
        return f"review: {answer.review!r} is not known; {_open_in_words(status)}"
    if review.state is ReviewState.WITHDRAWN:
        return f"review: {review.ask.id} was withdrawn, the session went on without it; {_open_in_words(status)}"
    return _refuse_choice(review, answer)


def _refuse_choice(review: Review, answer: Answer) -> str:
    if answer.shown_hash and answer.shown_hash != review.shown_hash:
        return f"shown_hash: what you saw of {review.ask.id} has changed; look again, then decide"
    chosen = reviews.option(review, answer.option)
    if chosen is None:
        there = ", ".join(each.id for each in review.ask.options)
        return f"option: {answer.option!r} is none of those of {review.ask.id}; use one of: {there}"
    if chosen.needs_text and not answer.text.strip():
        return f"text: {chosen.id} ({chosen.label}) makes no sense without words; add them"
    return ""


def _open_in_words(status: SessionStatus) -> str:
    found = ", ".join(each.ask.id for each in open_ones(status.reviews))
    return f"open are: {found}" if found else "no question is open"
