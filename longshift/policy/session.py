"""What a session's state allows, when its clock rings, and whether it goes on after its time is used up.

A refusal is a text for the person who asked; an empty text means yes.
"""

from dataclasses import dataclass

from longshift.contracts.agent import AgentLimits, AgentReport
from longshift.contracts.ledger import Allowance, Extension, Spend
from longshift.contracts.reviews import Answer, AskKind
from longshift.contracts.rollback import Rollback
from longshift.contracts.session import (
    STEER_MAX_CHARACTERS,
    AgentStatus,
    Extend,
    Reprioritise,
    SessionInput,
    SessionState,
    SessionStatus,
    Steer,
)
from longshift.contracts.task import Budget, OnDeadline
from longshift.policy import asking, ledger, raising, review_list
from longshift.policy.clock import ActiveClock
from longshift.policy.reviews import BY_HANDS, RAISE

MAX_UPDATES = 1_500
"""The engine takes 2,000 updates per run; beyond this a session only takes answers, resume and cancel."""
MAX_STEER_CHARACTERS = 300_000
"""Of all messages together: those not yet delivered travel in one value, and the engine takes 2 MiB."""
MAX_SHIFTS = 20
"""How often a session may start afresh from a hand-off note by itself."""
MAX_EXTENSION_HOURS = 720.0

_TIME_IS_UP = "budget.active_hours: active time is used up"


def progress(earlier: tuple[AgentReport, ...], status: AgentStatus) -> AgentStatus:
    """Where the session stands: earlier shifts, and the sub-agents of all, added to the agent at work."""
    before = spent_before(earlier)
    return status.model_copy(
        update={
            "step": status.step + status.delegated_steps + before.steps,
            "tokens": status.tokens + before.tokens,
            "cost_usd": round(status.cost_usd + before.usd, 4),
        }
    )


def spent(earlier: tuple[AgentReport, ...], status: AgentStatus | None) -> tuple[Spend, Spend]:
    """What all agents of the session spent, and the part of it that no provider told."""
    total, unknown = spent_before(earlier), Spend()
    for report in earlier:
        unknown = unknown + report.unknown
    if status is None or any(report.agent == status.agent for report in earlier):
        return total, unknown
    return total + status.spent, unknown + status.unknown


def spent_before(earlier: tuple[AgentReport, ...]) -> Spend:
    """What agents that have ended spent, with their sub-agents."""
    total = Spend()
    for report in earlier:
        total = total + _spent_by(report)
    return total


def _spent_by(report: AgentReport) -> Spend:
    return Spend(usage=report.usage, usd=report.cost_usd, steps=report.steps) + report.delegated


def costs_before(earlier: tuple[AgentReport, ...]) -> dict[str, Spend]:
    """The same by model profile."""
    costs: dict[str, Spend] = {}
    for report in earlier:
        costs |= {name: costs.get(name, Spend()) + cost for name, cost in report.costs.items()}
    return costs


def at_end(report: AgentReport) -> AgentStatus:
    """Where an agent stood when it ended."""
    spent = _spent_by(report)
    return AgentStatus(
        agent=report.agent,
        waiting=False,
        step=report.steps,
        tokens=spent.tokens,
        cost_usd=spent.usd,
        context_fill=report.context_fill,
        spent=spent,
        delegated_steps=report.delegated.steps,
        unknown=report.unknown,
    )


@dataclass(frozen=True)
class Alarm:
    """What the clock rings for next."""

    name: str
    in_seconds: float


def next_alarm(
    clock: ActiveClock, now: float, wrap_up_seconds: float, wrapped_up: bool, warn_at_share: float | None = None
) -> Alarm | None:
    """The next moment to act on; None while the clock stands.

    `warn_at_share`: the part of the time after which people are told; None: they were, or never are. A session whose
    whole time is not longer than twice the time for wrapping up gets no warning.
    """
    if clock.running_since is None:
        return None
    remaining = clock.remaining_at(now)
    alarms = [Alarm("end", max(0.001, remaining))]
    if clock.limit_seconds > 2 * wrap_up_seconds and remaining > 0:
        if not wrapped_up:
            alarms.append(Alarm("wrap up", max(0.001, remaining - wrap_up_seconds)))
        if warn_at_share is not None:
            alarms.append(Alarm("warn", max(0.001, warn_at_share * clock.limit_seconds - clock.used_at(now))))
    return min(alarms, key=lambda alarm: alarm.in_seconds)


def time_is_up(used_seconds: float) -> str:
    """The reason that the agent and the report carry."""
    return f"{_TIME_IS_UP} ({used_seconds / 3600:.2f} h)"


def is_time(report: AgentReport) -> bool:
    """Whether it was the time that ran out, and not tokens, dollars or steps."""
    return report.reason.startswith(_TIME_IS_UP)


def goes_on(on_deadline: OnDeadline, report: AgentReport, shift: int) -> bool:
    """Whether a fresh agent continues by itself. Only time comes anew: other budgets cover the whole session."""
    return on_deadline is OnDeadline.CONTINUE and is_time(report) and bool(report.handoff_note) and shift < MAX_SHIFTS


def agent_limits(
    request: SessionInput, earlier: tuple[AgentReport, ...], given: Extension | None = None
) -> AgentLimits:
    """What the next agent keeps to: the session's whole budget, with what people added to it."""
    budget = request.task.budget
    own, higher = own_budget(budget), raised_budget(budget, earlier, given or Extension())
    return request.limits.model_copy(
        update={
            "steps": higher.steps,
            "tokens": higher.tokens,
            "usd": higher.usd,
            "own": own,
            "warn_at_share": warn_at_share(request),
            "on_limit": budget.on_limit,
            "stuck": request.task.stuck,
        }
    )


def raised_budget(budget: Budget, reports: tuple[AgentReport, ...], given: Extension) -> Allowance:
    """The task's budget with what people gave the session, and what they added when its agents asked."""
    for report in reports:
        given = given + report.raised
    return ledger.extended(own_budget(budget), given)


def own_budget(budget: Budget) -> Allowance:
    """What the task itself says."""
    return Allowance(tokens=budget.tokens, usd=budget.usd, steps=budget.steps)


def extended(clock: ActiveClock, budget: Budget, given: Extension) -> str:
    """What the session has now, in words for whoever gave more."""
    parts = [f"{clock.limit_seconds / 3600:.1f} active hours in all"]
    more = raising.in_words(given)
    return ", ".join([*parts, f"budget {more}"] if more else parts)


def warn_at_share(request: SessionInput) -> float:
    """Of each budget: agent and people are told when so much of it is used."""
    return request.task.budget.warn_at_share or request.limits.warn_at_share


def refuse_steer(status: SessionStatus, message: Steer, updates: int, steered_characters: int = 0) -> str:
    """Why a message is not taken."""
    if not message.text.strip():
        return "text: the message is empty"
    if len(message.text) > STEER_MAX_CHARACTERS:
        return f"text: {len(message.text)} characters; at most {STEER_MAX_CHARACTERS}, put more into a file"
    if steered_characters + len(message.text) > MAX_STEER_CHARACTERS:
        return f"text: this session has taken {steered_characters} characters of messages; put more into a file"
    return refuse_update(status, "steer", updates)


def refuse_pause(status: SessionStatus, paused: bool, updates: int) -> str:
    """Why a pause is not taken."""
    return "the session is paused already" if paused else refuse_update(status, "pause", updates)


def refuse_resume(status: SessionStatus, paused: bool) -> str:
    """Why a resume is not taken."""
    asked = review_list.open_ones(status.reviews)
    by_hands = any(each.ask.kind in BY_HANDS for each in asked)  # also while others of a swarm go on
    if not paused and not by_hands and status.state is not SessionState.WAITING:
        return f"the session is {status.state.value}: there is nothing to resume"
    if not paused and status.attention is not None and status.attention.kind == "fleet":
        return "what all sessions together may spend is used up: raise it (longshift fleet raise) or release them"
    if status.attention is not None and status.attention.kind == "deadline":
        return "the session's active time is used up: extend it (longshift extend) or cancel it"
    if not paused and asked and all(each.ask.kind in asking.HOLDING for each in asked):
        names = ", ".join(each.ask.id for each in asked)
        return f"the session asks something that only a decision ends: {names} (longshift answer, see longshift inbox)"
    return refuse_update(status, "resume", 0)


def refuse_cancel(status: SessionStatus, reason: str) -> str:
    """Why a cancel is not taken."""
    return "the session is being cancelled already" if reason else refuse_update(status, "cancel", 0)


def refuse_reprioritise(status: SessionStatus, place: Reprioritise, is_queued: bool, updates: int) -> str:
    """Why a session is not moved within the queue."""
    if not 1 <= place.priority <= 5:
        return f"priority: {place.priority} is not between 1 and 5"
    if not is_queued:
        return f"cannot move: the session is {status.state.value} and does not wait in the queue"
    return refuse_update(status, "move", updates)


def refuse_extend(status: SessionStatus, extension: Extend, updates: int, budget: Budget) -> str:
    """Why an extension is not taken."""
    hours, more = extension.active_hours, extension.spending
    if not 0 <= hours <= MAX_EXTENSION_HOURS or (not hours and more == Extension()):
        return f"active_hours: {hours:g} is not between 0 and {MAX_EXTENSION_HOURS:g}"
    if more != Extension() and (refusal := raising.refuse(more, own_budget(budget))):
        return refusal
    return refuse_update(status, "extend", updates)


def refuse_amount(status: SessionStatus, answer: Answer, budget: Budget) -> str:
    """Why an answer does not say by how much a budget is raised; no words are as good as some."""
    kind = next((review.ask.kind for review in status.reviews if review.ask.id == answer.review), None)
    if kind is not AskKind.BUDGET or answer.option != RAISE or not answer.text.strip():
        return ""
    more = raising.more_of(answer.text, own_budget(budget))
    return more if isinstance(more, str) else ""


def refuse_rollback(
    status: SessionStatus, wish: Rollback, has_agent: bool, updates: int, steered_characters: int = 0
) -> str:
    """Why a rollback is not taken; whether the step is there is asked afterwards."""
    if wish.to_step < 0:
        return f"to_step: {wish.to_step} is below 0, which is the beginning"
    if len(wish.reason) > STEER_MAX_CHARACTERS:
        return f"reason: {len(wish.reason)} characters; at most {STEER_MAX_CHARACTERS}, put more into a file"
    if steered_characters + len(wish.reason) > MAX_STEER_CHARACTERS:
        return f"reason: this session has taken {steered_characters} characters of messages; put more into a file"
    if refusal := refuse_update(status, "roll back", updates):
        return refusal
    return "" if has_agent else f"cannot roll back: the session is {status.state.value} and no agent is at work"


def refuse_update(status: SessionStatus, verb: str, updates: int) -> str:
    """Why nothing of this kind is taken any more."""
    if status.state.is_final or status.state is SessionState.DELIVERING:
        return f"cannot {verb}: the session is {status.state.value}"
    if updates >= MAX_UPDATES:
        return f"cannot {verb}: this session has taken {updates} updates; only answer, resume and cancel are left"
    return ""
