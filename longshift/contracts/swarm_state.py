"""What a swarm carries through continue-as-new: how far each item has come, what is spent, how wide it is.

What the integration carries besides is in `reconciling`.
"""

from longshift.contracts.ledger import Account, Allowance, Spend
from longshift.contracts.reconciling import Reconciling
from longshift.contracts.swarm import ItemEnd, ItemFailure, ItemNote, ItemStatus
from longshift.contracts.swarm_activities import OpenedSwarm
from longshift.contracts.swarm_start import SwarmStart
from longshift.contracts.wire import Wire


class ItemRun(Wire):
    """How far one item has come; some 250 bytes of JSON."""

    status: ItemStatus = ItemStatus.PENDING
    attempt: int = 0
    """The one at work, or the last; 0: not begun."""
    failure: ItemFailure | None = None
    """How the last attempt ended."""
    reason: str = ""
    """At most 200 characters."""
    waits_for: str = ""
    """What holds it up, at most 120 characters."""
    waits_for_kind: str = ""
    """The kind of that attention."""
    needs_person: bool = False
    wants: Allowance | None = None
    """An attempt used all of this share up: the next one is begun when there is as much again."""
    heard: int = 0
    """How many of the swarm's notes were there when it was begun, or told of one, last."""
    steps: int = 0
    """Of ended attempts, as the next five."""
    tokens: int = 0
    usd: float = 0.0
    files: int = 0
    seconds: float = 0.0
    started_at: float = 0.0
    """Of the attempt at work, or the last; 0: not begun."""


class ResolverRun(Wire):
    """A sub-agent that mends a merge."""

    attempt: int = 1
    end: ItemEnd | None = None
    """None: it is at work."""
    waits_for: str = ""
    """What holds it up, as of an item; empty: nothing."""
    needs_person: bool = False


class WidthState(Wire):
    """How many items may be at work at once; see `policy.width`."""

    ceiling: int = 1
    """The least of the plan's, the runner's and the items."""
    ramp_from: int = 1
    """What may be at work as the ramp begins."""
    ramp_at: float = 0.0
    """When it begins, in seconds since 1970; after a 429 only once it is quiet."""


class SwarmState(Wire):
    """The whole of it."""

    start: SwarmStart
    """Without the texts of the plan."""
    opened: OpenedSwarm | None = None
    items: dict[str, ItemRun] = {}
    """In the order of the plan."""
    resolvers: dict[str, ResolverRun] = {}
    """By `ids.resolver_item`; those that have ended until that is taken."""
    account: Account = Account()
    """Whoever has a share in it is at work, or has not told its end yet."""
    costs: dict[str, Spend] = {}
    """By model profile."""
    began_at: float = 0.0
    """Seconds since 1970."""
    width: WidthState = WidthState()
    notes: tuple[ItemNote, ...] = ()
    """What was said, for items that are not begun yet; the last 20."""
    said: int = 0
    """How many notes there were in all."""
    paused: bool = False
    fleet_held: bool = False
    has_slot: bool = True
    """Whether a host holds the lead's workspace, `start.workspace`, now."""
    ending: str = ""
    """Why nothing new is begun."""
    wrap_up_at: float | None = None
    """When the session's time is up, once its end is near; seconds since 1970."""
    hosts: tuple[str, ...] = ()
    """Where items have worked, at most 100."""
    reconciling: Reconciling = Reconciling()
    number: int = 0
    """Of the last summary."""
    runs: int = 1
    """Continue-as-new runs so far, this one included."""
