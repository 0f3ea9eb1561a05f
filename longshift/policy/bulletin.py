"""What people are told next on one face, when, and what is remembered of it. The words are the adapters'."""

from longshift.contracts.cards import Message, MessageKind, NewsLine, Posted, PostedReview, PostResult, SessionCard
from longshift.contracts.people import Face
from longshift.contracts.reviews import Review, ReviewState
from longshift.policy import cards
from longshift.policy.reviews import REMIND_AGAIN_SECONDS

URGENT_EDIT_SECONDS = 3.0
"""Between two edits of the root message, where the session is something else now."""
PROGRESS_EDIT_SECONDS = 30.0
"""Between two edits, where it only has come further: Slack takes some fifty edits a minute for a whole workspace."""
NEWS_SECONDS = 15.0
"""Between two messages with lines; all that came meanwhile go into one."""
NEWS_LINES = 25
MESSAGES_PER_REVIEW = 10
SETTLED_REVIEWS = 60
AGENTS = 20
GIVE_UP_SECONDS = 30 * 86_400.0
"""So long after the end of a session it is tried to tell people of it."""


def next_message(face: Face, card: SessionCard, posted: Posted, now: float) -> tuple[Message | None, float | None]:
    """What to post now; or after how many seconds to look again, None: not before something changes."""
    if posted.unsure is not None:
        return posted.unsure, None
    if not posted.root_ts:
        return Message(kind=MessageKind.ROOT, key="root"), None
    at_once = _over(face, card, posted) or _asked(face, card, posted)
    if at_once is not None:
        return at_once, None
    waits: list[float] = []
    for message, due in (*_reminders(card, posted), _news(card, posted), _edit(face, card, posted)):
        if message is None:
            continue
        if due <= now or card.final:
            return message, None
        waits.append(due - now)
    if card.final and not posted.said_end:
        return Message(kind=MessageKind.END, key="end"), None
    return None, min(waits, default=None)


def _over(face: Face, card: SessionCard, posted: Posted) -> Message | None:
    """A question whose buttons have to go."""
    for known in posted.reviews:
        review = review_of(card, known.id)
        if review is not None and cards.is_open(card, review):
            continue
        review = _closed(review) if review is not None else None
        ts = known.messages[0] if known.messages and face is Face.SLACK else ""
        kind = MessageKind.QUESTION if ts in ("", known.question_ts) else MessageKind.REMINDER
        return Message(kind=kind, key=f"over:{known.id}:{ts}", ts=ts, review=review or _lost(known))
    return None


def _asked(face: Face, card: SessionCard, posted: Posted) -> Message | None:
    """A question that people do not have yet, or not as it is asked now; one decided before it came to that, too."""
    known = {each.id: each for each in posted.reviews}
    for review in card.reviews:
        id_, stands = review.ask.id, known.get(review.ask.id)
        if stands is not None and stands.shown_hash != review.shown_hash:
            ts = stands.question_ts if face is Face.SLACK else ""
            return Message(
                kind=MessageKind.QUESTION, key=f"question:{id_}:{review.shown_hash[:12]}", ts=ts, review=review
            )
        if stands is not None:
            continue
        if cards.is_open(card, review) or (review.state is ReviewState.DECIDED and id_ not in posted.settled):
            return Message(kind=MessageKind.QUESTION, key=f"question:{id_}:{review.asked_at:.0f}", review=review)
    return None


def _reminders(card: SessionCard, posted: Posted) -> list[tuple[Message | None, float]]:
    found: list[tuple[Message | None, float]] = []
    for known in posted.reviews:
        review = review_of(card, known.id)
        due = _remind_at(review, known) if review is not None else 0.0
        if due:
            number = known.reminders + 1
            key = f"reminder:{known.id}:{number}"
            found.append((Message(kind=MessageKind.REMINDER, key=key, review=review, number=number), due))
    return found


def _remind_at(review: Review, known: PostedReview) -> float:
    """When people are reminded next; 0: never."""
    again = known.reminded_at + REMIND_AGAIN_SECONDS if known.reminders else 0.0
    return max(review.remind_at, again) if review.remind_at else 0.0


def _news(card: SessionCard, posted: Posted) -> tuple[Message | None, float]:
    lines = [each for each in card.news if each.number > posted.news.get(each.agent, 0)]
    if not lines:
        return None, 0.0
    first, shown = lines[0], lines[-NEWS_LINES:]
    before = posted.news.get(first.agent, 0)
    missed = len(lines) - len(shown) + max(0, first.number - before - 1)
    last = shown[-1]
    key = f"news:{last.agent}:{last.number}"
    return Message(kind=MessageKind.NEWS, key=key, news=tuple(shown), missed=missed), posted.news_at + NEWS_SECONDS


def _edit(face: Face, card: SessionCard, posted: Posted) -> tuple[Message | None, float]:
    if face is not Face.SLACK or posted.shown is None or not cards.says_more(_plain(posted.shown), _plain(card)):
        return None, 0.0
    seconds = URGENT_EDIT_SECONDS if cards.is_urgent(posted.shown, card) else PROGRESS_EDIT_SECONDS
    return Message(kind=MessageKind.ROOT, key="root", ts=posted.root_ts), posted.shown_at + seconds


def _plain(card: SessionCard) -> SessionCard:
    """What the root message shows of a card."""
    reviews = tuple(each for each in card.reviews if cards.is_open(card, each))
    return card.model_copy(update={"news": (), "reviews": reviews})


def review_of(card: SessionCard, review_id: str) -> Review | None:
    """The question with this id."""
    return next((each for each in card.reviews if each.ask.id == review_id), None)


def _closed(review: Review) -> Review:
    over = review.state is not ReviewState.OPEN
    return review if over else review.model_copy(update={"state": ReviewState.WITHDRAWN})


def _lost(known: PostedReview) -> Review:
    """A question that the session does not list any more."""
    return Review.model_validate(
        {"ask": {"id": known.id, "kind": "question", "question": ""}, "shown_hash": "", "state": "withdrawn"}
    )


def is_over(card: SessionCard, posted: Posted, now: float) -> bool:
    """Whether nothing will be told any more: all is said, or it was in vain for too long."""
    in_vain = bool(posted.failing_since) and now - posted.failing_since > GIVE_UP_SECONDS
    return card.final and (posted.said_end or in_vain)


def failed(posted: Posted, message: Message, now: float) -> Posted:
    """What is remembered of a message that could not be posted, as far as anybody knows."""
    unsure = None if message.ts else message
    return posted.model_copy(update={"unsure": unsure, "failing_since": posted.failing_since or now})


def after(posted: Posted, message: Message, result: PostResult, card: SessionCard, now: float) -> Posted:
    """What stands where, after a message was posted."""
    fine = {"unsure": None, "failing_since": 0.0, "channel": result.channel or posted.channel}
    mended = posted.model_copy(update=fine)
    match message.kind:
        case MessageKind.ROOT:
            if result.gone:  # people have deleted it: everything that is open is said anew
                return mended.model_copy(update={"root_ts": "", "shown": None, "reviews": ()})
            shown = {"root_ts": result.ts or posted.root_ts or "-", "shown": card, "shown_at": now}
            return mended.model_copy(update=shown)
        case MessageKind.NEWS:
            return mended.model_copy(update={"news": _counted(posted.news, message.news), "news_at": now})
        case MessageKind.END:
            return mended.model_copy(update={"said_end": True})
        case MessageKind.QUESTION | MessageKind.REMINDER:
            assert message.review is not None  # `next_message` puts it in
            return _after_review(mended, message, message.review, result, now)


def _counted(news: dict[str, int], lines: tuple[NewsLine, ...]) -> dict[str, int]:
    counted = {**news, **{each.agent: max(each.number, news.get(each.agent, 0)) for each in lines}}
    return dict(list(counted.items())[-AGENTS:])


def _after_review(posted: Posted, message: Message, review: Review, result: PostResult, now: float) -> Posted:
    id_ = review.ask.id
    known = next((each for each in posted.reviews if each.id == id_), None)
    others = tuple(each for each in posted.reviews if each.id != id_)
    if review.state is not ReviewState.OPEN:
        left = tuple(each for each in known.messages if each != message.ts) if known and message.ts else ()
        if known is not None and left:
            return posted.model_copy(update={"reviews": (*others, known.model_copy(update={"messages": left}))})
        settled = (*posted.settled, id_)[-SETTLED_REVIEWS:]
        return posted.model_copy(update={"reviews": others, "settled": settled})
    known = known or PostedReview(id=id_, shown_hash="", asked_at=review.asked_at or now)
    settled = tuple(each for each in posted.settled if each != id_)
    messages = tuple(each for each in known.messages if not (result.gone and each == message.ts))
    if result.ts and result.ts not in messages:
        messages = (*messages[:1], *(*messages[1:], result.ts)[1 - MESSAGES_PER_REVIEW :])
    told: dict[str, object] = {"shown_hash": review.shown_hash, "messages": messages}
    if message.kind is MessageKind.QUESTION:
        told |= {"question_ts": result.ts}
    if message.kind is MessageKind.REMINDER:
        told |= {"reminders": message.number, "reminded_at": now}
    return posted.model_copy(update={"reviews": (*others, known.model_copy(update=told)), "settled": settled})
