"""What all sessions together have spent in a UTC day and month, when people are alerted, and when sessions hold.

Times are seconds since 1970. How sessions tell and are told is in `workflows.fleet` and `workflows.fleet_member`.
"""

from datetime import UTC, datetime, timedelta

from longshift.contracts.fleet import (
    FleetHold,
    FleetLimits,
    FleetNotice,
    FleetPeriod,
    FleetRaise,
    FleetSession,
    FleetSpend,
    FleetState,
)
from longshift.contracts.session import SessionState

ALERTS = (100, 90, 80)
"""Per cent of a limit, the highest first."""
REMEMBERED_SECONDS = 3_600.0
"""A session's end is told again within this time, if at all."""
KEPT_NOTICES = 50
PERIODS = {"usd_per_day": "day", "tokens_per_day": "day", "usd_per_month": "month", "tokens_per_month": "month"}


def told(state: FleetState, spend: FleetSpend, now: float) -> FleetState:
    """A session told what it has spent so far: what is new of it counts now."""
    state = rolled(state, now)
    known = state.sessions.get(spend.session, FleetSession())
    if known.ended_at:
        return state
    ends = bool(spend.outcome)
    is_done = spend.outcome == SessionState.DONE
    after = FleetSession(
        tokens=max(known.tokens, spend.tokens),
        usd=max(known.usd, spend.usd),
        unknown_usd=max(known.unknown_usd, spend.unknown_usd),
        is_held=known.is_held,
        ended_at=now if ends else 0.0,
    )

    def grown(period: FleetPeriod) -> FleetPeriod:
        return period.model_copy(
            update={
                "tokens": period.tokens + after.tokens - known.tokens,
                "usd": period.usd + after.usd - known.usd,
                "unknown_usd": period.unknown_usd + after.unknown_usd - known.unknown_usd,
                "ended": period.ended + ends,
                "done": period.done + is_done,
                "ended_usd": period.ended_usd + (after.usd if ends else 0.0),
            }
        )

    return state.model_copy(
        update={
            "limits": state.limits if spend.limits is None else spend.limits,
            "day": grown(state.day),
            "month": grown(state.month),
            "sessions": {**state.sessions, spend.session: after},
        }
    )


def settled(state: FleetState, now: float) -> FleetState:
    """The state with what follows from the numbers: new periods, alerts, and whether sessions hold."""
    state = rolled(state, now)
    for limit in PERIODS:
        state = _alerted(state, limit, now)
    full = [limit for limit in PERIODS if (share(state, limit) or 0.0) >= 1 and not _period(state, limit).is_released]
    reason = f"{'; '.join(_standing(state, limit) for limit in full)}; {_remedy(full)}" if full else ""
    return state.model_copy(update={"hold": FleetHold(reason=reason)})


def rolled(state: FleetState, now: float) -> FleetState:
    """The state in the day and month of `now`: what a person raised or released ends with its period."""
    day, month = keys(now)
    update: dict[str, object] = {}
    kept = state.raised.model_dump()
    if state.day.key != day:
        update["day"] = FleetPeriod(key=day)
        kept |= {"usd_per_day": None, "tokens_per_day": None}
    if state.month.key != month:
        update["month"] = FleetPeriod(key=month)
        kept |= {"usd_per_month": None, "tokens_per_month": None}
    update["raised"] = FleetLimits.model_validate(kept)
    oldest = now - REMEMBERED_SECONDS
    update["sessions"] = {
        name: each for name, each in state.sessions.items() if not each.ended_at or each.ended_at > oldest
    }
    return state.model_copy(update=update)


def raised(state: FleetState, wish: FleetRaise, now: float) -> FleetState:
    """A person set other limits for the current periods; alerts of these are given anew."""
    state = rolled(state, now)
    given = {name: value for name, value in wish.limits.model_dump().items() if value is not None}
    higher = FleetLimits.model_validate({**state.raised.model_dump(), **given})
    update: dict[str, object] = {"raised": higher}
    for period in ("day", "month"):
        words = {_kind(name) for name in given if PERIODS[name] == period}
        before: FleetPeriod = state.day if period == "day" else state.month
        alerted = tuple(alert for alert in before.alerted if alert.split()[0] not in words)
        update[period] = before.model_copy(update={"alerted": alerted})
    return state.model_copy(update=update)


def refuse_raise(state: FleetState, wish: FleetRaise, now: float) -> str:
    """Why a raise is not taken."""
    now_state = rolled(state, now)
    given = {name: value for name, value in wish.limits.model_dump().items() if value is not None}
    if not given:
        return "nothing is raised: name a limit, such as --usd-per-day"
    for name, value in given.items():
        old = limit_of(now_state, name)
        if old is None:
            return f"{name}: there is no such limit to raise; it is a setting (LONGSHIFT_FLEET_{name.upper()})"
        if value <= old:
            return f"{name}: {value:g} is not more than the limit of now, {old:g}"
    return ""


def released(state: FleetState, now: float) -> FleetState:
    """A person lets sessions go on in spite of what is used up, until the period ends."""
    state = rolled(state, now)
    full = {PERIODS[limit] for limit in PERIODS if (share(state, limit) or 0.0) >= 1}
    update = {name: getattr(state, name).model_copy(update={"is_released": True}) for name in sorted(full)}
    return state.model_copy(update=update)


def ended(state: FleetState, sessions: tuple[str, ...], now: float) -> FleetState:
    """Sessions that ended without a word, by the engine's hand; what they told stays counted."""
    gone = {name: state.sessions[name].model_copy(update={"ended_at": now}) for name in sessions}
    return state.model_copy(update={"sessions": {**state.sessions, **gone}})


def to_tell(state: FleetState) -> tuple[str, ...]:
    """The sessions at work that have not been told yet whether they hold."""
    wanted = bool(state.hold.reason)
    return tuple(name for name, each in state.sessions.items() if not each.ended_at and each.is_held is not wanted)


def with_told(state: FleetState, session: str, *, is_held: bool) -> FleetState:
    """A session has been told."""
    each = state.sessions[session].model_copy(update={"is_held": is_held})
    return state.model_copy(update={"sessions": {**state.sessions, session: each}})


def seconds_to_next_day(now: float) -> float:
    """Until the next UTC day begins, and perhaps the next month with it."""
    moment = datetime.fromtimestamp(now, UTC)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return (midnight - moment).total_seconds()


def keys(now: float) -> tuple[str, str]:
    """The day and the month of a moment, such as `2026-11-28` and `2026-11`."""
    day = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d")
    return day, day[:7]


def limit_of(state: FleetState, limit: str) -> float | None:
    """The limit in force."""
    own: float | None = getattr(state.raised, limit)
    return getattr(state.limits, limit) if own is None else own


def spent_of(state: FleetState, limit: str) -> float:
    """What counts against a limit."""
    return getattr(_period(state, limit), _kind(limit))


def share(state: FleetState, limit: str) -> float | None:
    """The used part of a limit; None where there is none."""
    most = limit_of(state, limit)
    if most is None:
        return None
    return spent_of(state, limit) / most if most else 1.0


def cost_per_done_usd(period: FleetPeriod) -> float | None:
    """What a finished task cost: all that ended, failed tries included, over those that are done."""
    return period.ended_usd / period.done if period.done else None


def _alerted(state: FleetState, limit: str, now: float) -> FleetState:
    """With an alert for the highest threshold that was crossed since the last one."""
    used, period, kind = share(state, limit), PERIODS[limit], _kind(limit)
    before = _period(state, limit)
    if used is None:
        return state
    reached = [percent for percent in ALERTS if used * 100 >= percent]
    new = [percent for percent in reached if f"{kind} {percent}" not in before.alerted]
    if not new or new[0] != reached[0]:
        return state
    number = state.notices[-1].number + 1 if state.notices else 1
    text = f"{new[0]} % reached: {_standing(state, limit)}"
    notice = FleetNotice(number=number, at=now, percent=new[0], limit=limit, text=text)
    alerted = (*before.alerted, *(f"{kind} {percent}" for percent in new))
    return state.model_copy(
        update={
            period: before.model_copy(update={"alerted": alerted}),
            "notices": (*state.notices, notice)[-KEPT_NOTICES:],
        }
    )


def _standing(state: FleetState, limit: str) -> str:
    spent, most = spent_of(state, limit), limit_of(state, limit) or 0
    period = _period(state, limit).key
    if _kind(limit) == "usd":
        return f"all sessions together have spent ${spent:,.2f} of ${most:,.2f} in {period} (UTC)"
    return f"all sessions together have used {spent:,.0f} of {most:,.0f} tokens in {period} (UTC)"


def _remedy(full: list[str]) -> str:
    period = "month" if any(PERIODS[limit] == "month" for limit in full) else "day"
    return (
        f"sessions go on by themselves when the next {period} begins; or raise it (longshift fleet raise), or let them "
        "go on without (longshift fleet release)"
    )


def _period(state: FleetState, limit: str) -> FleetPeriod:
    return state.day if PERIODS[limit] == "day" else state.month


def _kind(limit: str) -> str:
    return limit.partition("_")[0]
