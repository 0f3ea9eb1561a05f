"""The corpus: scenes alone, long days of many scenes, and every loop alone and in the middle of a day."""

import random
from collections.abc import Iterator, Sequence

from tests.corpus import healthy, loops, more_loops, more_work, thresholds, unseen, unseen_loops
from tests.corpus.healthy import Scene
from tests.corpus.loops import Loop
from tests.corpus.recorder import Recorder
from tests.corpus.trace import Trace

WORK = (*healthy.SCENES, *more_work.SCENES)
LOOPS = {**loops.LOOPS, **more_loops.LOOPS}
MIXED_DAYS = 30
LONG_DAYS = 6
UNSEEN_DAYS = 16
LONG_UNSEEN_DAYS = 2
DAY_STEPS = 400
LONG_DAY_STEPS = 4_000
SEED = "c"
"""Another one makes other traces. A seed is given up once held-out traces have been looked at to mend a label or a
rule; what was unseen until then joins the rest, and new scenes and loops are written."""


def corpus() -> Iterator[Trace]:
    """Every trace; the same at every call."""
    yield from small()
    for day in range(MIXED_DAYS):
        yield work_day(f"day {day}", WORK, DAY_STEPS)
    for day in range(LONG_DAYS):
        yield work_day(f"long day {day}", WORK, LONG_DAY_STEPS)
    for day in range(UNSEEN_DAYS):
        scenes = (*WORK, *unseen.SCENES) if day % 2 else unseen.SCENES
        yield work_day(f"unseen day {day}", scenes, LONG_DAY_STEPS if day < LONG_UNSEEN_DAYS else DAY_STEPS)
    for name, loop in LOOPS.items():
        for where in range(3):
            yield _stuck(f"stuck in day {where}: {name}", loop, WORK, DAY_STEPS)
    for name, loop in unseen_loops.LOOPS.items():
        for where in range(4):
            yield _stuck(f"unseen stuck in day {where}: {name}", loop, (*WORK, *unseen.SCENES), DAY_STEPS)
    for name, loop in {**LOOPS, **unseen_loops.LOOPS}.items():
        if hash_of(name) % 6 == 0:
            yield _stuck(f"unseen stuck late: {name}", loop, (*WORK, *unseen.SCENES), LONG_DAY_STEPS)


def small() -> Iterator[Trace]:
    """Thresholds, scenes and loops, each alone."""
    yield from thresholds.traces()
    for scenes, prefix in ((WORK, "work"), (unseen.SCENES, "unseen work")):
        for scene in scenes:
            yield _work(f"{prefix}: {scene.__name__}", scene)
    for found, prefix in ((LOOPS, "stuck"), (unseen_loops.LOOPS, "unseen stuck")):
        for name, loop in found.items():
            yield _stuck(f"{prefix}: {name}", loop, (), 0)


def hash_of(name: str) -> int:
    """A number that depends on the name alone."""
    return random.Random(name).randrange(2**32)


def _recorder(name: str) -> Recorder:
    return Recorder(random.Random(f"{SEED} {name}"))


def _work(name: str, scene: Scene) -> Trace:
    r = _recorder(name)
    for _ in range(3):
        scene(r)
        r.step(r.read(r.fresh("src/next") + ".py"), r.plan())
    return Trace(name, tuple(r.events))


def work_day(name: str, scenes: Sequence[Scene], steps: int) -> Trace:
    """A healthy trace of many scenes."""
    r = _recorder(name)
    _fill(r, scenes, steps)
    return Trace(name, tuple(r.events))


def _stuck(name: str, loop: Loop, scenes: Sequence[Scene], most_steps: int) -> Trace:
    """Work for a random while, up to `most_steps`, and then the loop."""
    r = _recorder(name)
    if most_steps:
        _fill(r, scenes, r.rng.randint(1, most_steps))
        r.step(r.edit("src/before.py"))  # so that the scene before does not count for the loop
    stuck_from = r.next_step
    label = loop(r)
    return Trace(name, tuple(r.events), label.expected, stuck_from, label.found_by)


def _fill(r: Recorder, scenes: Sequence[Scene], steps: int) -> None:
    while r.number < steps:
        before, files = r.plan_done, dict(r.files)
        r.rng.choice(scenes)(r)
        if (before, files) == (r.plan_done, r.files) or r.rng.random() < 0.4:  # work that leaves no trace ends a line
            r.step(r.plan())
        elif r.rng.random() < 0.3:
            r.compact()
        r.step(r.read(r.fresh("src/next") + ".py"))  # each piece of work begins with something that succeeds
