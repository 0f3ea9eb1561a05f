"""Each signal below, at and above its threshold, for the default and for another value of it."""

import random
from collections.abc import Callable, Iterator

from longshift.contracts.stuck import SignalKind, StuckThresholds
from tests.corpus.recorder import Recorder, lines
from tests.corpus.trace import Trace

Grow = Callable[[Recorder, int], None]
"""Writes the evidence that counts so often."""


def _repeats(r: Recorder, times: int) -> None:
    for _ in range(times):
        r.step(r.read("src/one.py"))


def _cycle(r: Recorder, times: int) -> None:
    for _ in range(times):
        for path in ("src/one.py", "src/two.py", "src/three.py"):
            r.step(r.read(path))


def _errors(r: Recorder, times: int) -> None:
    for _ in range(times):
        r.step(r.bash(r.fresh("./try"), lines(r.fresh("error"), 5), failed=True))


def _malformed(r: Recorder, times: int) -> None:
    for _ in range(times):
        r.step(r.rejected("bash", r.fresh("nonsense")))


def _monologue(r: Recorder, times: int) -> None:
    for _ in range(times):
        r.step()


def _returns(r: Recorder, times: int) -> None:
    r.step(r.write("src/a.py", "one"))
    r.step(r.write("src/a.py", "two"))
    for turn in range(times):
        r.step(r.write("src/a.py", ("one", "two")[turn % 2]))


def _stale(r: Recorder, times: int) -> None:
    paths = [f"src/{index}.py" for index in range(40)]
    for path in paths:
        r.step(r.read(path))
    r.step(r.edit("src/b.py"))
    for index in range(times):
        r.step(r.read(paths[index * 7 % 40]))


def _plateau(r: Recorder, times: int) -> None:
    for _ in range(times):
        r.step(r.edit("src/a.py"))
        r.step(r.pytest("tests", ("test_wall",)))


def _finishes(r: Recorder, times: int) -> None:
    for _ in range(times):
        r.finish("suite", 2)
        r.step(r.edit(r.fresh("docs/x") + ".md"))


def _idle(r: Recorder, times: int) -> None:
    r.step(r.edit("src/a.py"))
    for _ in range(times):
        r.step(r.read(r.fresh("docs/page")))


ROWS: dict[str, tuple[SignalKind, Grow, int, int]] = {
    "repeats": (SignalKind.REPETITION, _repeats, 4, 7),
    "cycle_repeats": (SignalKind.REPETITION, _cycle, 3, 6),
    "errors": (SignalKind.ERROR_STREAK, _errors, 6, 12),
    "malformed": (SignalKind.MALFORMED_CALLS, _malformed, 4, 9),
    "monologue": (SignalKind.MONOLOGUE, _monologue, 3, 8),
    "returns": (SignalKind.OSCILLATION, _returns, 3, 5),
    "stale_steps": (SignalKind.NO_NEW_INFORMATION, _stale, 15, 25),
    "plateau": (SignalKind.CHECK_PLATEAU, _plateau, 6, 11),
    "refused_finishes": (SignalKind.FALSE_COMPLETION, _finishes, 4, 9),
    "idle_steps": (SignalKind.NO_PROGRESS, _idle, 150, 60),
}
"""Threshold → its signal, what counts for it, the default, another value."""
OTHERS = {"malformed": {"errors": 60}, "refused_finishes": {"plateau": 50}}
"""Threshold → others that the same steps would meet first."""


def traces() -> Iterator[Trace]:
    """Three for each threshold and value; what is late by one step (the files' hash) is found one step later."""
    for name, (kind, grow, default, other) in ROWS.items():
        for value in (default, other):
            for times, what in ((value - 1, "below"), (value, "at"), (value + 2, "above")):
                r = Recorder(random.Random(name))
                grow(r, times)
                r.step(r.plan())
                is_stuck = what != "below"
                yield Trace(
                    f"threshold: {name} {what} {value}",
                    tuple(r.events),
                    frozenset({kind}) if is_stuck else frozenset(),
                    1 if is_stuck else 0,
                    r.number if is_stuck else 0,
                    StuckThresholds.model_validate({name: value, **OTHERS.get(name, {})}),
                )
