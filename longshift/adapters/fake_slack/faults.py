"""Failures by order: the next calls of a method fail in the ordered way."""

from dataclasses import dataclass
from enum import Enum, auto


class FaultKind(Enum):
    """How a call fails."""

    RATE_LIMITED = auto()
    """429, nothing done."""
    SERVER_ERROR = auto()
    """503 with a page of HTML, nothing done."""
    LOST_ANSWER = auto()
    """Done, and the connection breaks before the answer."""
    LOST_REQUEST = auto()
    """The connection breaks, nothing done."""
    ERROR = auto()
    """Slack's own error, nothing done."""


@dataclass(frozen=True)
class Fault:
    """One failure."""

    method: str
    kind: FaultKind
    error: str = ""
    retry_after_seconds: int = 1


class FaultPlan:
    """Ordered faults, used up one by one."""

    def __init__(self) -> None:
        self._ordered: list[Fault] = []

    def order(self, *faults: Fault) -> None:
        """Let the next calls fail."""
        self._ordered += faults

    def take(self, method: str) -> Fault | None:
        """How this call fails, if it does."""
        found = next((each for each in self._ordered if each.method == method), None)
        if found is not None:
            self._ordered.remove(found)
        return found
