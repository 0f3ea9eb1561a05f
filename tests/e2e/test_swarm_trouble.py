# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""What becomes of a swarm in trouble: too many requests, no quota, a loop, a budget, a lost host, people's words."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from longshift.adapters.scripted_model import Chaos, FaultKind
from longshift.contracts import ids
from longshift.contracts.session import SessionState, SessionStatus
from longshift.contracts.swarm import ItemFailure, ItemStatus, SwarmSummary, SwarmTable
from tests.e2e.rig import Rig, rig
from tests.e2e.swarm_job import SWARM, TASK, Job, Role, changed, lay_out
from tests.e2e.swarm_model import JobModel
from tests.e2e.swarm_package import Package
from tests.e2e.swarm_rig import settled, until_nothing_is_left, variables
from tests.e2e.swarm_traces import reports, seals, worktrees

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(600)]

ITEMS = 12
CONTROL = ("--role", "control,model")
ENOUGH_SECONDS = 400
CALM_SECONDS = 3.0
"""Long enough for something to happen that should not."""


async def table(running: Rig) -> SwarmTable:
    """How far the swarm has come; as a running workflow tells it."""
    handle = running.client.get_workflow_handle(ids.swarm_workflow_id(SWARM))
    return await handle.query("table", result_type=SwarmTable)


async def summary(running: Rig, holds: Callable[[SwarmSummary], bool]) -> SwarmSummary:
    """Wait until the swarm says so of itself."""
    async with asyncio.timeout(120):
        while True:
            told = (await table(running)).summary
            if holds(told):
                return told
            await asyncio.sleep(0.3)


def merged(told: SwarmSummary) -> int:
    """Items that are in the integrated tree."""
    return told.counts.get(ItemStatus.MERGED.value, 0)


async def begun(running: Rig, package: Package, job: Job) -> None:
    """The job is submitted, and some of its sub-agents have asked for something."""
    await asyncio.to_thread(lay_out, package, running.source)
    await running.submit(TASK, **job.task(running.source))
    await running.model.wait_for_requests(8)


async def ends_as_promised(running: Rig, package: Package, job: Job) -> None:
    """The session is done, each item came to what it was to come to, and nothing is left of them."""
    handle = running.client.get_workflow_handle(f"session/{TASK}", result_type=dict)
    result = await asyncio.wait_for(handle.result(), ENOUGH_SECONDS)
    assert SessionState.DONE == result["state"], result["reason"]
    assert job.outcomes() == settled(running.data_dir, SWARM)
    assert job.files() == await asyncio.to_thread(changed, package.source, tree_of(running, result))
    await until_nothing_is_left(running)


def tree_of(running: Rig, result: dict[str, dict[str, str]]) -> Path:
    """The lead's files, on whichever host they are."""
    host = result["workspace"]["host_id"]
    place = running.host_dir(host) if host in running.hosts else running.data_dir
    return place / "workspaces" / TASK / "tree"


@pytest.mark.release
async def test_a_storm_of_429_slows_a_swarm_and_fails_no_item(tmp_path: Path, package: Package) -> None:
    job = await asyncio.to_thread(Job.planned, package, ITEMS, ())
    rates = {FaultKind.RATE_LIMITED: 0.2, FaultKind.ENGINE_OVERLOADED: 0.1, FaultKind.OVERLOADED: 0.1}
    storm = Chaos(seed=7, rates=rates, retry_after_seconds=0.2)
    async with rig(tmp_path / "data", JobModel(job), variables=variables(package), chaos=storm) as running:
        await begun(running, package, job)
        await ends_as_promised(running, package, job)
        assert 429 in {request.status for request in running.model.requests}
        assert {1} == {len(told) for told in reports(running.data_dir, SWARM).values()}


@pytest.mark.release
async def test_an_exhausted_quota_suspends_a_swarm_until_there_is_more(tmp_path: Path, package: Package) -> None:
    """How an hour of it passes is a workflow's test; here a person says that there is more."""
    job = await asyncio.to_thread(Job.planned, package, ITEMS, ())
    model = JobModel(job, delay_seconds=0.5)
    async with rig(tmp_path / "data", model, variables=variables(package)) as running:
        await begun(running, package, job)
        running.model.exhaust_quota()
        waiting = await summary(running, all_at_work_wait)
        assert 0 == waiting.counts.get(ItemStatus.FAILED.value, 0)
        await until_session_waits(running)
        asked = len(running.model.requests)
        await asyncio.sleep(CALM_SECONDS)
        assert asked == len(running.model.requests)
        running.model.restore_quota()
        await running.client.get_workflow_handle(f"session/{TASK}").execute_update("resume")
        await ends_as_promised(running, package, job)
        assert {1} == {len(told) for told in reports(running.data_dir, SWARM).values()}


def all_at_work_wait(told: SwarmSummary) -> bool:
    """Those that had been begun have found out, and no other is begun."""
    return told.counts.get(ItemStatus.WAITING.value, 0) > 0 == told.counts.get(ItemStatus.RUNNING.value, 0)


async def until_session_waits(running: Rig) -> None:
    """The session says that it waits."""
    handle = running.client.get_workflow_handle(ids.session_workflow_id(TASK))
    async with asyncio.timeout(60):
        while True:
            status = await handle.query("status", result_type=SessionStatus)
            if status.state is SessionState.WAITING:
                return
            await asyncio.sleep(0.3)


async def test_a_loop_and_an_item_over_its_budget_end_alone(tmp_path: Path, package: Package) -> None:
    job = await asyncio.to_thread(Job.planned, package, ITEMS, (Role.LOOPS, Role.COSTLY))
    async with rig(tmp_path / "data", JobModel(job), variables=variables(package)) as running:
        await begun(running, package, job)
        await ends_as_promised(running, package, job)
        told = reports(running.data_dir, SWARM)
        assert ItemFailure.STUCK is told["loops-1"][-1].failure
        assert ItemFailure.OVER_BUDGET is told["costly-2"][-1].failure
        text = str(await running.transcript(TASK))
        assert "loops-1" in text
        assert "costly-2" in text


@pytest.mark.parametrize("whose", ["the lead's", "another"])
@pytest.mark.release
async def test_a_lost_host_loses_nothing_that_is_sealed(tmp_path: Path, package: Package, whose: str) -> None:
    job = await asyncio.to_thread(Job.planned, package, ITEMS, ())
    model = JobModel(job, delay_seconds=1.0)
    settings = variables(package)
    async with rig(tmp_path / "data", model, roles=CONTROL, variables=settings) as running:
        running.start_host("one", **settings)
        running.start_host("two", **settings)
        await begun(running, package, job)
        await summary(running, lambda told: merged(told) > 0)
        lead = next(name for name in running.hosts if (running.host_dir(name) / "workspaces" / TASK).exists())
        dead = lead if whose == "the lead's" else next(name for name in running.hosts if name != lead)
        running.kill_host(dead)
        early = {item for item, times in seals(running.data_dir, SWARM).items() if times}
        await ends_as_promised_on_the_other(running, package, job)
        assert dict.fromkeys(early, 1) == {item: seals(running.data_dir, SWARM)[item] for item in early}
        await until_nothing_is_left(running, dead=dead)
        assert worktrees(running.host_dir(dead)) or whose == "another"  # which need not have begun anything
        running.start_host(dead, **settings)
        await until_nothing_is_left(running)


async def ends_as_promised_on_the_other(running: Rig, package: Package, job: Job) -> None:
    """What the dead host has on its disk it cannot remove before it is back."""
    handle = running.client.get_workflow_handle(f"session/{TASK}", result_type=dict)
    result = await asyncio.wait_for(handle.result(), ENOUGH_SECONDS)
    assert SessionState.DONE == result["state"], result["reason"]
    assert job.outcomes() == settled(running.data_dir, SWARM)
    assert job.files() == await asyncio.to_thread(changed, package.source, tree_of(running, result))


@pytest.mark.release
async def test_a_cancelled_session_leaves_no_sub_agent_behind(tmp_path: Path, package: Package) -> None:
    job = await asyncio.to_thread(Job.planned, package, ITEMS, ())
    async with rig(tmp_path / "data", JobModel(job, delay_seconds=1.0), variables=variables(package)) as running:
        await begun(running, package, job)
        await running.client.get_workflow_handle(f"session/{TASK}").execute_update("cancel", "enough")
        handle = running.client.get_workflow_handle(f"session/{TASK}", result_type=dict)
        result = await asyncio.wait_for(handle.result(), 120)
        assert SessionState.CANCELLED == result["state"]
        async with asyncio.timeout(60):
            while await at_work(running):  # noqa: ASYNC110  # the engine is asked
                await asyncio.sleep(0.5)
        await until_nothing_is_left(running)
        asked = len(running.model.requests)
        await asyncio.sleep(CALM_SECONDS)
        assert asked == len(running.model.requests)


async def at_work(running: Rig) -> list[str]:
    """The workflows of the task that still run, by name."""
    found = [each.id async for each in running.client.list_workflows("ExecutionStatus = 'Running'")]
    return [name for name in found if f"/{TASK}" in name]


@pytest.mark.release
async def test_a_paused_session_holds_its_sub_agents(tmp_path: Path, package: Package) -> None:
    job = await asyncio.to_thread(Job.planned, package, ITEMS, ())
    async with rig(tmp_path / "data", JobModel(job, delay_seconds=0.5), variables=variables(package)) as running:
        await begun(running, package, job)
        session = running.client.get_workflow_handle(f"session/{TASK}")
        await session.execute_update("pause")
        asked = await until_nobody_asks(running)
        await session.execute_update("resume")
        await ends_as_promised(running, package, job)
        assert len(running.model.requests) >= asked + ITEMS  # so nobody has worked on to the end meanwhile


async def until_nobody_asks(running: Rig) -> int:
    """Wait until the model has not been asked for a while: steps that were begun are ended. How often it was."""
    async with asyncio.timeout(60):
        while True:
            asked = len(running.model.requests)
            await asyncio.sleep(CALM_SECONDS)
            if asked == len(running.model.requests):
                return asked
