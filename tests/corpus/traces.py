"""The corpus: scenes alone, long days of many scenes, and every loop alone and in the middle of a day."""

import random
from collections.abc import Iterator, Sequence

from tests.corpus import healthy, loops, thresholds, unseen, unseen_loops
from tests.corpus.healthy import Scene
from tests.corpus.loops import Loop
from tests.corpus.recorder import Recorder
from tests.corpus.trace import Trace

MIXED_DAYS = 30
LONG_DAYS = 6
UNSEEN_DAYS = 16
DAY_STEPS = 400
LONG_DAY_STEPS = 4_000
SEED = "b"
"""Another one makes other traces. The first was given up when two held-out traces were looked at to mend labels."""


def corpus() -> Iterator[Trace]:
    """Every trace; the same at every call."""
    yield from thresholds.traces()
    for scenes, prefix in ((healthy.SCENES, "work"), (unseen.SCENES, "unseen work")):
        for scene in scenes:
            yield _work(f"{prefix}: {scene.__name__}", scene)
    for day in range(MIXED_DAYS):
        yield _day(f"day {day}", healthy.SCENES, DAY_STEPS)
    for day in range(LONG_DAYS):
        yield _day(f"long day {day}", healthy.SCENES, LONG_DAY_STEPS)
    for day in range(UNSEEN_DAYS):
        scenes = (*healthy.SCENES, *unseen.SCENES) if day % 2 else unseen.SCENES
        yield _day(f"unseen day {day}", scenes, LONG_DAY_STEPS if day < 2 else DAY_STEPS)
    for name, loop in loops.LOOPS.items():
        yield _stuck(f"stuck: {name}", loop, healthy.SCENES, 0)
        for where in range(3):
            yield _stuck(f"stuck in day {where}: {name}", loop, healthy.SCENES, 300)
    for name, loop in unseen_loops.LOOPS.items():
        yield _stuck(f"unseen stuck: {name}", loop, unseen.SCENES, 0)
        for where in range(4):
            yield _stuck(f"unseen stuck in day {where}: {name}", loop, unseen.SCENES, 300)
    for name, loop in {**loops.LOOPS, **unseen_loops.LOOPS}.items():
        if hash_of(name) % 6 == 0:
            yield _stuck(f"unseen stuck late: {name}", loop, healthy.SCENES, LONG_DAY_STEPS)


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


def _day(name: str, scenes: Sequence[Scene], steps: int) -> Trace:
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
