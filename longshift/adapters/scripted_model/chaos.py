"""Which fault meets which request: seeded chaos, faults of single turns, faults ordered from outside, exhausted quota.

What a fault then does is in `answer`, `errors` and `messages`.
"""

import random
from collections import deque

from pydantic import Field

from longshift.adapters.scripted_model.script import Fault, FaultKind, Turn
from longshift.contracts.wire import UserInput

TRANSIENT = (
    FaultKind.RATE_LIMITED,
    FaultKind.ENGINE_OVERLOADED,
    FaultKind.OVERLOADED,
    FaultKind.SERVER_ERROR,
    FaultKind.UNAVAILABLE,
    FaultKind.GATEWAY_TIMEOUT,
    FaultKind.RESET,
    FaultKind.CUT,
    FaultKind.ERROR_EVENT,
    FaultKind.NO_END,
    FaultKind.EMPTY,
)
"""Faults that pass by themselves and at once: the same request succeeds when it is sent again."""


class Chaos(UserInput):
    """Random faults that depend on the seed and the request's ordinal number only."""

    seed: int = 0
    rates: dict[FaultKind, float] = {}
    """Probability of each kind, per request; together at most 1."""
    retry_after_seconds: float | None = Field(default=0.0, ge=0)
    seconds: float = Field(default=0.05, gt=0)
    max_events: int = Field(default=6, ge=0)
    """Streams break after 0 to this many events."""
    quota_requests: int = Field(default=3, ge=1)
    """How many requests in a row an exhausted quota refuses."""
    until_request: int | None = None
    """The last request that may fail."""

    @classmethod
    def storm(cls, seed: int, share: float = 0.3, until_request: int | None = None) -> "Chaos":
        """Every transient kind, evenly, so that `share` of all requests fail."""
        return cls(seed=seed, rates={kind: share / len(TRANSIENT) for kind in TRANSIENT}, until_request=until_request)

    def fault_for(self, ordinal: int) -> Fault | None:
        """The fault of request number `ordinal`, counted from 1."""
        if self.until_request is not None and ordinal > self.until_request:
            return None
        generator = random.Random(f"{self.seed}:{ordinal}")
        drawn = generator.random()
        for kind, rate in sorted(self.rates.items()):
            if drawn < rate:
                return Fault(
                    kind=kind,
                    times=self.quota_requests if kind is FaultKind.QUOTA else 1,
                    retry_after_seconds=self.retry_after_seconds,
                    after_events=generator.randint(0, self.max_events),
                    seconds=self.seconds,
                )
            drawn -= rate
        return None


class FaultPlan:
    """The server's memory of faults; everything that moves it is here."""

    def __init__(self, chaos: Chaos | None) -> None:
        self._chaos = chaos
        self._ordered: deque[Fault] = deque()
        self._quota: int | None = 0
        self._met: dict[tuple[str, int, bool], int] = {}

    def order(self, faults: tuple[Fault, ...]) -> None:
        """Let the next requests fail, in this order."""
        self._ordered.extend(fault for fault in faults for _ in range(fault.times))

    def exhaust_quota(self, requests: int | None) -> None:
        """Refuse this many requests, or all until `restore_quota`."""
        self._quota = requests

    def restore_quota(self) -> None:
        """Accept requests again."""
        self._quota = 0

    def next_fault(self, ordinal: int, user_id: str, turn_index: int, is_handoff: bool, turn: Turn) -> Fault | None:
        """The fault of this request, which counts as met."""
        if self._quota is None or self._quota > 0:
            self._quota = None if self._quota is None else self._quota - 1
            return Fault(kind=FaultKind.QUOTA, retry_after_seconds=None)
        if self._ordered:
            return self._ordered.popleft()
        if fault := self._fault_of_turn((user_id, turn_index, is_handoff), turn):
            return fault
        fault = self._chaos.fault_for(ordinal) if self._chaos else None
        if fault is not None and fault.kind is FaultKind.QUOTA:
            self._quota = fault.times - 1
        return fault

    def _fault_of_turn(self, key: tuple[str, int, bool], turn: Turn) -> Fault | None:
        met = self._met.get(key, 0)
        left = met
        for fault in turn.faults:
            if left < fault.times:
                self._met[key] = met + 1
                return fault
            left -= fault.times
        return None
