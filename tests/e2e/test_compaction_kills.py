"""kill -9 of the worker at every effect of a compaction in turn: the session is in the old epoch or in the new one.

It ends with the objects of an undisturbed session, and no answer that was stored is asked for again.
"""

import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.compaction_scene import (
    CALM,
    HANDOFF,
    KILLED,
    PROFILE,
    WINDOW_TOKENS,
    HeldModel,
    Scene,
    asked_more,
    ended_done,
    set_scene,
    stored,
    until,
)
from tests.e2e.rig import rig

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(300)]

Strike = Callable[[Scene], Awaitable[Counter[str]]]
"""Plays the session up to a point, kills the worker there, and gives what may be asked for twice."""


async def before_the_last_step_is_reported(scene: Scene) -> Counter[str]:
    held = scene.hold_command()
    await scene.submit()
    await scene.until_running(scene.last_turn)
    pid = scene.stop_engine()
    held.unlink()
    await until(lambda: scene.in_step(scene.epoch.number - 1, scene.last_turn + 1, "result-000.json").exists())
    scene.running.kill_worker()
    os.kill(pid, signal.SIGCONT)
    return Counter()


async def before_the_note_is_asked_for(scene: Scene) -> Counter[str]:
    held = scene.hold_command()
    await scene.submit()
    await scene.until_running(scene.last_turn)
    await scene.running.model.stop()
    held.unlink()
    await scene.until_pending("write_handoff")
    scene.running.kill_worker()
    await scene.running.model.start()
    return Counter()


async def while_the_note_streams(scene: Scene) -> Counter[str]:
    scene.model.holds[HANDOFF] = {"chunk_delay_seconds": 0.3}
    await scene.submit()
    await scene.until_asked(HANDOFF, answering=True)
    scene.running.kill_worker()
    return Counter([HANDOFF])


async def when_the_note_has_come_and_cannot_be_kept(scene: Scene) -> Counter[str]:
    scene.model.holds[HANDOFF] = {"delay_seconds": 1.0}
    await scene.submit()
    await scene.until_asked(HANDOFF)
    scene.base.parent.touch()
    await scene.until_pending("write_handoff", attempt=2)
    scene.running.kill_worker()
    scene.base.parent.unlink()
    return Counter([HANDOFF])


async def when_the_base_is_written_and_not_reported(scene: Scene) -> Counter[str]:
    scene.model.holds[HANDOFF] = {"delay_seconds": 1.0}
    await scene.submit()
    await scene.until_asked(HANDOFF)
    pid = scene.stop_engine()
    await until(scene.base.exists)
    scene.running.kill_worker()
    os.kill(pid, signal.SIGCONT)
    assert await scene.is_pending("write_handoff")
    return Counter()


async def before_the_new_epoch_is_asked_for_its_first_step(scene: Scene) -> Counter[str]:
    scene.model.holds[HANDOFF] = {"delay_seconds": 1.0}
    await scene.submit()
    await scene.until_asked(HANDOFF)
    pid = scene.stop_engine()
    await until(scene.base.exists)
    await scene.running.model.stop()
    os.kill(pid, signal.SIGCONT)
    await scene.until_pending("call_model")
    scene.running.kill_worker()
    await scene.running.model.start()
    return Counter()


async def while_the_first_answer_of_the_new_epoch_streams(scene: Scene) -> Counter[str]:
    first = str(scene.last_turn + 1)
    scene.model.holds[first] = {"chunk_delay_seconds": 0.3}
    await scene.submit()
    await scene.until_asked(first, answering=True)
    scene.running.kill_worker()
    return Counter([first])


async def when_the_first_answer_of_the_new_epoch_is_kept_and_not_reported(scene: Scene) -> Counter[str]:
    first = str(scene.last_turn + 1)
    scene.model.holds[first] = {"delay_seconds": 1.0}
    await scene.submit()
    await scene.until_asked(first)
    pid = scene.stop_engine()
    await until(lambda: scene.in_step(scene.epoch.number, scene.epoch.first_step, "answer.json").exists())
    scene.running.kill_worker()
    os.kill(pid, signal.SIGCONT)
    return Counter()


async def when_the_base_cannot_be_written(scene: Scene) -> Counter[str]:
    held = scene.hold_command()
    await scene.submit()
    await scene.until_running(scene.last_turn)
    scene.base.parent.touch()
    held.unlink()
    await scene.until_pending("write_handoff", attempt=2)
    scene.running.kill_worker()
    scene.base.parent.unlink()
    return Counter()


async def as_the_base_is_written(scene: Scene) -> Counter[str]:
    await scene.submit()
    await until(scene.base.exists)
    scene.running.kill_worker()
    return Counter([str(scene.last_turn + 1)]) & asked_more(scene.model)


async def before_the_cleared_epoch_is_asked_for_its_first_step(scene: Scene) -> Counter[str]:
    held = scene.hold_command()
    await scene.submit()
    await scene.until_running(scene.last_turn)
    await scene.running.model.stop()
    held.unlink()
    await scene.until_pending("call_model")
    assert scene.base.exists()
    scene.running.kill_worker()
    await scene.running.model.start()
    return Counter()


AROUND_BOTH: tuple[Strike, ...] = (
    before_the_last_step_is_reported,
    while_the_first_answer_of_the_new_epoch_streams,
    when_the_first_answer_of_the_new_epoch_is_kept_and_not_reported,
)
AROUND_A_HAND_OFF: tuple[Strike, ...] = (
    *AROUND_BOTH,
    before_the_note_is_asked_for,
    while_the_note_streams,
    when_the_note_has_come_and_cannot_be_kept,
    when_the_base_is_written_and_not_reported,
    before_the_new_epoch_is_asked_for_its_first_step,
)
AROUND_A_CLEARING: tuple[Strike, ...] = (
    *AROUND_BOTH,
    when_the_base_cannot_be_written,
    as_the_base_is_written,
    before_the_cleared_epoch_is_asked_for_its_first_step,
)
TELLING = frozenset({when_the_base_is_written_and_not_reported, when_the_base_cannot_be_written})
"""Where most can go wrong; the other places are swept by `make test-release`."""


def swept(strikes: tuple[Strike, ...]) -> list[Any]:
    """Each place by its name; only the telling ones belong to every run."""
    return [
        pytest.param(strike, id=strike.__name__, marks=() if strike in TELLING else pytest.mark.release)
        for strike in strikes
    ]


@pytest.mark.parametrize("strike", swept(AROUND_A_HAND_OFF))
async def test_the_worker_dies_around_a_hand_off(tmp_path: Path, strike: Strike) -> None:
    await die_and_go_on(tmp_path, "handoff", strike)


@pytest.mark.parametrize("strike", swept(AROUND_A_CLEARING))
async def test_the_worker_dies_around_a_clearing(tmp_path: Path, strike: Strike) -> None:
    await die_and_go_on(tmp_path, "clearing", strike)


async def die_and_go_on(tmp_path: Path, cause: str, strike: Strike) -> None:
    """A session whose first compaction of this cause is struck ends as the one that nothing disturbed."""
    data_dir = tmp_path / "data"
    model = HeldModel(data_dir / "holding")
    async with rig(data_dir, model, profile=PROFILE, window_tokens=WINDOW_TOKENS) as running:
        scene = await set_scene(running, model, cause)
        asked_twice = await strike(scene)
        running.start_worker()
        await ended_done(running, KILLED)
        expected, found = stored(running, CALM), stored(running, KILLED)
        assert list(expected) == list(found)
        assert expected == found
        assert asked_twice == asked_more(model)
