# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""A day in seconds: schedules fire, tasks wait for their time, for providers and for people, hosts come and go."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from temporalio.client import Client, ScheduleBackfill
from temporalio.testing import WorkflowEnvironment

from longshift.contracts.fleet import FleetLimits
from longshift.contracts.ids import CONTROL_QUEUE, FLEET_WORKFLOW_ID, fired_task_id, session_workflow_id
from longshift.contracts.model import ModelOutcome
from longshift.contracts.session import SessionInput, SessionState, SessionStatus, Steer
from longshift.schedule_wishes import Wishes
from longshift.schedules import add_schedule
from tests.workflows.conftest import Running, a_task, eventually, scripted_worker, skipping_server, start
from tests.workflows.scripted import Host, Script, digest_of
from workflows.fleet import Fleet
from workflows.session import Session

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]

HOUR = 3_600.0
AN_HOUR = timedelta(hours=1)
MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)
HOURLY = Wishes(cron=("0 * * * *",), until=datetime(2100, 1, 1, tzinfo=UTC), paused=True)
"""It fires by backfill alone, so that the day is over at once."""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def day() -> AsyncGenerator[WorkflowEnvironment]:
    async with skipping_server() as environment:
        yield environment


@pytest.fixture
def client(day: WorkflowEnvironment) -> Client:
    return day.client


async def ended(running: Running) -> SessionStatus:
    return await asyncio.wait_for(running.result(), 60)


async def until_waiting(running: Running) -> None:
    """A query has no event to wait for."""
    while (await running.handle.query(Session.status)).state is not SessionState.WAITING:  # noqa: ASYNC110
        await asyncio.sleep(0.1)


async def test_a_day_of_schedules_late_tasks_providers_people_and_hosts(client: Client) -> None:
    finish, bash = digest_of("finish"), digest_of("bash")
    quota = digest_of(outcome=ModelOutcome.QUOTA, detail="quota", retry_after_seconds=2 * HOUR)
    wrong_key = digest_of(outcome=ModelOutcome.MISCONFIGURED, detail="auth: wrong key")
    script = Script(
        [finish],
        answers_of={
            "quota": [bash, quota, quota, bash, finish],
            "person": [bash, wrong_key, bash, finish],
            "steered": [bash, wrong_key, finish, finish],
        },
    )
    hosts = [Host("day"), Host("night", life=2)]
    hosts[1].is_full = True
    now = datetime.now(UTC)
    async with scripted_worker(client, script, "day", hosts=hosts):
        await add_schedule(client, "nightly", SessionInput(task=a_task("nightly"), profile="scripted"), HOURLY)
        fires = client.get_schedule_handle("nightly")
        await fires.backfill(ScheduleBackfill(start_at=MIDNIGHT - timedelta(seconds=1), end_at=MIDNIGHT + 5 * AN_HOUR))
        late = [await start(client, script, a_task(f"late-{n}", not_before=now + n * AN_HOUR)) for n in (3, 9, 23)]
        quotas = await start(client, script, a_task("quota"))
        person, steered = [await start(client, script, a_task(name)) for name in ("person", "steered")]

        await until_waiting(person)
        await until_waiting(steered)
        for host in hosts:  # the one goes in the evening, the other comes
            host.is_full = not host.is_full
        script.lost |= {1, 2, 3}
        await eventually(lambda: {1} <= set(script.slots_ended), seconds=30)
        script.lost.clear()
        await person.handle.execute_update(Session.resume)
        await steered.handle.execute_update(Session.steer, Steer(text="use the other key"), id="answer")

        statuses = [await ended(running) for running in (*late, quotas, person, steered)]
        names = [fired_task_id("nightly", MIDNIGHT + n * AN_HOUR) for n in range(6)]
        fired = [client.get_workflow_handle_for(Session.run, session_workflow_id(name)) for name in names]
        for name in names:
            await eventually(lambda name=name: any(each.task_id == name for each in script.opened), seconds=60)
        statuses += [await handle.result() for handle in fired]

    assert {SessionState.DONE} == {status.state for status in statuses}
    opened = sorted(each.task_id for each in script.opened)
    assert sorted([*names, "late-3", "late-9", "late-23", "quota", "person", "steered"]) == opened
    assert all(status.active_seconds < HOUR for status in statuses)
    delivered = [each.task_id for each in script.delivered]
    assert sorted(set(delivered)) == sorted(delivered)
    assert ["use the other key"] == [
        note.text for asked in script.asked if asked.task_id == "steered" for note in asked.notes
    ][-1:]
    assert {"day", "night"} == {host for host, _ in script.slots}


async def test_sessions_that_hold_for_the_fleet_go_on_with_the_next_day(client: Client) -> None:
    finish = digest_of("finish", cost_usd=0.6)
    script = Script([finish])
    async with scripted_worker(client, script, "fleet", fleet=FleetLimits(usd_per_day=0.5)):
        for number in range(2):
            task = a_task(f"fleet-{number}")
            request = SessionInput(task=task, profile="scripted", fleet=True)
            handle = await client.start_workflow(
                Session.run, request, id=session_workflow_id(task.id), task_queue=CONTROL_QUEUE
            )
            status = await ended(Running(handle=handle, script=script, client=client))
            assert SessionState.DONE is status.state
        days = (await client.get_workflow_handle_for(Fleet.run, FLEET_WORKFLOW_ID).query(Fleet.status)).notices
    # One call is what a day allows. Where time jumps, a call may be lost and made again: a day later.
    assert len(days) == len(script.asked) >= 2
    assert {100} == {notice.percent for notice in days}
    assert len(days) == len({notice.at // 86_400 for notice in days})
