"""Accounts of what agents may spend and have spent: tokens, dollars, steps. What is decided from them is policy."""

from enum import StrEnum

from longshift.contracts.model import Usage
from longshift.contracts.wire import Wire


class OnLimit(StrEnum):
    """What happens when the next model call does not fit the budget any more."""

    ASK = "ask"
    """The session holds, gives its slot back, and asks a person, however long that takes."""
    STOP = "stop"
    """A hand-off note is written, and the session ends as `expired`."""


class Spend(Wire):
    """What was spent, or may be."""

    usage: Usage = Usage()
    usd: float = 0.0
    steps: int = 0

    @property
    def tokens(self) -> int:
        """All of them, however they were billed."""
        return self.usage.total_tokens

    def __add__(self, other: "Spend") -> "Spend":
        return Spend(usage=self.usage + other.usage, usd=self.usd + other.usd, steps=self.steps + other.steps)


class Allowance(Wire):
    """What may be spent; None: as much as the one above allows."""

    tokens: int | None = None
    usd: float | None = None
    steps: int | None = None


class Extension(Wire):
    """More of what may be spent; 0: no more of that."""

    tokens: int = 0
    usd: float = 0.0
    steps: int = 0

    def __add__(self, other: "Extension") -> "Extension":
        return Extension(tokens=self.tokens + other.tokens, usd=self.usd + other.usd, steps=self.steps + other.steps)

    def __sub__(self, other: "Extension") -> "Extension":
        return Extension(tokens=self.tokens - other.tokens, usd=self.usd - other.usd, steps=self.steps - other.steps)


class Account(Wire):
    """The account of an agent, or of one that has sub-agents: what they get is taken out of it."""

    limits: Allowance = Allowance()
    spent: Spend = Spend()
    unknown: Spend = Spend()
    """The part of `spent` that nobody told: calls whose outcome is unknown, booked at their reservation."""
    reserved: dict[str, Spend] = {}
    """What calls in flight may cost at most, by call."""
    shares: dict[str, Allowance] = {}
    """What sub-agents at work may spend, by sub-agent."""


class Booked(Wire):
    """What the requests of one model activity cost so far; its heartbeats carry this from attempt to attempt."""

    usage: Usage = Usage()
    """Of requests that are over, the unknown ones at their reservation."""
    unknown: Usage = Usage()
    """The part of it that no provider told."""
    in_flight: Usage = Usage()
    """What the request that is out may cost at most."""
    throttled: int = 0
    """How often the provider said that there were too many requests."""
