"""What a swarm may spend: what its lead may still spend, less what the lead needs to go on with the results."""

from math import floor

from longshift.contracts.agent import AgentState
from longshift.contracts.ledger import Allowance
from longshift.policy import budget, ledger

RESERVE_SHARE = 0.05
"""Of the task's own budget; the lead keeps so much, and not less than its next call may cost."""
_DOLLAR_DIGITS = 6


def allowance(state: AgentState) -> Allowance:
    """For the swarm that is about to start; None where the lead has no limit either, never below 0."""
    rest = {name: None if amount is None else max(0.0, amount) for name, amount in _left(state).items()}
    tokens, usd, steps = (rest[name] for name in ledger.LIMITS)
    return Allowance(
        tokens=None if tokens is None else floor(tokens),
        usd=None if usd is None else round(usd, _DOLLAR_DIGITS),
        steps=None if steps is None else floor(steps),
    )


def nothing_left(state: AgentState) -> str:
    """Why nothing is left for a swarm, with the numbers; empty: something is."""
    has, kept, limits = ledger.left(budget.account(state)), _kept(state), ledger.amounts(budget.limits(state))
    given = ledger.amounts(allowance(state))
    return "; ".join(
        f"budget.{name}: {_number(has[name])} of {_number(limits[name])} are left, and {_number(kept[name])} of them "
        "are kept for your own next steps"
        for name, amount in given.items()
        if amount is not None and amount <= 0
    )


def _left(state: AgentState) -> ledger.Amounts:
    kept = _kept(state)
    here = ledger.left(budget.account(state))
    return {name: None if rest is None else rest - kept[name] for name, rest in here.items()}


def _kept(state: AgentState) -> dict[str, float]:
    call, own = ledger.amounts(budget.next_call(state)), ledger.amounts(state.limits.own)
    return {name: max(call[name] or 0, RESERVE_SHARE * (own[name] or 0)) for name in ledger.LIMITS}


def _number(amount: float | None) -> str:
    return f"{max(0.0, amount or 0.0):,.4f}".rstrip("0").rstrip(".")
