"""Sub-agents that mend merges: beside the window of items, and inside of the swarm's budget.

When one is wanted, and what follows from its end, is `policy.reconcile`'s.
"""

from longshift.contracts import ids
from longshift.contracts.item import ItemInput
from longshift.contracts.swarm import ItemEnd, ItemFailure, ItemNews, ItemStatus
from longshift.contracts.swarm_state import ResolverRun, SwarmState
from longshift.policy import swarm_begin, swarm_budget, swarm_window

RETRIED = frozenset({ItemFailure.HOST, ItemFailure.LOST})
"""Not the resolver's own doing: it is begun again."""


def name_of(item: str, number: int) -> str:
    """The name of a resolver among the items."""
    return ids.resolver_item(item, number)


def is_wanted(state: SwarmState, item: str) -> bool:
    """Whether the work of an item is still to be merged, and something may begin."""
    return not state.ending and state.items[item].status is ItemStatus.SEALED


def of_item(state: SwarmState, item: str) -> tuple[str, ...]:
    """The resolvers that an item has now."""
    return tuple(name for name in state.resolvers if ids.item_of_resolver(name) == item)


def begun(state: SwarmState, name: str, now: float) -> tuple[SwarmState, ItemInput] | None:
    """The swarm with a resolver at work, and its input; None: there is no budget for it now."""
    run = state.resolvers.get(name)
    share = swarm_budget.share(state.account, 1 + len(swarm_window.ready(state)))
    account = swarm_budget.granted(state.account, name, share) if share is not None else None
    if share is None or account is None:
        return None
    run = run.model_copy(update={"attempt": run.attempt + 1}) if run is not None else ResolverRun()
    state = state.model_copy(update={"account": account, "resolvers": {**state.resolvers, name: run}})
    request = swarm_begin.attempt_input(state, name, share, now)
    return state, request.model_copy(update={"attempt": run.attempt, "has_checks": True})


def heard(state: SwarmState, news: ItemNews) -> SwarmState:
    """A resolver is held up, or goes on."""
    run = state.resolvers.get(news.item)
    if run is None or run.end is not None:
        return state
    waits = {"waits_for": swarm_window.waits_for(news), "needs_person": news.waiting and news.needs_person}
    return state.model_copy(update={"resolvers": {**state.resolvers, news.item: run.model_copy(update=waits)}})


def after_end(state: SwarmState, end: ItemEnd, now: float) -> SwarmState | None:
    """The swarm after the end of a resolver's attempt; None: it is not one's."""
    run = state.resolvers.get(end.item)
    if run is None:
        return None if end.item in state.items else state
    if end.attempt != run.attempt or end.item not in state.account.shares:
        return state
    state = swarm_window.booked(state, end.item, end, now)
    over = None if is_to_begin_again(state, end) else end
    kept = ResolverRun(attempt=run.attempt, end=over)
    return state.model_copy(update={"resolvers": {**state.resolvers, end.item: kept}})


def is_to_begin_again(state: SwarmState, end: ItemEnd) -> bool:
    """Whether another attempt follows."""
    return end.failure in RETRIED and end.attempt < state.start.attempts and not state.ending


def taken(state: SwarmState, name: str) -> tuple[SwarmState, ItemEnd | None]:
    """Without a resolver whose end has been taken, and that end; None: it has none yet."""
    run = state.resolvers.get(name)
    if run is None or run.end is None:
        return state, None
    others = {other: each for other, each in state.resolvers.items() if other != name}
    return state.model_copy(update={"resolvers": others}), run.end


def not_begun(item: str, state: SwarmState) -> ItemEnd:
    """The end of a resolver for which nothing is left, or whose swarm ends, or that nobody wants any more."""
    if state.ending:
        return ItemEnd(item=item, failure=ItemFailure.ENDED, reason=state.ending)
    return ItemEnd(item=item, failure=ItemFailure.OVER_BUDGET, reason=swarm_window.NO_BUDGET)
