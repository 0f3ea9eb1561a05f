"""The budget of a swarm is one account: whoever is at work holds a share of it, and what is not used comes back.

The arithmetic of accounts is `policy.ledger`'s.
"""

from longshift.contracts.ledger import Account, Allowance, Extension
from longshift.contracts.swarm import ItemEnd, ItemFailure
from longshift.policy import ledger


def share(account: Account, sharers: int, part: float | None = None) -> Allowance | None:
    """What the next one may spend: evenly with the `sharers` that have no share yet (itself among them), or `part` of
    the whole where the plan says so; None where nothing is left."""
    rest, whole = ledger.left(account), ledger.amounts(account.limits)
    amounts: dict[str, float | None] = {}
    for name, left in rest.items():
        limit = whole[name]
        if left is None or limit is None:
            amounts[name] = None
            continue
        wanted = left / max(1, sharers) if part is None else min(limit * part, left)
        if wanted < (1e-6 if name == "usd" else 1):
            return None
        amounts[name] = wanted if name == "usd" else int(wanted)
    tokens, usd, steps = (amounts[name] for name in ledger.LIMITS)
    return Allowance(tokens=_whole(tokens), usd=usd, steps=_whole(steps))


def granted(account: Account, name: str, allowance: Allowance) -> Account | None:
    """The account with that share taken out; None where it has not got so much."""
    return ledger.grant(account, name, allowance)


def ended(account: Account, name: str, end: ItemEnd) -> Account:
    """An attempt has told what it spent; of one that was lost the whole share counts, as nobody knows."""
    allowance = account.shares.get(name)
    if allowance is None:
        return account
    if end.failure is ItemFailure.LOST:
        return ledger.write_off(account, name)
    return ledger.settle(account, name, Account(limits=allowance, spent=end.spent, unknown=end.unknown))


def extended(account: Account, more: Extension) -> Account:
    """A person gave more."""
    return account.model_copy(update={"limits": ledger.extended(account.limits, more)})


def covers(offered: Allowance, wanted: Allowance | None) -> bool:
    """Whether a share is at least as large as the one that was used up before."""
    if wanted is None:
        return True
    wants = ledger.amounts(wanted)
    return all(has is None or has + 1e-6 >= (wants[name] or 0) for name, has in ledger.amounts(offered).items())


def _whole(amount: float | None) -> int | None:
    return None if amount is None else int(amount)
