"""What people, and the session, see of a swarm: its summary, its table, its page in the Web UI."""

from collections import Counter

from longshift.contracts.ledger import Spend
from longshift.contracts.swarm import CriticalPath, ItemLine, ItemStatus, SwarmSummary, SwarmTable
from longshift.contracts.swarm_state import ItemRun, ResolverRun, SwarmState
from longshift.policy import swarm_window, width
from longshift.policy.critical_path import critical_path

TROUBLED_SHOWN = 20
TROUBLED_CHARACTERS = 200
WAITING_FOR_CHARACTERS = 500
DETAILS_LIMIT_CHARACTERS = 8_000
"""The engine takes 20,000 bytes."""
_TROUBLED = (
    ItemStatus.WAITING,
    ItemStatus.FAILED,
    ItemStatus.DROPPED,
    ItemStatus.BLOCKED,
    ItemStatus.STRUCK,
    ItemStatus.CANCELLED,
)


def summary(state: SwarmState, now: float, trouble: str = "") -> SwarmSummary:
    """How far it has come; bounded in size. `trouble` is what holds the integration up."""
    counts = Counter(run.status.value for run in state.items.values())
    waiting: list[ItemRun | ResolverRun] = [run for run in state.items.values() if run.status is ItemStatus.WAITING]
    waiting += [run for run in state.resolvers.values() if run.waits_for]
    return SwarmSummary(
        swarm=state.start.swarm,
        title=state.start.plan.title,
        plan_hash=state.start.plan.hash,
        total=len(state.items),
        counts={status.value: counts[status.value] for status in ItemStatus if counts[status.value]},
        width=width.at(state.width, now),
        steps=sum(run.steps for run in state.items.values()),
        spent=state.account.spent,
        unknown=state.account.unknown,
        costs=state.costs,
        waiting_for="; ".join(part for part in (trouble, _waiting_for(waiting)) if part)[:WAITING_FOR_CHARACTERS],
        needs_person=bool(trouble) or any(run.needs_person for run in waiting),
        troubled=_troubled(state),
        critical_path=path(state),
        number=state.number,
    )


def table(state: SwarmState, now: float, trouble: str = "") -> SwarmTable:
    """Each item in a line, in the order of the plan."""
    return SwarmTable(
        summary=summary(state, now, trouble),
        items=tuple(_line(item, run, now) for item, run in state.items.items()),
        plan_key=state.start.plan.key,
    )


def path(state: SwarmState) -> CriticalPath:
    """Of the attempts that have ended."""
    work = {item: (run.steps, run.seconds) for item, run in state.items.items() if run.steps or run.seconds}
    return critical_path(state.start.lead_steps, state.start.plan.rows, work)


def is_news(before: SwarmSummary | None, now: SwarmSummary) -> bool:
    """Whether the lead should hear of it: the number alone is none."""
    return before is None or before.model_copy(update={"number": now.number}) != now


def details(shown: SwarmSummary) -> str:
    """The swarm's page, in markdown."""
    spent, path = shown.spent, shown.critical_path
    rows = [
        ("items", f"{shown.total}, at most {shown.width} at work"),
        *((status, str(count)) for status, count in shown.counts.items()),
        ("spent", _spent(spent)),
        ("critical path", f"{path.steps} of {path.serial_steps} steps one after the other: {path.speed_up:.1f} times"),
    ]
    lines = "\n".join(f"| {name} | {value} |" for name, value in rows)
    parts = [f"# {shown.title or shown.swarm}", f"| | |\n| --- | --- |\n{lines}"]
    if shown.waiting_for:
        lead = "Needs a person" if shown.needs_person else "Waits"
        parts.insert(1, f"**{lead}**: {shown.waiting_for}")
    if shown.troubled:
        parts.append("### Not merged, or held up\n" + "\n".join(f"- {line}" for line in shown.troubled))
    return "\n\n".join(parts)[:DETAILS_LIMIT_CHARACTERS]


def _waiting_for(waiting: list[ItemRun | ResolverRun]) -> str:
    """`12 wait: the key is not accepted; 1 waits: no space left`, the most frequent reasons first."""
    reasons = Counter(run.waits_for for run in waiting)
    return "; ".join(
        f"{count} {'wait' if count > 1 else 'waits'}: {reason}" for reason, count in reasons.most_common(3)
    )


def _troubled(state: SwarmState) -> tuple[str, ...]:
    """Those that need a look first, a line each."""
    found = [
        f"{item}: {run.status.value}{_why(run)}"[:TROUBLED_CHARACTERS]
        for status in _TROUBLED
        for item, run in state.items.items()
        if run.status is status
    ]
    return tuple(found[:TROUBLED_SHOWN])


def _why(run: ItemRun) -> str:
    why = run.waits_for if run.status is ItemStatus.WAITING else run.reason
    return f", {why}" if why else ""


def _line(item: str, run: ItemRun, now: float) -> ItemLine:
    is_at_work = run.status in swarm_window.AT_WORK
    return ItemLine(
        item=item,
        status=run.status,
        attempt=run.attempt,
        steps=run.steps,
        usd=round(run.usd, 4),
        tokens=run.tokens,
        files=run.files,
        seconds=round(run.seconds + (max(0.0, now - run.started_at) if is_at_work else 0.0), 1),
        reason=(run.waits_for if run.status is ItemStatus.WAITING else run.reason)[: swarm_window.REASON_CHARACTERS],
    )


def _spent(spent: Spend) -> str:
    return f"${spent.usd:.2f}, {spent.tokens:,} tokens, {spent.steps:,} steps"
