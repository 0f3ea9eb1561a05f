"""Which items of a swarm start now, and what becomes of them: the sliding window over a plan.

Everything here is a pure function of `SwarmState`. An item is at work from `begun` to `after_end`, and holds its share
of the budget so long, so it is never begun twice at a time. How wide the window is, `policy.width` says; what it may
spend, `policy.swarm_budget`; what becomes of sealed work, `policy.reconcile`.
"""

from collections import defaultdict
from collections.abc import Iterable
from itertools import chain

from longshift.contracts.ledger import Allowance, Spend
from longshift.contracts.swarm import ItemEnd, ItemFailure, ItemNews, ItemStatus, ItemWord
from longshift.contracts.swarm_state import SwarmState
from longshift.policy import swarm_budget, width

REASON_CHARACTERS = 200
WAITS_FOR_CHARACTERS = 120
HOSTS_KEPT = 100
AT_WORK = frozenset({ItemStatus.RUNNING, ItemStatus.WAITING})
SUSPENDING = frozenset({"quota", "provider", "configuration"})
"""Kinds of attention that concern the provider's account: whoever starts meanwhile only waits as well."""
RETRIED = frozenset(
    {
        ItemFailure.STUCK,
        ItemFailure.OVER_BUDGET,
        ItemFailure.OUT_OF_SCOPE,
        ItemFailure.CHECKS_RED,
        ItemFailure.HOST,
        ItemFailure.LOST,
    }
)
NO_BUDGET = "nothing of the swarm's budget is left for it"


def at_work(state: SwarmState) -> tuple[str, ...]:
    """Items that have begun and are neither over nor taken out."""
    return tuple(item for item, run in state.items.items() if run.status in AT_WORK)


def is_settled(state: SwarmState) -> bool:
    """Whether nothing more happens to any item, and everybody has told its end."""
    return all(run.status.is_final for run in state.items.values()) and not state.account.shares


def is_suspended(state: SwarmState) -> bool:
    """Whether the provider's account lets nobody go on: nothing is begun then, and nothing fails."""
    return any(run.status is ItemStatus.WAITING and run.waits_for_kind in SUSPENDING for run in state.items.values())


def ready(state: SwarmState) -> tuple[str, ...]:
    """Items whose turn may come: not begun, and all that they depend on is merged; in the order of the plan."""
    return tuple(
        row.id
        for row in state.start.plan.rows
        if state.items[row.id].status is ItemStatus.PENDING
        and row.id not in state.account.shares
        and all(state.items[other].status is ItemStatus.MERGED for other in row.depends_on)
    )


def is_held(state: SwarmState) -> bool:
    """Whether nothing is begun now, however much room there is."""
    return state.paused or state.fleet_held or bool(state.ending) or is_suspended(state)


def room(state: SwarmState, now: float) -> int:
    """How many more may begin now; their shares are still to be found."""
    return 0 if is_held(state) else max(0, width.at(state.width, now) - len(at_work(state)))


def next_begun(state: SwarmState, now: float) -> tuple[str, SwarmState] | None:
    """The next item that begins now, and the swarm with it at work; None: none does."""
    if not room(state, now):
        return None
    shares = ((item, _share(state, item)) for item in ready(state))
    # While nobody is at work nobody leaves more: then what an item wants again need not be even.
    again = () if state.account.shares else ((item, state.items[item].wants) for item in ready(state))
    for item, allowance in chain(shares, again):
        after = _begun(state, item, allowance, now)
        if after is not None:
            return item, after
    return None


def _share(state: SwarmState, item: str) -> Allowance | None:
    """An even part, or what the plan says."""
    row = next(row for row in state.start.plan.rows if row.id == item)
    return swarm_budget.share(state.account, _sharers(state), row.budget_share)


def _begun(state: SwarmState, item: str, allowance: Allowance | None, now: float) -> SwarmState | None:
    """The swarm with an item at work, its share taken out; None where the budget has none for it now."""
    run = state.items[item]
    if allowance is None or not swarm_budget.covers(allowance, run.wants):
        return None
    account = swarm_budget.granted(state.account, item, allowance)
    if account is None:
        return None
    more: dict[str, object] = {
        "status": ItemStatus.RUNNING,
        "attempt": run.attempt + 1,
        "started_at": now,
        "wants": None,
        **_NO_WAIT,
    }
    return with_run(state.model_copy(update={"account": account}), item, more)


def starved(state: SwarmState) -> SwarmState:
    """The swarm without the items for which nobody at work will leave enough; unchanged while somebody is at work."""
    if state.account.shares or is_held(state):
        return state
    for item in ready(state):
        run = state.items[item]
        failure = run.failure or ItemFailure.OVER_BUDGET
        state = _ended(state, item, ItemStatus.FAILED, run.reason or NO_BUDGET, failure)
    return state


def after_end(state: SwarmState, end: ItemEnd, now: float) -> SwarmState:
    """An attempt is over. What was heard before, or is of an attempt that is not at work, changes nothing."""
    run = state.items.get(end.item)
    if run is None or end.attempt != run.attempt or end.item not in state.account.shares:
        return state
    share = state.account.shares[end.item]
    state = booked(state, end.item, end, now)
    state = with_run(
        state,
        end.item,
        {
            "steps": run.steps + end.steps,
            "tokens": run.tokens + end.spent.tokens,
            "usd": run.usd + end.spent.usd,
            "files": end.seal.files if end.seal else 0,
            "seconds": run.seconds + max(0.0, (end.ended_at or now) - (end.started_at or run.started_at)),
            "failure": end.failure,
            "reason": end.reason[:REASON_CHARACTERS],
            **_NO_WAIT,
        },
    )
    if run.status not in AT_WORK:  # it was taken out meanwhile, and keeps why
        return with_run(state, end.item, {"reason": run.reason})
    if end.failure is None:
        return with_run(state, end.item, {"status": ItemStatus.SEALED})
    if state.ending:
        return _ended(state, end.item, ItemStatus.CANCELLED, state.ending, end.failure)
    if end.failure in RETRIED and run.attempt < state.start.attempts:
        wants = share if end.failure is ItemFailure.OVER_BUDGET else None
        return with_run(state, end.item, {"status": ItemStatus.PENDING, "wants": wants})
    return _ended(state, end.item, ItemStatus.FAILED, end.reason, end.failure)


def booked(state: SwarmState, name: str, end: ItemEnd, now: float) -> SwarmState:
    """What an attempt at an item, or at a merge, has cost, and what it says about the provider."""
    before = len(at_work(state))
    wide = width.throttled(state.width, end.throttled, before, now) if end.throttled else state.width
    costs = dict(state.costs)
    for profile, cost in end.costs.items():
        costs[profile] = costs.get(profile, Spend()) + cost
    return state.model_copy(
        update={"account": swarm_budget.ended(state.account, name, end), "costs": costs, "width": wide}
    )


def heard(state: SwarmState, news: ItemNews, now: float) -> SwarmState:
    """An item is held up, or goes on."""
    if news.throttled:
        wide = width.throttled(state.width, news.throttled, len(at_work(state)), now)
        state = state.model_copy(update={"width": wide})
    run = state.items.get(news.item)
    if run is None or run.status not in AT_WORK:
        return state
    if not news.waiting:
        return with_run(state, news.item, {"status": ItemStatus.RUNNING, **_NO_WAIT})
    attention = news.attention
    waits: dict[str, object] = {
        "status": ItemStatus.WAITING,
        "waits_for": waits_for(news),
        "waits_for_kind": attention.kind if attention else "",
        "needs_person": news.needs_person,
    }
    return with_run(state, news.item, waits)


def waits_for(news: ItemNews) -> str:
    """What holds somebody up, in words; empty: nothing."""
    text = news.attention.text if news.attention else "a slot"
    return text[:WAITS_FOR_CHARACTERS] if news.waiting else ""


def is_newly_sealed(before: SwarmState, after: SwarmState, item: str) -> bool:
    """Whether an item's work has just been proved."""
    sealed = ItemStatus.SEALED
    run = after.items.get(item)
    return run is not None and run.status is sealed and before.items[item].status is not sealed


def newly_out(before: SwarmState, after: SwarmState) -> tuple[str, ...]:
    """Items that have just come to an end in which nothing of them can be merged any more."""
    return tuple(
        item
        for item, run in after.items.items()
        if run is not before.items[item]
        and run.status.is_final
        and run.status is not ItemStatus.MERGED
        and not before.items[item].status.is_final
    )


def integrated(state: SwarmState, item: str, status: ItemStatus, reason: str) -> SwarmState:
    """What became of sealed work."""
    run = state.items[item]
    if run.status is not ItemStatus.SEALED and status is not ItemStatus.MERGED:
        return state
    if status is ItemStatus.MERGED:
        return with_run(state, item, {"status": status, "reason": reason[:REASON_CHARACTERS]})
    return _ended(state, item, status, reason, run.failure)


def struck(state: SwarmState, word: ItemWord) -> SwarmState:
    """A person takes an item out; what is merged, or over already, stays as it is."""
    run = state.items.get(word.item)
    if run is None or run.status.is_final:
        return state
    who = f"taken out by {word.by}" if word.by else "taken out"
    reason = f"{who}: {word.reason}" if word.reason else who
    return _ended(state, word.item, ItemStatus.STRUCK, reason, None)


def ending(state: SwarmState, reason: str) -> SwarmState:
    """Nothing more is begun; what is at work ends by itself."""
    if state.ending:
        return state
    state = state.model_copy(update={"ending": reason[:REASON_CHARACTERS]})
    for item, run in state.items.items():
        if run.status is ItemStatus.PENDING:
            state = _ended(state, item, ItemStatus.CANCELLED, reason, run.failure)
    return state


def with_run(state: SwarmState, item: str, more: dict[str, object]) -> SwarmState:
    """The swarm with one item changed."""
    run = state.items[item].model_copy(update=more)
    return state.model_copy(update={"items": {**state.items, item: run}})


def with_host(state: SwarmState, host_id: str) -> SwarmState:
    """A host has worked on an item: what is left there is removed at the end."""
    if not host_id or host_id in state.hosts:
        return state
    return state.model_copy(update={"hosts": (*state.hosts, host_id)[-HOSTS_KEPT:]})


_NO_WAIT: dict[str, object] = {"waits_for": "", "waits_for_kind": "", "needs_person": False}


def _ended(state: SwarmState, item: str, status: ItemStatus, reason: str, failure: ItemFailure | None) -> SwarmState:
    """An item is over without being merged, and so is all that needs it."""
    more: dict[str, object] = {"status": status, "reason": reason[:REASON_CHARACTERS], "failure": failure, **_NO_WAIT}
    state = with_run(state, item, more)
    for other, needed in _below(state, item):
        if not state.items[other].status.is_final:
            blocked: dict[str, object] = {"status": ItemStatus.BLOCKED, "reason": f"{needed} was not merged"}
            state = with_run(state, other, blocked)
    return state


def _below(state: SwarmState, item: str) -> Iterable[tuple[str, str]]:
    """Whatever depends on an item, directly or not, each with what it depends on."""
    needs: dict[str, list[str]] = defaultdict(list)
    for row in state.start.plan.rows:
        for other in row.depends_on:
            needs[other].append(row.id)
    found: dict[str, str] = {}
    layer = [item]
    while layer:
        current = layer.pop()
        for other in needs[current]:
            if other not in found:
                found[other] = current
                layer.append(other)
    return found.items()


def _sharers(state: SwarmState) -> int:
    """Items that will still want a share, and have none said by the plan."""
    said = {row.id for row in state.start.plan.rows if row.budget_share is not None}
    return sum(
        run.status is ItemStatus.PENDING and item not in state.account.shares and item not in said
        for item, run in state.items.items()
    )


def share_of(state: SwarmState, name: str) -> Allowance:
    """What somebody at work may spend."""
    return state.account.shares.get(name, Allowance())
