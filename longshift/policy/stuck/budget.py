"""What goes without anything to show for it: COMPACTION_THRASH and NO_PROGRESS."""

from longshift.contracts.stuck import Severity, Signal, SignalKind
from longshift.policy import recall
from longshift.policy.stuck import wording
from longshift.policy.stuck.window import Window

COMPACTIONS = 4
READS = 20


def compaction_thrash(window: Window) -> Signal | None:
    """The context is compacted every few steps, or what was compacted is read again and nothing else happens."""
    return _too_often(window) or _read_again(window)


def no_progress(window: Window) -> Signal | None:
    """Budget goes, and neither files, checks nor plan move; waiting for a job is not counted."""
    idle = window.state.idle
    if idle < window.thresholds.idle_steps:
        return None
    return wording.signal(
        SignalKind.NO_PROGRESS,
        Severity.LOW,
        (window.state.progress_step + 1, window.last.step),
        f"For {idle} steps, since step {window.state.progress_step}, nothing has moved: the files took no new state, "
        "no check turned green, no line of the plan was done.",
    )


def _too_often(window: Window) -> Signal | None:
    steps = window.recall.recent_steps[-COMPACTIONS:]
    threshold = window.thresholds.thrash_steps
    if len(steps) < COMPACTIONS or window.last.step - steps[-1] > threshold:
        return None
    apart = (steps[-1] - steps[0]) / (COMPACTIONS - 1)
    if apart > threshold:
        return None
    return wording.signal(
        SignalKind.COMPACTION_THRASH,
        Severity.HIGH if 2 * apart <= threshold else Severity.MEDIUM,
        (min(steps[0], window.last.step), window.last.step),
        f"The context was compacted {COMPACTIONS} times within {steps[-1] - steps[0]} steps, "
        f"the last time before step {steps[-1]}.",
        f"That is every {apart:.1f} steps.",
    )


def _read_again(window: Window) -> Signal | None:
    """Reads of the same files are usual for an agent that changes them, so nothing may have moved since."""
    known = window.recall
    since = known.recent_steps[-1] if known.recent_steps else 0
    share = recall.repeated_reads_share(known)
    if (
        known.reads_since < READS
        or share < window.thresholds.repeated_reads_share
        or window.state.progress_step >= since
    ):
        return None
    return wording.signal(
        SignalKind.COMPACTION_THRASH,
        Severity.MEDIUM,
        (min(since, window.last.step), window.last.step),
        f"Of {known.reads_since} reads since the compaction before step {since}, {known.repeated_since} repeat "
        "what was read before it.",
        "Files, checks and plan have not moved since.",
    )
