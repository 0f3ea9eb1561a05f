"""The kept steps as the signals look at them: how the files moved, what each step did, what was known before."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from longshift.contracts.agent import Recall
from longshift.contracts.stuck import StepEvidence, StuckState, StuckThresholds
from longshift.policy.stuck import keeping


class Move(Enum):
    """What became of the files in a step."""

    NONE = auto()
    NEW = auto()
    """A state that they were never in, as far as is known."""
    BACK = auto()
    """A state that they had left."""


@dataclass(frozen=True)
class Window:
    """All that a signal may look at, after a step; there is at least one step."""

    state: StuckState
    thresholds: StuckThresholds
    recall: Recall
    moves: tuple[Move, ...]
    """One for each of `steps`."""

    @property
    def steps(self) -> tuple[StepEvidence, ...]:
        """Oldest first."""
        return self.state.steps

    @property
    def last(self) -> StepEvidence:
        """The step that was just closed."""
        return self.state.steps[-1]


def moves_of(state: StuckState) -> tuple[Move, ...]:
    """How the files moved in each of the kept steps; the first known state counts as the one that was found."""
    seen = frozenset(state.seen) if any([step.tree for step in state.steps]) else frozenset[str]()
    known = {state.tree_before}
    before = state.tree_before
    moves: list[Move] = []
    for step in state.steps:
        if not step.tree or step.tree == before or not before:
            moves.append(Move.NONE)
        elif step.tree in known or keeping.tree_key(step.tree) in seen:
            moves.append(Move.BACK)
        else:
            moves.append(Move.NEW)
        before = step.tree or before
        known.add(before)
    return tuple(moves)


def waits(step: StepEvidence) -> bool:
    """Whether the step looked at a job that still runs."""
    return any([call.waits for call in step.calls])


def fails(step: StepEvidence) -> bool:
    """Whether there were calls, and none of them did what it should."""
    return bool(step.calls) and all([call.failed or call.rejected for call in step.calls])


def is_malformed(step: StepEvidence) -> bool:
    """Whether there were calls, and none of them came through."""
    return bool(step.calls) and all(call.rejected for call in step.calls)


def tokens_of(steps: Sequence[StepEvidence], moves: Sequence[Move]) -> list[str]:
    """What each step did and what came of it, comparable.

    Two steps are equal if the same calls had the same results. One that waited or took the files to a new state
    is equal to none: its text starts with `#`. Steps without a call have an empty one.
    """
    tokens: list[str] = []
    for step, move in zip(steps, moves, strict=True):
        if not step.calls:
            tokens.append("")
        elif move is Move.NEW or waits(step):
            tokens.append(f"#{step.step}")
        else:
            tokens.append(step.did)
    return tokens
