"""Steps in a row that go wrong in the same way: ERROR_STREAK, MALFORMED_CALLS, MONOLOGUE."""

from collections.abc import Callable

from longshift.contracts.stuck import Severity, Signal, SignalKind, StepEvidence
from longshift.policy.stuck import wording
from longshift.policy.stuck.window import Move, Window, fails, is_malformed, waits

OTHERS_SHARE = 0.25
"""Among twice the steps that have to fail, so many others may be."""

Counts = Callable[[StepEvidence, Move], bool]
"""Whether a step belongs to the row."""


def error_streak(window: Window) -> Signal | None:
    """Step after step fails, or nearly every one for twice as long; a text alone is none.

    What moves the files on and fails in a new way is work.
    """

    def counts(step: StepEvidence, move: Move) -> bool:
        return fails(step) and not waits(step) and (move is not Move.NEW or step.stale)

    row = _row(window, counts)
    if len(row) < window.thresholds.errors:
        row = _long_row(window, counts)
    if not row:
        return None
    return _signal(
        SignalKind.ERROR_STREAK,
        row,
        window.thresholds.errors,
        "every call failed",
        f"The latest were {wording.quoted(call for step in row[-3:] for call in step.calls)}.",
    )


def malformed_calls(window: Window) -> Signal | None:
    """Step after step has only calls that were refused before they ran."""
    row = _row(window, lambda step, _: is_malformed(step))
    if len(row) < window.thresholds.malformed:
        return None
    return _signal(
        SignalKind.MALFORMED_CALLS,
        row,
        window.thresholds.malformed,
        "no call came through: each failed the format check or was not allowed",
        f"The latest were {wording.quoted(call for step in row[-3:] for call in step.calls)}.",
    )


def monologue(window: Window) -> Signal | None:
    """Answer after answer without a call."""
    row: list[StepEvidence] = []
    for step in reversed(window.steps):
        if step.calls:
            break
        row.insert(0, step)
    if len(row) < window.thresholds.monologue:
        return None
    return _signal(SignalKind.MONOLOGUE, row, window.thresholds.monologue, "the answers had no call at all", "")


def _row(window: Window, counts: Counts) -> list[StepEvidence]:
    """The latest steps with calls that all count, oldest first; the last step has calls."""
    row: list[StepEvidence] = []
    if not window.last.calls:
        return row
    for step, move in zip(reversed(window.steps), reversed(window.moves), strict=True):
        if not step.calls:
            continue
        if not counts(step, move):
            break
        row.insert(0, step)
    return row


def _long_row(window: Window, counts: Counts) -> list[StepEvidence]:
    """The latest steps that count, with few in between that do not; empty unless twice the threshold."""
    needed = 2 * window.thresholds.errors
    row: list[StepEvidence] = []
    others = 0
    for step, move in zip(reversed(window.steps), reversed(window.moves), strict=True):
        if counts(step, move):
            row.insert(0, step)
        elif step.calls:
            others += 1
        if not row or move is Move.NEW or waits(step) or others > OTHERS_SHARE * needed:
            return []
        if len(row) == needed:
            return row
    return []


def _signal(kind: SignalKind, row: list[StepEvidence], threshold: int, what: str, more: str) -> Signal:
    first, last = row[0].step, row[-1].step
    return wording.signal(
        kind,
        Severity.HIGH if len(row) >= 2 * threshold else Severity.MEDIUM,
        (first, last),
        f"In {wording.span(first, last)} {what} ({len(row)} steps).",
        more,
        wording.tokens_spent(row),
    )
