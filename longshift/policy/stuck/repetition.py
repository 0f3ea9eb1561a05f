"""REPETITION: the same calls with the same results, in a cycle of any length that the kept steps hold."""

from collections import Counter
from collections.abc import Callable, Sequence

from longshift.contracts.stuck import Rung, Severity, Signal, SignalKind, StepEvidence
from longshift.policy.stuck import cycles, keeping, wording
from longshift.policy.stuck.cycles import Cycle
from longshift.policy.stuck.window import Move, Window, fails, tokens_of

NOISE_SHARE = 0.35
"""Among the steps of a cycle so many others may stand."""

Needed = Callable[[int], int]
"""How often a cycle of so many steps has to come."""


def repetition(window: Window) -> Signal | None:
    """The shortest cycle with which the steps end."""
    needed = _needed(window)
    tokens = tokens_of(window.steps, window.moves)
    acting = [index for index, token in enumerate(tokens) if token]
    if not window.last.calls:
        return None
    steps = [window.steps[index] for index in acting]
    moves = [window.moves[index] for index in acting]
    tokens = [tokens[index] for index in acting]
    return _by_steps(steps, tokens, needed) or _with_noise(steps, tokens, needed) or _by_calls(steps, moves, needed)


def _needed(window: Window) -> Needed:
    """Once a rung was taken, half as often is enough: an agent that has been told needs not show it as long again."""
    one, more = window.thresholds.repeats, window.thresholds.cycle_repeats
    if window.state.rung is not Rung.NONE:
        one, more = max(2, one // 2), max(2, more // 2)
    return lambda length: one if length == 1 else more


def _by_steps(steps: list[StepEvidence], tokens: list[str], needed: Needed) -> Signal | None:
    cycle = cycles.at_end(tokens, lambda cycle: needed(cycle.length))
    if cycle is None:
        return None
    size = cycle.length * cycle.times
    what = "the same step" if cycle.length == 1 else f"the same cycle of {cycle.length} steps"
    return _signal(steps[-size:], cycle, needed(cycle.length), what)


def _with_noise(steps: list[StepEvidence], tokens: list[str], needed: Needed) -> Signal | None:
    """A cycle with something else in between now and then; a step that moved or waited ends it all the same.

    It takes one cycle more, and of a single step twice as many: a test may well be run again after a look elsewhere.
    """

    def often(length: int) -> int:
        return 2 * needed(1) if length == 1 else needed(length) + 1

    barrier = max((index for index, token in enumerate(tokens) if token.startswith("#")), default=-1) + 1
    counted = Counter(tokens[barrier:])
    least = min(needed(1), needed(2))
    places = [index for index in range(barrier, len(tokens)) if counted[tokens[index]] >= least]
    if not places or places[-1] != len(tokens) - 1:
        return None
    cycle = cycles.at_end([tokens[index] for index in places], lambda cycle: often(cycle.length))
    if cycle is None:
        return None
    size = cycle.length * often(cycle.length)
    covered = len(tokens) - places[-size]
    if covered - size > NOISE_SHARE * covered:
        return None
    what = f"the same {'step' if cycle.length == 1 else f'cycle of {cycle.length} steps'}, with others in between,"
    exact = Cycle(cycle.length, often(cycle.length))
    return _signal([steps[index] for index in places[-size:]], exact, exact.times, what)


def _by_calls(steps: list[StepEvidence], moves: Sequence[Move], needed: Needed) -> Signal | None:
    """The same calls, once in one answer and once one after the other."""
    if all(len(step.calls) == 1 for step in steps):
        return None
    places: list[int] = []
    tokens: list[str] = []
    for index in range(len(steps) - 1, -1, -1):
        each = steps[index]
        if each.folded or moves[index] is Move.NEW or any(call.waits for call in each.calls):
            break
        places += [index] * len(each.calls)
        tokens += [keeping.act_of(call) for call in reversed(each.calls)]
    places.reverse()
    tokens.reverse()

    def answers(cycle: Cycle) -> int:
        return len(steps) - places[-cycle.length * cycle.times]

    def often(cycle: Cycle) -> int:
        """A cycle that fits into one answer each time is a cycle of one step."""
        least = needed(2) if answers(cycle) > cycle.times else needed(1)
        return least if answers(cycle) >= least else cycle.times + 1

    cycle = cycles.at_end(tokens, often)
    if cycle is None:
        return None
    what = f"the same cycle of {cycle.length} calls, however many in one answer,"
    return _signal(steps[-answers(cycle) :], cycle, often(cycle), what)


def _signal(steps: list[StepEvidence], cycle: Cycle, needed: int, what: str) -> Signal:
    one_cycle = steps[-max(1, len(steps) // cycle.times) :]
    calls = [call for step in one_cycle for call in step.calls]
    failing = " Every call of them failed." if all(fails(step) for step in one_cycle) else ""
    return wording.signal(
        SignalKind.REPETITION,
        Severity.HIGH if cycle.times >= 2 * needed else Severity.MEDIUM,
        (steps[0].step, steps[-1].step),
        f"{wording.span(steps[0].step, steps[-1].step).capitalize()}: {what} {cycle.times} times in a row.",
        f"It consists of {wording.quoted(calls)}.",
        f"The results were the same each time, apart from times and the like.{failing}",
        "The files took no new state in these steps.",
        wording.tokens_spent(steps),
    )
