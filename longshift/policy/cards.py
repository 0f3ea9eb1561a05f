"""A session's card for people, and whether it says something new. What is posted of it is `bulletin`'s."""

from collections.abc import Iterable

from longshift.contracts.cards import NewsLine, SessionCard
from longshift.contracts.reviews import Review, ReviewState
from longshift.contracts.session import AgentStatus, SessionInput, SessionState, SessionStatus
from longshift.policy import session as sessions
from longshift.policy import swarm_words

EVIDENCE_CHARACTERS = 9_000
"""Of all evidence of an open question together; the record itself keeps the whole."""
SHOWN_REVIEWS = 30
LAST_TEXT_CHARACTERS = 500
REASON_CHARACTERS = 1_500
NEWS_LINES = 60


def card_of(
    request: SessionInput, status: SessionStatus, agent: AgentStatus | None, *, final: bool = False
) -> SessionCard:
    """The session as people see it; `agent` is what its agent told last, if it has one."""
    task = request.task
    at_work = agent if agent is not None and agent.agent == status.agent else None
    report = next((each for each in reversed(status.agents) if at_work is None or each.agent == at_work.agent), None)
    told = sessions.at_end(report) if report is not None else at_work
    earlier = tuple(each for each in status.agents if told is None or each.agent != told.agent)
    stands = sessions.progress(earlier, told or AgentStatus(agent="", waiting=False))
    given = status.extended + told.raised if report is None and told is not None else status.extended
    budget = sessions.raised_budget(task.budget, status.agents, given)
    said = report.summary if report is not None and report.summary else at_work.last_text if at_work else ""
    return SessionCard(
        task_id=status.task_id,
        title=status.title,
        repository=task.repository,
        state=status.state,
        reason=status.reason[:REASON_CHARACTERS],
        attention=status.attention,
        profile=status.profile,
        agent=status.agent,
        plan=at_work.plan if at_work else (),
        step=stands.step,
        tokens=stands.tokens,
        cost_usd=stands.cost_usd,
        steps_limit=budget.steps,
        tokens_limit=budget.tokens,
        usd_limit=budget.usd,
        active_seconds=status.active_seconds,
        active_limit_seconds=status.active_limit_seconds,
        context_fill=round(stands.context_fill, 2),
        checks=report.checks.headline if report is not None and report.checks else "",
        last_text=said[:LAST_TEXT_CHARACTERS],
        changed_files=at_work.changed_files if at_work else 0,
        artifacts=status.delivery.artifacts if status.delivery else (),
        branch=status.delivery.branch if status.delivery else None,
        reviews=tuple(_bounded(each) for each in status.reviews[:SHOWN_REVIEWS]),
        news=_news(at_work) if at_work else (),
        swarm=(at_work.swarm if at_work else None) or (status.swarms[-1] if status.swarms else None),
        final=final,
    )


def _news(agent: AgentStatus) -> tuple[NewsLine, ...]:
    """The agent's own lines, and those about its swarm, which are counted by themselves."""
    own = tuple(NewsLine(agent=agent.agent, number=each.number, text=each.text) for each in agent.news)
    if agent.swarm is None:
        return own
    about = swarm_words.quarters(agent.swarm)
    return (*own, *(NewsLine(agent=agent.swarm.swarm, number=number, text=text) for number, text in about))


def _bounded(review: Review) -> Review:
    """An open question with as much of its evidence as can be shown; of one that is over, what was decided."""
    ask = review.ask
    if review.state is not ReviewState.OPEN:
        return review.model_copy(update={"ask": ask.model_copy(update={"evidence": ()})})
    left, kept = EVIDENCE_CHARACTERS, list[str]()
    for text in ask.evidence:
        if left <= 0:
            kept.append("… there is more; `longshift inbox` shows all of it")
            break
        kept.append(text if len(text) <= left else f"{text[:left]} … shortened; `longshift inbox` shows all of it")
        left -= len(text)
    return review.model_copy(update={"ask": ask.model_copy(update={"evidence": tuple(kept)})})


def says_more(old: SessionCard, new: SessionCard) -> bool:
    """Whether anything differs that is not only the time gone by."""
    return new != old.model_copy(update={"active_seconds": new.active_seconds})


def is_urgent(old: SessionCard, new: SessionCard) -> bool:
    """Whether people should see the difference at once: what the session is, not how far it has come."""
    return _gist(old) != _gist(new)


def _gist(card: SessionCard) -> tuple[object, ...]:
    attention = (card.attention.kind, card.attention.text) if card.attention else None
    return (card.state, card.reason, attention, card.profile, card.final, open_ids(card))


def open_ids(card: SessionCard) -> tuple[str, ...]:
    """The questions that wait for a decision."""
    return tuple(each.ask.id for each in card.reviews if is_open(card, each))


def is_open(card: SessionCard, review: Review) -> bool:
    """Whether a decision would still change something."""
    return review.state is ReviewState.OPEN and not card.final


def newest(old: SessionCard | None, new: SessionCard) -> SessionCard:
    """The new card, with the lines of the old one that it has no room for any more."""
    if old is None or not old.news:
        return new
    return new.model_copy(update={"news": _merged((*old.news, *new.news))})


def _merged(lines: Iterable[NewsLine]) -> tuple[NewsLine, ...]:
    once = {(each.agent, each.number): each for each in lines}
    return tuple(once.values())[-NEWS_LINES:]


def ended_unseen(card: SessionCard) -> SessionCard:
    """The last card of a session that was ended by the engine and could tell no more."""
    if card.state.is_final:
        return card.model_copy(update={"final": True})
    reason = "ended by the engine; it could deliver nothing"
    return card.model_copy(update={"state": SessionState.FAILED, "reason": reason, "final": True})
