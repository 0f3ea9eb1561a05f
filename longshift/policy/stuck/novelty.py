"""Whether a step brings anything new to light, and NO_NEW_INFORMATION: steps in a row that do not."""

from longshift.contracts.stuck import Severity, Signal, SignalKind, StepEvidence, StuckState
from longshift.policy.stuck import keeping, wording
from longshift.policy.stuck.window import Window, waits

FRESH_SHARE = 0.15
"""Among stale steps so many may have brought something new."""


def is_stale(state: StuckState, step: StepEvidence) -> bool:
    """Whether all that its calls gave has been shown to the model since the last compaction.

    A call that never ran gives nothing.
    """
    if not step.calls or waits(step):
        return False
    given = {keeping.found_by(call): call for call in step.calls if not call.rejected}
    if step.compacted:
        return not given
    for each in reversed(state.steps):
        if not given:
            break
        if not each.folded:
            for call in each.calls:
                if not call.rejected:
                    given.pop(keeping.found_by(call), None)
        if each.compacted:
            break
    return not given or frozenset(state.seen).issuperset(keeping.result_key(call) for call in given.values())


def no_new_information(window: Window) -> Signal | None:
    """Whatever is called, what comes back has been seen before, and nothing moves."""
    threshold = window.thresholds.stale_steps
    row: list[StepEvidence] = []
    fresh = 0
    if not window.last.stale:
        return None
    for step in reversed(window.steps):
        if step.step <= window.state.progress_step or waits(step):
            break
        if step.stale:
            row.insert(0, step)
        elif step.calls:
            fresh += 1
            if fresh > FRESH_SHARE * threshold:
                break
        if step.compacted:
            break
    if len(row) < threshold:
        return None
    first, last = row[0].step, row[-1].step
    return wording.signal(
        SignalKind.NO_NEW_INFORMATION,
        Severity.HIGH if len(row) >= 2 * threshold else Severity.MEDIUM,
        (first, last),
        f"In {wording.span(first, last)} whatever was called gave what had been seen before ({len(row)} steps).",
        f"The latest calls were {wording.quoted(call for step in row[-5:] for call in step.calls)}.",
        "Files, checks and plan did not move.",
        wording.tokens_spent(row),
    )
