"""What fails again and again in the same way, with other steps in between: CHECK_PLATEAU and FALSE_COMPLETION.

These are counted as they come and kept longer than the steps: an agent may work for hours between two `finish`.
"""

from longshift.contracts.stuck import CallEvidence, Severity, Signal, SignalKind, StepEvidence, Streak, StuckState
from longshift.policy.stuck import keeping, wording
from longshift.policy.stuck.window import Move, Window, moves_of

KEPT_STREAKS = 8
KEPT_STEPS = 50

_SEARCH = "git bisect"
"""Who looks for the commit that broke something wants to see the same failure again."""
_FINISH = "finish"
_CHECKS = "checks"
_CALL = "call "
_TOOL = "tool "


def after_step(state: StuckState, step: StepEvidence) -> tuple[Streak, ...]:
    """The streaks with a further step, before it is among the kept ones.

    A failure that repeats without the files having moved adds nothing: that is a repetition.
    """
    searches = any(_SEARCH in call.summary for call in step.calls)
    streaks = {streak.key: streak for streak in state.streaks if streak.key == _FINISH or not searches}
    for call in step.calls:
        if not call.failed:
            streaks.pop(f"{_CALL}{call.name} {call.signature}", None)
    outcomes = dict(outcome for call in step.calls if call.failed and not call.rejected for outcome in _outcomes(call))
    if step.checks:
        outcomes[_CHECKS] = step.checks
    elif step.green is not None:
        streaks.pop(_CHECKS, None)
    moved = _moved(state) if outcomes else ()
    for key, outcome in outcomes.items():
        _add(streaks, key, outcome, step.step, moved)
    if step.finish_refused:
        _add(streaks, _FINISH, step.checks, step.step, None)
    return tuple(streaks.values())[-KEPT_STREAKS:]


def forgotten(streaks: tuple[Streak, ...], after_step: int) -> tuple[Streak, ...]:
    """Without what later steps added."""
    left = (
        streak.model_copy(update={"steps": tuple(step for step in streak.steps if step <= after_step)})
        for streak in streaks
    )
    return tuple(streak for streak in left if streak.steps)


def check_plateau(window: Window) -> Signal | None:
    """The files change, and the same check or command fails in the same way."""
    found = [
        streak for streak in window.state.streaks if streak.key != _FINISH and streak.steps[-1] == window.last.step
    ]
    streak = max(found, key=lambda streak: len(streak.steps), default=None)
    threshold = window.thresholds.plateau
    if streak is None or len(streak.steps) < threshold:
        return None
    failed = [call for call in window.last.calls if call.failed]
    what = "The same checks were red" if streak.key == _CHECKS else f"The same failure came of {wording.quoted(failed)}"
    return wording.signal(
        SignalKind.CHECK_PLATEAU,
        Severity.HIGH if len(streak.steps) >= 2 * threshold else Severity.MEDIUM,
        (streak.steps[0], streak.steps[-1]),
        f"{what} {len(streak.steps)} times in a row, in {wording.steps_named(streak.steps)}.",
        "The files were changed each time before, and the failure did not change.",
    )


def false_completion(window: Window) -> Signal | None:
    """`finish` is refused again and again with the same checks red."""
    threshold = window.thresholds.refused_finishes
    streak = next((streak for streak in window.state.streaks if streak.key == _FINISH), None)
    if streak is None or len(streak.steps) < threshold or streak.steps[-1] != window.last.step:
        return None
    steps = streak.steps
    return wording.signal(
        SignalKind.FALSE_COMPLETION,
        Severity.HIGH if len(steps) >= 2 * threshold else Severity.MEDIUM,
        (steps[0], steps[-1]),
        f"`finish` was refused {len(steps)} times in a row, in {wording.steps_named(steps)}.",
        "The same checks were red in the same way each time." if window.last.checks else "",
    )


def _moved(state: StuckState) -> tuple[int, ...]:
    """The kept steps in which the files moved."""
    pairs = zip(state.steps, moves_of(state), strict=True)
    return tuple(step.step for step, move in pairs if move is not Move.NONE)


def _outcomes(call: CallEvidence) -> list[tuple[str, str]]:
    """What failed and how: the call, and where its text says enough also its tool, whatever was asked of it."""
    own = (f"{_CALL}{call.name} {call.signature}", call.result)
    if call.result_bytes <= keeping.SMALL_RESULT_BYTES:
        return [own]
    return [own, (_TOOL + call.name, call.result)]


def _add(streaks: dict[str, Streak], key: str, outcome: str, step: int, moved: tuple[int, ...] | None) -> None:
    """Note an outcome: of a streak if it is the same as before and files moved since (None: whether or not)."""
    before = streaks.pop(key, None)
    if before is None or before.outcome != outcome:
        streaks[key] = Streak(key=key, outcome=outcome, steps=(step,))
    elif moved is None or any(each >= before.steps[-1] for each in moved):
        streaks[key] = before.model_copy(update={"steps": (*before.steps, step)[-KEPT_STEPS:]})
    else:
        streaks[key] = before
