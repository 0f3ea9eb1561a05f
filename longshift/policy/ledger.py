"""One budget for a tree of agents: reserve before a call, commit what it cost, give shares and take back what is left.

An account never lets out more than it has: what is spent, reserved and shared out stays within its limits, so a tree
spends over its cap at most what calls in flight cost beyond their reservation. Where the account of an agent's own
state comes from, and what an agent does that may not spend, is `policy.budget`'s.
"""

from typing import TypeVar

from longshift.contracts.ledger import Account, Allowance, Extension, Spend
from longshift.contracts.model import Usage

Value = TypeVar("Value")

LIMITS = ("tokens", "usd", "steps")
"""What is limited, in the order in which it is told."""
_ROUNDING = 1e-9
"""Sums of dollars are off by less; a limit is not missed by a rounding."""

Amounts = dict[str, float | None]
"""By the names in `LIMITS`; None: unlimited."""


def amounts(of: Spend | Allowance | Extension) -> Amounts:
    """The three numbers of a value."""
    return {"tokens": of.tokens, "usd": of.usd, "steps": of.steps}


def left(account: Account) -> Amounts:
    """What may still be reserved or shared out; below zero where calls cost more than their reservation."""
    rest: Amounts = {}
    out = [amounts(each) for each in (account.spent, *account.reserved.values(), *account.shares.values())]
    for name, limit in amounts(account.limits).items():
        rest[name] = None if limit is None else limit - sum(each[name] or 0 for each in out)
    return rest


def shortage(account: Account, wanted: Spend) -> tuple[str, ...]:
    """The limits that `wanted` does not fit, in the order of `LIMITS`; a limit that is used up fits nothing."""
    wants = amounts(wanted)
    return tuple(
        name
        for name, rest in left(account).items()
        if rest is not None and (rest <= _ROUNDING or (wants[name] or 0) > rest + _ROUNDING)
    )


def reserve(account: Account, call: str, most: Spend) -> Account | None:
    """The account with what a call may cost set aside; None where it does not fit. The same call twice is one."""
    if call in account.reserved:
        return account
    if shortage(account, most):
        return None
    return account.model_copy(update={"reserved": {**account.reserved, call: most}})


def commit(account: Account, call: str, cost: Spend) -> Account:
    """A call is over and has told its cost; one that was not reserved, or is over already, changes nothing."""
    if call not in account.reserved:
        return account
    return account.model_copy(
        update={"reserved": _without(account.reserved, call), "spent": account.spent + cost},
    )


def lose(account: Account, call: str) -> Account:
    """Nobody will ever tell what a call cost: its reservation counts."""
    most = account.reserved.get(call)
    if most is None:
        return account
    return commit(account, call, most).model_copy(update={"unknown": account.unknown + most})


def grant(account: Account, child: str, share: Allowance) -> Account | None:
    """The account with a sub-agent's share taken out; None where it has not got so much.

    What is limited here has to be limited in a share as well. The same sub-agent's share twice is one.
    """
    if child in account.shares:
        return account
    wants = amounts(share)
    for name, rest in left(account).items():
        wanted = wants[name]
        if wanted is not None and wanted < 0:
            return None
        if rest is not None and (wanted is None or wanted > rest + _ROUNDING):
            return None
    return account.model_copy(update={"shares": {**account.shares, child: share}})


def settle(account: Account, child: str, own: Account) -> Account:
    """A sub-agent is over and brings its own account: what it spent counts here, the rest of its share is free again.

    Its calls whose end it has not seen, and shares that it gave and that never came back, count as spent. Whoever is
    not known, or was settled before, changes nothing.
    """
    if child not in account.shares:
        return account
    over = closed(own)
    return account.model_copy(
        update={
            "shares": _without(account.shares, child),
            "spent": account.spent + over.spent,
            "unknown": account.unknown + over.unknown,
        }
    )


def write_off(account: Account, child: str) -> Account:
    """A sub-agent is gone and will never tell what it spent: its whole share counts."""
    share = account.shares.get(child)
    if share is None:
        return account
    whole = _whole(share)
    return account.model_copy(
        update={
            "shares": _without(account.shares, child),
            "spent": account.spent + whole,
            "unknown": account.unknown + whole,
        }
    )


def closed(account: Account) -> Account:
    """The account when nothing goes on in it any more: what is out is booked as it was set aside."""
    for call in account.reserved:
        account = lose(account, call)
    for child in account.shares:
        account = write_off(account, child)
    return account


def extended(limits: Allowance, more: Extension) -> Allowance:
    """Higher limits; what has none stays without."""
    return Allowance(
        tokens=None if limits.tokens is None else limits.tokens + more.tokens,
        usd=None if limits.usd is None else limits.usd + more.usd,
        steps=None if limits.steps is None else limits.steps + more.steps,
    )


def _whole(share: Allowance) -> Spend:
    """A share as if all of it was spent; on which kind of tokens nobody knows, so they count as output."""
    return Spend(usage=Usage(output_tokens=share.tokens or 0), usd=share.usd or 0.0, steps=share.steps or 0)


def _without(table: dict[str, Value], key: str) -> dict[str, Value]:
    return {name: value for name, value in table.items() if name != key}
