"""Stub until the detector lands."""

from longshift.contracts.agent import Recall
from longshift.contracts.stuck import StepEvidence, StuckState, StuckThresholds


def observed(state: StuckState, step: StepEvidence, thresholds: StuckThresholds, *, recall: Recall) -> StuckState:
    """Stub."""
    return state.model_copy(update={"steps": (*state.steps, step)[-64:]})


def with_tree(state: StuckState, step: int, tree_hash: str) -> StuckState:
    """Stub."""
    return state


def forgotten(state: StuckState, after_step: int) -> StuckState:
    """Stub."""
    return state


def answered(state: StuckState) -> StuckState:
    """Stub."""
    return state.model_copy(update={"signals": ()})
