"""How one way in stands: its state, what it counted, and when that was. Logged on change, shown in health."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import structlog

from longshift.telemetry.counters import INTAKE_TASKS, Count, Counters

log = structlog.get_logger("longshift.intake")


class State(StrEnum):
    """What a way in does at the moment."""

    STARTING = "starting"
    WORKING = "working"
    FULL = "full"
    """The backlog has reached its limit: nothing is taken in."""
    ENGINE_AWAY = "engine_away"
    SOURCE_AWAY = "source_away"
    """The broker, the folder or the other side cannot be reached."""
    FAILED = "failed"
    """It ended by an error and is started again after a pause."""
    STOPPED = "stopped"


CALM = frozenset({State.STARTING, State.WORKING, State.STOPPED})


class Outcome(StrEnum):
    """What became of a task that came in."""

    ACCEPTED = "accepted"
    KNOWN = "known"
    """Its session existed: a repetition."""
    REFUSED = "refused"
    """No session can be made of it; it lies with the dead letters."""
    RETURNED = "returned"
    """Given back for later, through no fault of its own."""
    UNSETTLED = "unsettled"
    """What became of it could not be told to the sender, which will send it again."""


@dataclass
class Standing:
    """The state and the counts of one way in."""

    name: str
    counters: Counters | None = None
    state: State = State.STARTING
    detail: str = ""
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    restarts: int = 0
    pending: int | None = None
    """How many wait at the source, as far as known."""
    counts: Counter[Outcome] = field(default_factory=Counter[Outcome])

    def move(self, state: State, detail: str = "") -> None:
        """Take a state; said once, however often it is noticed."""
        if state is not self.state:
            say = log.info if state in CALM else log.warning
            say("intake", source=self.name, state=state.value, **({"detail": detail} if detail else {}))
            self.state, self.since = state, datetime.now(UTC)
        self.detail = detail

    def count(self, outcome: Outcome) -> None:
        """One more task with this outcome."""
        self.counts[outcome] += 1
        if self.counters is not None:
            labels = {"longshift.intake.source": self.name, "longshift.intake.outcome": outcome.value}
            self.counters.add([Count(INTAKE_TASKS, 1, labels)])

    def document(self) -> dict[str, Any]:
        """For health."""
        return {
            "name": self.name,
            "state": self.state.value,
            "detail": self.detail,
            "since": self.since.isoformat(timespec="seconds"),
            "restarts": self.restarts,
            "pending": self.pending,
            **{outcome.value: self.counts[outcome] for outcome in Outcome},
        }
