"""How far the merging of a swarm has come: carried by the swarm, moved by `policy.reconcile` alone.

Bounded by the number of items. What a merge is of is in the store; nothing here holds more than names and numbers.
"""

from longshift.contracts.checks import ChecksDigest
from longshift.contracts.swarm_activities import Merge
from longshift.contracts.wire import Wire

RESOLVERS = 1
"""How many sub-agents may try to mend the merge of one item."""
FILES_SHOWN = 20


class Part(Wire):
    """Work that is tried together, in this order."""

    merges: tuple[Merge, ...]
    is_rest: bool = False
    """Together with the part before it, it was red."""
    is_known_red: bool = False
    """The part before it turned out green: so what was red lies in here."""


class Trial(Wire):
    """A part that is being merged on the green state, and proved."""

    part: Part
    onto: int
    """The green state that it began on."""
    at: int
    """The state that it has come to; `onto` while nothing is merged."""
    left: tuple[Merge, ...] = ()
    """What is still to be merged."""
    merged: tuple[Merge, ...] = ()
    reds: int = 0
    """How often the checks were red on it."""
    is_spoilt: bool = False
    """Somebody took out an item that is in it already: it counts for nothing, whatever the checks say."""


class Mending(Wire):
    """An item whose merge a sub-agent mends."""

    merge: Merge
    number: int
    """Of the resolver, from 1."""
    onto: int
    """The green state that it starts from."""
    files: tuple[str, ...] = ()
    """Where the conflict is, at most 20; empty: the merge was clean, and the checks were red."""
    red_checks_step: int = 0
    evidence: ChecksDigest | None = None
    """What the checks said, as far as they were red, in short."""
    is_open: bool = False
    """Its task is written."""
    is_done: bool = False
    """Its work is sealed, and on its way into the green state: until then nobody else mends these files."""


class Reconciling(Wire):
    """The whole state."""

    has_checks: bool = True
    """Without, every merge counts as green."""
    resolvers: int = RESOLVERS
    """How many sub-agents may try to mend the merge of one item."""
    integrated: int = 0
    """The newest state that is green; 0: the lead's base."""
    numbers: int = 0
    """The last number that was given to a state."""
    checks: int = 0
    """How often checks were run; each run has a step of its own."""
    merged: tuple[Merge, ...] = ()
    """What is in the green state, in the order in which it came there."""
    queue: tuple[Merge, ...] = ()
    """Sealed, and in no trial."""
    clashed: tuple[str, ...] = ()
    """Items of the queue that did not fit to what was merged before them in a trial: they come first in the next one,
    so that they meet nothing but the green state."""
    held: dict[str, str] = {}
    """Items of the queue → the item whose mending they wait for, as both are about the same files."""
    trial: Trial | None = None
    parts: tuple[Part, ...] = ()
    """What is left of a red batch after the trial, in order."""
    mending: tuple[Mending, ...] = ()
    tried: dict[str, int] = {}
    """Item → resolvers that it has had."""
    proof: ChecksDigest | None = None
    """What the checks said of the green state, in short; None: nothing was proved yet."""
    out: tuple[str, ...] = ()
    """Items of which nothing will be merged: dropped here, or failed, blocked, struck or cancelled."""

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do before the next item is sealed."""
        return not (self.queue or self.trial or self.parts or self.mending)
