"""What the swarms of an agent spent, in the agent's account: once, while they are at work and after.

Of the swarm at work its newest summary tells; it is added to `AgentState.delegated` when the swarm is over.
"""

from longshift.contracts.agent import AgentState
from longshift.contracts.ledger import Spend
from longshift.contracts.swarm import SwarmSummary

KEPT_SWARMS = 10


def current(state: AgentState) -> SwarmSummary | None:
    """The newest summary of the swarm at work."""
    here = state.delegation
    return state.swarm if here is not None and state.swarm and state.swarm.swarm == here.swarm else None


def spent(state: AgentState) -> Spend:
    """By all swarms of the agent; its steps are those of sub-agents."""
    now = current(state)
    return state.delegated + now.spent.model_copy(update={"steps": now.steps}) if now else state.delegated


def unknown(state: AgentState) -> Spend:
    """The part of it that no provider told."""
    now = current(state)
    return state.delegated_unknown + now.unknown if now else state.delegated_unknown


def costs(state: AgentState) -> dict[str, Spend]:
    """What the agent and all its swarms spent, by model profile."""
    now = current(state)
    tables = (state.costs, state.delegated_costs, now.costs if now else {})
    total: dict[str, Spend] = {}
    for table in tables:
        total |= {profile: total.get(profile, Spend()) + cost for profile, cost in table.items()}
    return total


def told(state: AgentState, summary: SwarmSummary) -> AgentState:
    """The swarm at work tells how far it has come; an older word than the last one changes nothing."""
    here, now = state.delegation, current(state)
    if here is None or summary.swarm != here.swarm or (now is not None and summary.number <= now.number):
        return state
    return state.model_copy(update={"swarm": summary})


def settled(state: AgentState, last: SwarmSummary | None = None) -> AgentState:
    """The `delegate` call is over, with `last` as the swarm's last word: what it spent is booked for good."""
    if last is not None:
        state = state.model_copy(update={"swarm": last})
    now = current(state)
    if now is not None:
        state = _booked(state).model_copy(update={"swarm": now, "swarms": (*state.swarms, now)[-KEPT_SWARMS:]})
    return state if state.delegation is None else state.model_copy(update={"delegation": None})


def lost(state: AgentState) -> AgentState:
    """The swarm ended without a report and may be run again: what it told so far is booked, and it counts anew."""
    return state if current(state) is None else _booked(state)


def _booked(state: AgentState) -> AgentState:
    own_left_out = state.model_copy(update={"costs": {}})
    return state.model_copy(
        update={
            "delegated": spent(state),
            "delegated_unknown": unknown(state),
            "delegated_costs": costs(own_left_out),
            "swarm": None,
        }
    )
