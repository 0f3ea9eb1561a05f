"""Who looks for what: one function for each kind of signal, and what they find, the gravest first."""

from collections.abc import Callable, Mapping
from typing import Final

from longshift.contracts.stuck import Severity, Signal, SignalKind
from longshift.policy.stuck.budget import compaction_thrash, no_progress
from longshift.policy.stuck.files import oscillation
from longshift.policy.stuck.novelty import no_new_information
from longshift.policy.stuck.repetition import repetition
from longshift.policy.stuck.rows import error_streak, malformed_calls, monologue
from longshift.policy.stuck.streaks import check_plateau, false_completion
from longshift.policy.stuck.window import Window

SIGNALS: Final[Mapping[SignalKind, Callable[[Window], Signal | None]]] = {
    SignalKind.MALFORMED_CALLS: malformed_calls,
    SignalKind.REPETITION: repetition,
    SignalKind.ERROR_STREAK: error_streak,
    SignalKind.MONOLOGUE: monologue,
    SignalKind.FALSE_COMPLETION: false_completion,
    SignalKind.CHECK_PLATEAU: check_plateau,
    SignalKind.OSCILLATION: oscillation,
    SignalKind.NO_NEW_INFORMATION: no_new_information,
    SignalKind.COMPACTION_THRASH: compaction_thrash,
    SignalKind.NO_PROGRESS: no_progress,
}
"""In the order in which signals of the same severity are told."""

_GRAVITY: Final = (Severity.HIGH, Severity.MEDIUM, Severity.LOW)


def found(window: Window) -> tuple[Signal, ...]:
    """The signals that hold after the last step."""
    signals = [signal for look in SIGNALS.values() if (signal := look(window)) is not None]
    return tuple(sorted(signals, key=lambda signal: _GRAVITY.index(signal.severity)))
