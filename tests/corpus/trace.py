"""A labelled trace, and what the detector says while it is played."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from longshift.contracts.agent import Recall
from longshift.contracts.stuck import Signal, SignalKind, StepEvidence, StuckState, StuckThresholds
from longshift.policy import stuck


@dataclass(frozen=True)
class Event:
    """A closed step, and what comes with it."""

    step: StepEvidence
    """Without the files' hash, which comes later."""
    tree: str = ""
    """What the checkpoint after the step tells, one step later."""
    recall: Recall = field(default_factory=Recall)


@dataclass(frozen=True)
class Trace:
    """Steps with a label."""

    name: str
    events: tuple[Event, ...]
    expected: frozenset[SignalKind] = frozenset()
    """What has to be found; nothing in a healthy trace."""
    stuck_from: int = 0
    """The first step of being stuck; no signal before it is right. 0 in a healthy trace."""
    found_by: int = 0
    """The step by which all that is expected has been found; 0 in a healthy trace."""
    thresholds: StuckThresholds = field(default_factory=StuckThresholds)

    @property
    def is_held_out(self) -> bool:
        """Whether no threshold and no rule may be chosen by it: half of the traces, by their names."""
        return self.name.startswith("unseen") or hashlib.sha256(f"c {self.name}".encode()).digest()[0] % 2 == 0


@dataclass(frozen=True)
class Heard:
    """A signal, after a step."""

    step: int
    signal: Signal


@dataclass(frozen=True)
class Verdict:
    """How well the detector did on a trace."""

    trace: Trace
    early: tuple[Heard, ...]
    """Signals where nothing was stuck."""
    missed: frozenset[SignalKind]
    """What was not found in time."""
    first: int
    """The step at which all that was expected had been found; 0 if it was not."""


def play(events: Sequence[Event], thresholds: StuckThresholds, state: StuckState | None = None) -> list[Heard]:
    """All signals after each step; a checkpoint's news come before the next step closes."""
    state = state or StuckState()
    heard: list[Heard] = []
    late: Event | None = None
    for event in events:
        if late is not None:
            state = stuck.with_tree(state, late.step.step, late.tree)
        state = stuck.observed(state, event.step, thresholds, recall=event.recall)
        heard += [Heard(event.step.step, signal) for signal in state.signals]
        late = event if event.tree else None
    return heard


def judge(trace: Trace) -> Verdict:
    """Play a trace and hold what is heard against its label."""
    heard = play(trace.events, trace.thresholds)
    early = tuple(each for each in heard if not trace.expected or each.step < trace.stuck_from)
    found: dict[SignalKind, int] = {}
    for each in heard:
        if trace.stuck_from <= each.step <= trace.found_by:
            found.setdefault(each.signal.kind, each.step)
    missed = trace.expected - found.keys()
    first = max((found[kind] for kind in trace.expected), default=0) if not missed else 0
    return Verdict(trace, early, missed, first)
