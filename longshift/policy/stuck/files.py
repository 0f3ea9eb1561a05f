"""OSCILLATION: the files come back to states that they had left."""

from collections import Counter

from longshift.contracts.stuck import Severity, Signal, SignalKind
from longshift.policy.stuck import wording
from longshift.policy.stuck.window import Move, Window

LATE_STEPS = 3
"""The hash of the files after a step is known so many steps later at the latest."""


def oscillation(window: Window) -> Signal | None:
    """Changes that are undone and made again, or attempts that all end where they began.

    Coming back counts where no new state lies between; or else where it is the same state each time and what was left
    is given up: these may be honest experiments, so it takes one more, and is worth a nudge only.
    """
    returns, first_known = _returns(window)
    if not returns or returns[-1][0] < len(window.steps) - LATE_STEPS:
        return None
    newest = max((index for index, move in enumerate(window.moves) if move is Move.NEW), default=-1)
    threshold = window.thresholds.returns
    toggled = [index for index, _ in returns if index > newest]
    same = _given_up(window, returns)
    is_undone = len(toggled) < threshold
    if is_undone and len(same) <= threshold:
        return None
    places = same if is_undone else toggled
    steps = [window.steps[index].step for index in places]
    tree = returns[-1][1]
    counted = Counter(tree for _, tree in returns)
    severity = Severity.LOW if is_undone else Severity.HIGH if len(places) >= 2 * threshold else Severity.MEDIUM
    return wording.signal(
        SignalKind.OSCILLATION,
        severity,
        (min(first_known[tree], steps[0]), window.last.step),
        f"After {wording.steps_named(steps)} the files were as they had been before ({len(steps)} times).",
        f"They came back {counted[tree]} times to how they were after step {first_known[tree]}.",
        "What was changed in between was undone." if is_undone else "No state in between was new.",
    )


def _given_up(window: Window, returns: list[tuple[int, str]]) -> list[int]:
    """Indices of the returns to the latest state of them from states to which the files never came back."""
    trees = [step.tree for step in window.steps]
    kept = {tree for _, tree in returns}
    found: list[int] = []
    for index, tree in returns:
        left = next((each for each in reversed(trees[:index]) if each), window.state.tree_before)
        if tree == returns[-1][1] and left not in kept:
            found.append(index)
    return found


def _returns(window: Window) -> tuple[list[tuple[int, str]], dict[str, int]]:
    """Indices and states of the returns within the window; state → the first step that had it."""
    returns: list[tuple[int, str]] = []
    first_known: dict[str, int] = {}
    if window.state.tree_before:
        first_known[window.state.tree_before] = window.steps[0].step - 1
    for index, (step, move) in enumerate(zip(window.steps, window.moves, strict=True)):
        if step.tree and move is Move.BACK and step.tree in first_known:
            returns.append((index, step.tree))
        if step.tree:
            first_known.setdefault(step.tree, step.step)
    return returns, first_known
