# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""kill -9 of worker and engine at ten random points of a swarm's job: the same tree, and nothing is done twice."""

import asyncio
import os
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from temporalio.api.workflowservice.v1 import GetSystemInfoRequest
from temporalio.client import WorkflowHandle, WorkflowQueryFailedError, WorkflowUpdateFailedError
from temporalio.service import RPCError

from longshift.contracts.reviews import Answer
from longshift.contracts.session import SessionState, SessionStatus
from longshift.contracts.swarm import ItemStatus
from longshift.policy import review_list, reviews
from tests.e2e.rig import Rig, rig
from tests.e2e.swarm_job import SWARM, TASK, Job, changed, lay_out
from tests.e2e.swarm_model import JobModel
from tests.e2e.swarm_package import Package
from tests.e2e.swarm_rig import settled, until_nothing_is_left, variables
from tests.e2e.swarm_traces import seals
from workflows.session import Session

ITEMS = 30
KILLS = 10
REQUESTS = 3 * ITEMS
"""A job of so many items asks at least that often, so that every kill finds it at work."""
SEED = os.environ.get("LONGSHIFT_KILL_SEED", "42")
"""Another one kills at other points."""

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.release, pytest.mark.timeout(1_500)]


@dataclass(frozen=True)
class Blow:
    """Who is killed, and when: after so many requests to the model, and a moment later."""

    requests: int
    later_seconds: float
    victims: tuple[str, ...]


def blows(seed: str) -> list[Blow]:
    """Ten of them, spread over the whole job; the same for the same seed."""
    generator = random.Random(seed)
    places = sorted(generator.sample(range(2, REQUESTS), KILLS))
    victims = (("worker",), ("engine",), ("worker", "engine"))
    return [Blow(place, generator.uniform(0, 1.5), generator.choice(victims)) for place in places]


async def strike(running: Rig, blow: Blow) -> None:
    """Kill, and start again what was killed; the engine is started again by its supervision."""
    await running.model.wait_for_requests(blow.requests)
    await asyncio.sleep(blow.later_seconds)
    if "worker" in blow.victims:
        running.kill_worker()
    if "engine" in blow.victims:
        await kill_living_engine(running)
    if "worker" in blow.victims:
        await until_engine_answers(running)  # it comes back later with every death, and a worker does not wait so long
        running.start_worker()


async def until_engine_answers(running: Rig) -> None:
    """The engine is there, be it after its next start."""
    async with asyncio.timeout(120):
        while True:
            try:
                await running.client.workflow_service.get_system_info(GetSystemInfoRequest())
            except RPCError:
                await asyncio.sleep(0.2)
            else:
                return


async def kill_living_engine(running: Rig) -> None:
    """The blow before may have hit it as well: it is back within some seconds."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await running.kill_engine()
            except ProcessLookupError:
                await asyncio.sleep(0.2)


async def say_try_again(handle: WorkflowHandle[Session, SessionStatus]) -> None:
    """Be the person who is asked once a slot was lost five times in ten minutes; until the session has ended."""
    while True:
        await asyncio.sleep(2)
        try:
            status = await handle.query("status", result_type=SessionStatus)
            for review in review_list.open_ones(status.reviews):
                await handle.execute_update("answer", Answer(review=review.ask.id, option=reviews.RETRY, by="Ada"))
        except (RPCError, WorkflowQueryFailedError, WorkflowUpdateFailedError):
            continue  # the engine or the worker is dead just now, or somebody else was faster


async def test_ten_deaths_of_worker_and_engine_change_nothing(tmp_path: Path, package: Package) -> None:
    """What commands do is counted outside of their workspaces, where no sandbox lets them write.

    A session whose slot is lost again and again waits for a person, who says that it may go on.
    """
    print(f"LONGSHIFT_KILL_SEED={SEED}: {blows(SEED)}")  # noqa: T201  # shown when the test fails
    job = await asyncio.to_thread(Job.planned, package, ITEMS)
    effects = tmp_path / "effects"
    settings = variables(package, LONGSHIFT_SANDBOX="none")
    async with rig(tmp_path / "data", JobModel(job, effects=effects), variables=settings) as running:
        await asyncio.to_thread(lay_out, package, running.source)
        handle = await running.submit(TASK, **job.task(running.source))
        for blow in blows(SEED):
            await strike(running, blow)
        person = asyncio.create_task(say_try_again(handle))
        try:
            status = await asyncio.wait_for(handle.result(), 900)
        finally:
            person.cancel()
        assert SessionState.DONE is status.state, status.reason
        assert job.files() == await asyncio.to_thread(changed, package.source, running.tree(TASK))
        assert job.outcomes() == settled(running.data_dir, SWARM)
        proved = {item for item, came in job.outcomes().items() if came in (ItemStatus.MERGED, ItemStatus.DROPPED)}
        sealed = seals(running.data_dir, SWARM)
        assert dict.fromkeys(proved, 1) == {item: sealed[item] for item in proved}
        counted = Counter(effects.read_text().split())
        assert [] == [item for item, times in counted.items() if times != 1]
        await until_nothing_is_left(running)


@pytest.mark.parametrize("seed", ["1", "2", "3"])
def test_blows_fall_while_the_job_is_at_work(seed: str) -> None:
    found = blows(seed)
    assert (KILLS, found) == (len(found), blows(seed))
    assert all(2 <= blow.requests < REQUESTS for blow in found)
