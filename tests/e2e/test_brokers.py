"""Tasks from real brokers, through intake, engine and worker, all killed again and again: each is done exactly once.

`LONGSHIFT_BROKER_TASKS=1000 pytest -s tests/e2e/test_brokers.py -k valkey` for more than CI has time for.
"""

import asyncio
import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from brokers_drivers import Driver, NatsDriver, RabbitDriver, SqsDriver, ValkeyDriver

from longshift.adapters.brokers import TaskSource, open_source
from longshift.adapters.engine import read_address
from longshift.adapters.scripted_model import Script, ScriptedCall, Turn
from longshift.contracts import ids
from longshift.contracts.session import SessionState
from tests.e2e.rig import Rig, rig

COUNT_VARIABLE = "LONGSHIFT_BROKER_TASKS"
TASKS = int(os.environ.get(COUNT_VARIABLE, "40"))
pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(300 + 3 * TASKS)]

BROKERS: dict[str, type[Driver]] = {
    "valkey": ValkeyDriver,
    "nats": NatsDriver,
    "rabbitmq": RabbitDriver,
    "sqs": SqsDriver,
}
QUEUE = "tasks"
LEASE_SECONDS = 5
"""What a killed process held comes again soon."""
PORTION, GOOD, TWICE = 20, 19, 2
"""Of each portion, the last one is no task, and the first two are sent twice."""
PORTIONS = TASKS // PORTION
VICTIMS = ("intake", "worker", "engine")
KILLS = len(VICTIMS) * (2 + TASKS // 150)
PAUSE_SECONDS = min(30.0, 8.0 + TASKS / 40)
"""Between two kills at most. The engine waits longer and longer before it comes back when it dies all the time."""
HOST_SLOTS = 12
BAD = (
    ("{", "is not valid JSON"),
    ('{"title": "No instructions"}', "instructions"),
    ('{"title": "T", "instructions": "x", "workspace": {"directory": "/etc"}}', "is a path on the hosts"),
    ('{"title": "T", "instructions": "x", "colour": "red"}', "colour"),
)


@pytest.fixture(autouse=True)
def _no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """What commands do is counted outside of their workspaces, where no sandbox lets them write."""
    monkeypatch.setenv("LONGSHIFT_SANDBOX", "none")


def script(outside: Path) -> Script:
    """One command that leaves the task's id outside of its workspace, and the end."""
    mark = {"command": f'basename "$(dirname "$PWD")" >> {outside}'}
    return Script(
        turns=(
            Turn(calls=(ScriptedCall(name="bash", input=mark),)),
            Turn(calls=(ScriptedCall(name="finish", input={"summary": "All is done."}),)),
        )
    )


@dataclass
class Chaos:
    """Kills what runs, and starts it again."""

    running: Rig
    url: str
    draw: random.Random
    kills: Counter[str] = field(default_factory=Counter[str])
    ended: Counter[str] = field(default_factory=Counter[str])
    """Processes that ended by themselves, as one does that finds no engine when it starts."""

    async def reign(self) -> None:
        """Every kill hits whatever is going on at that moment."""
        for victim in self.draw.sample(VICTIMS * (KILLS // len(VICTIMS)), KILLS):
            await asyncio.sleep(self.draw.uniform(0, PAUSE_SECONDS))
            await self.revive()
            self.kills[victim] += 1
            if victim == "engine":
                while read_address(self.running.data_dir) is None:  # noqa: ASYNC110  # another process writes it
                    await asyncio.sleep(self.draw.uniform(0, PAUSE_SECONDS))
                await self.running.kill_engine()
            elif victim == "intake":
                self.running.kill_intake()
            else:
                self.running.kill_worker()
            await self.revive()

    async def revive(self) -> None:
        """What does not run is started."""
        intake, worker = self.running.intake, self.running.worker
        for name, process in (("intake", intake), ("worker", worker)):
            if process is not None and process.poll() not in (None, -9):
                self.ended[name] += 1
        if intake is None or intake.poll() is not None:
            self.running.start_intake(self.url)
        if worker is None or worker.poll() is not None:
            self.running.start_worker()


async def feed(driver: Driver) -> None:
    """Send all tasks in small portions."""
    for portion in range(PORTIONS):
        good = [json.dumps({"title": f"Task {portion}.{n}", "instructions": "x"}).encode() for n in range(GOOD)]
        await driver.send(QUEUE, *good, key=f"task-{portion}-{{}}")
        await driver.send(QUEUE, BAD[portion % len(BAD)][0].encode(), key=f"bad-{portion}-{{}}")
        await driver.send(QUEUE, *good[:TWICE], key=f"task-{portion}-{{}}")
        await asyncio.sleep(0.5)


async def until_taken(chaos: Chaos, source: TaskSource) -> None:
    """The broker has nothing more; it tells nobody when that is so, and RabbitMQ does not count what is put off."""
    while True:
        depth = await source.depth()
        is_empty = depth.pending == 0 and depth.dead >= PORTIONS
        is_up = read_address(chaos.running.data_dir) is not None
        if is_empty and is_up and len(await sessions(chaos.running)) >= PORTIONS * GOOD:
            return
        await chaos.revive()
        await asyncio.sleep(0.5)


async def results(running: Rig, task_ids: list[str]) -> dict[str, dict[str, Any]]:
    """How each session ended."""
    handles = {each: running.client.get_workflow_handle(ids.session_workflow_id(each)) for each in task_ids}
    return {each: await handle.result() for each, handle in handles.items()}


async def sessions(running: Rig) -> list[str]:
    """The workflow ids of all sessions, one for each run: a doubled one would stand there twice."""
    return [each.id async for each in running.client.list_workflows("WorkflowType = 'Session'")]


IN_EVERY_RUN = "valkey"
"""Each broker has tests of its own for what a killed consumer leaves behind."""


@pytest.fixture(
    params=[pytest.param(name, marks=() if name == IN_EVERY_RUN else pytest.mark.release) for name in BROKERS]
)
def driver(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    monkeypatch.delenv(COUNT_VARIABLE, raising=False)  # it is no setting of the processes
    monkeypatch.setenv("LONGSHIFT_HOST_SLOTS", str(HOST_SLOTS))
    monkeypatch.setenv("LONGSHIFT_HOST_PATIENCE_SECONDS", "5")  # a killed worker keeps its slots for so long
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = BROKERS[request.param](folder)  # pyright: ignore[reportCallIssue]  # each takes its folder
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()


async def test_killed_at_random_every_task_of_a_broker_is_done_exactly_once(driver: Driver, tmp_path: Path) -> None:
    outside, url = tmp_path / "outside.txt", driver.url(QUEUE, lease_seconds=LEASE_SECONDS)
    began = time.monotonic()
    await driver.prepare(QUEUE)
    async with rig(tmp_path / "data", script(outside)) as running, open_source(url) as source:
        chaos = Chaos(running, url, random.Random(7))
        await chaos.revive()
        await asyncio.gather(feed(driver), chaos.reign())
        await until_taken(chaos, source)
        good = [f"task-{portion}-{n}" for portion in range(PORTIONS) for n in range(GOOD)]
        expected = sorted(ids.keyed_task_id(source.name, key) for key in good)
        ended = await results(running, expected)
        running.kill_intake()  # what it still held is waiting now
        depth, dead = await source.depth(), await source.list_dead(2 * TASKS)
        ran = sorted(outside.read_text().split())
        lost = sum(agent["lost_calls"] for result in ended.values() for agent in result["agents"])
        print(  # noqa: T201  # the figures of a run by hand
            f"\n{source.name}: {len(ended)} sessions, {len(ran)} commands, {lost} lost, {len(dead)} dead letters, "
            f"{depth}, kills {dict(chaos.kills)}, ended by themselves {dict(chaos.ended)}, "
            f"engine restarts {running.engine.restarts}, {time.monotonic() - began:.0f} s"
        )
        assert Counter({SessionState.DONE: len(good)}) == Counter(result["state"] for result in ended.values())
        assert sorted(map(ids.session_workflow_id, expected)) == sorted(await sessions(running))
        assert expected == ran
        assert {f"bad-{portion}-0" for portion in range(PORTIONS)} == {each.key for each in dead}
        for letter in dead:
            assert BAD[int(letter.key.split("-")[1]) % len(BAD)][1] in letter.reason
        assert 0 == depth.pending
