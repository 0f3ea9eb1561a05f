"""Schedules on a real engine: each fire is one session, and the engine's overlap policies mean the sessions."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.client import Client, ScheduleBackfill, ScheduleHandle, WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter

from longshift.adapters.engine import EmbeddedEngine, find_engine_binary
from longshift.contracts import ids
from longshift.contracts.schedules import FiringInput, FiringReport
from longshift.contracts.search import SEARCH_ATTRIBUTES
from longshift.contracts.session import SessionInput, SessionState
from longshift.schedule_wishes import DEFAULT_OVERLAP, Overlap, Wishes
from longshift.schedules import add_schedule, describe_schedule
from longshift.settings import Settings
from longshift.submission import session_input, submit
from tests.ports import free_port
from tests.workflows.conftest import a_task, scripted_worker
from tests.workflows.scripted import Script, digest_of
from workflows import Firing, Session

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="session")]

DAY = datetime(2026, 3, 2, tzinfo=UTC)
HOURLY = Wishes(cron=("0 * * * *",), until=datetime(2100, 1, 1, tzinfo=UTC), paused=True)
"""It fires by backfill alone, so that no test waits for a full hour."""


def a_session(name: str, **fields: object) -> SessionInput:
    return SessionInput(task=a_task(name, **fields), profile="scripted")


async def backfilled(client: Client, name: str, hours: int, overlap: Overlap) -> ScheduleHandle:
    """A schedule that is told to go through the first hours of a day as if they passed right now."""
    await add_schedule(client, name, a_session(name), replace(HOURLY, overlap=overlap))
    handle = client.get_schedule_handle(name)
    end = DAY + timedelta(hours=hours - 1)
    await handle.backfill(ScheduleBackfill(start_at=DAY - timedelta(seconds=1), end_at=end))
    return handle


def fired(name: str, hour: int) -> str:
    return ids.fired_task_id(name, DAY + timedelta(hours=hour))


async def state_of(client: Client, task_id: str) -> SessionState:
    return (await client.get_workflow_handle_for(Session.run, ids.session_workflow_id(task_id)).result()).state


async def until_started(client: Client, task_id: str) -> None:
    """Another workflow starts it: there is no event to wait for."""
    query = f"WorkflowId = '{ids.session_workflow_id(task_id)}'"
    while not (await client.count_workflows(query)).count:  # noqa: ASYNC110
        await asyncio.sleep(0.1)


async def until(client: Client, name: str, *, waiting: int, skipped: int) -> None:
    """The engine has decided about all fires: there is no event to wait for."""
    while True:
        info = (await describe_schedule(client, name)).raw_description.info
        if (waiting, skipped) == (info.buffer_size, info.overlap_skipped):
            return
        await asyncio.sleep(0.1)


def held() -> Script:
    """The first session holds in a command until `hold_tools` is set; all others finish at once."""
    return Script([digest_of("bash"), digest_of("finish")], hold_tools=asyncio.Event())


def let_go(script: Script) -> None:
    assert script.hold_tools is not None
    script.hold_tools.set()


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_day_of_fires_is_a_day_of_sessions(client: Client) -> None:
    script = Script([digest_of("finish")])
    tasks = [fired("daily", hour) for hour in range(24)]
    async with scripted_worker(client, script, "daily"):
        await backfilled(client, "daily", 24, Overlap.ALLOW_ALL)
        for task_id in tasks:
            await until_started(client, task_id)
        assert [SessionState.DONE] * 24 == [await state_of(client, task_id) for task_id in tasks]
    assert tasks == sorted(each.task_id for each in script.opened)


async def test_fires_that_overlap_wait_for_the_session_and_none_is_lost(client: Client) -> None:
    script = held()
    async with scripted_worker(client, script, "waits"):
        await backfilled(client, "waits", 4, DEFAULT_OVERLAP)
        await script.tool_started.wait()
        await until(client, "waits", waiting=3, skipped=0)
        assert [fired("waits", 0)] == [each.task_id for each in script.opened]
        let_go(script)
        for hour in range(4):
            await until_started(client, fired("waits", hour))
            assert SessionState.DONE is await state_of(client, fired("waits", hour))
    assert [fired("waits", hour) for hour in range(4)] == [each.task_id for each in script.opened]


@pytest.mark.parametrize(
    ("overlap", "waiting", "hours"), [(Overlap.SKIP, 0, [0]), (Overlap.BUFFER_ONE, 1, [0, 1])], ids=["skip", "one"]
)
async def test_fires_that_overlap_are_left_out_where_that_was_asked_for(
    client: Client, overlap: Overlap, waiting: int, hours: list[int]
) -> None:
    script, name = held(), f"leaves-{overlap.value}"
    async with scripted_worker(client, script, name):
        await backfilled(client, name, 4, overlap)
        await script.tool_started.wait()
        await until(client, name, waiting=waiting, skipped=3 - waiting)
        let_go(script)
        for hour in hours:
            await until_started(client, fired(name, hour))
            assert SessionState.DONE is await state_of(client, fired(name, hour))
    assert [fired(name, hour) for hour in hours] == [each.task_id for each in script.opened]


async def test_a_fire_can_cancel_the_session_of_the_one_before(client: Client) -> None:
    script = held()
    async with scripted_worker(client, script, "replaces"):
        handle = await backfilled(client, "replaces", 1, Overlap.CANCEL_OTHER)
        await script.tool_started.wait()
        await handle.backfill(ScheduleBackfill(start_at=DAY, end_at=DAY + timedelta(hours=1)))
        await until_started(client, fired("replaces", 1))
        assert SessionState.CANCELLED is await state_of(client, fired("replaces", 0))
        assert SessionState.DONE is await state_of(client, fired("replaces", 1))
    assert 1 == script.killed


async def a_firing(client: Client, name: str, workflow_id: str) -> WorkflowHandle[Firing, FiringReport]:
    return await client.start_workflow(
        Firing.run,
        FiringInput(schedule=name, session=a_session(name)),
        id=workflow_id,
        task_queue=ids.CONTROL_QUEUE,
    )


async def test_a_fire_that_comes_twice_is_one_session(client: Client) -> None:
    script, firing_id = Script([digest_of("finish")]), ids.firing_workflow_id("twice") + "-2026-03-02T00:00:00Z"
    async with scripted_worker(client, script, "twice"):
        first = await (await a_firing(client, "twice", firing_id)).result()
        again = await (await a_firing(client, "twice", firing_id)).result()
    assert FiringReport(task_id=fired("twice", 0), state=SessionState.DONE) == first
    assert FiringReport(task_id=fired("twice", 0)) == again
    assert 1 == len(script.opened)


async def test_the_session_of_a_fire_is_known_when_its_task_is_submitted(client: Client, tmp_path: Path) -> None:
    script, settings = Script([digest_of("finish")]), Settings(data_dir=tmp_path)
    session = session_input(settings, a_task("known", priority=2))
    async with scripted_worker(client, script, "known"):
        request = FiringInput(schedule="known", session=session)
        firing_id = ids.firing_workflow_id("known") + "-2026-03-02T00:00:00Z"
        report = await client.execute_workflow(Firing.run, request, id=firing_id, task_queue=ids.CONTROL_QUEUE)
    submission = await submit(client, settings, a_task(report.task_id, priority=2))
    info = (await submission.handle.describe()).raw_description.workflow_execution_info
    assert (False, 2) == (submission.is_new, info.priority.priority_key)


async def test_a_session_outlives_its_firing(client: Client) -> None:
    script, firing_id = held(), ids.firing_workflow_id("outlives") + "-2026-03-02T00:00:00Z"
    async with scripted_worker(client, script, "outlives"):
        handle = await a_firing(client, "outlives", firing_id)
        await script.tool_started.wait()
        await handle.terminate()
        let_go(script)
        assert SessionState.DONE is await state_of(client, fired("outlives", 0))


async def test_a_cancelled_firing_cancels_its_session_and_ends_after_it(client: Client) -> None:
    script, firing_id = held(), ids.firing_workflow_id("cancels") + "-2026-03-02T00:00:00Z"
    async with scripted_worker(client, script, "cancels"):
        handle = await a_firing(client, "cancels", firing_id)
        await script.tool_started.wait()
        await handle.cancel()
        assert FiringReport(task_id=fired("cancels", 0), state=SessionState.CANCELLED) == await handle.result()
    assert 1 == script.killed


@pytest.mark.slow
async def test_fires_that_were_missed_while_the_engine_was_down_are_caught_up(tmp_path: Path) -> None:
    binary, port = find_engine_binary(), free_port()
    engine = EmbeddedEngine(tmp_path, binary=binary, search_attributes=SEARCH_ATTRIBUTES, ui=False, port=port)
    address = await engine.start()
    try:
        client = await Client.connect(address.address, data_converter=pydantic_data_converter)
        wishes = Wishes(every=timedelta(seconds=1), overlap=Overlap.ALLOW_ALL)
        await add_schedule(client, "second", a_session("second"), wishes)
        before = await times_after(client, datetime.now(UTC))
    finally:
        await engine.stop()
    await asyncio.sleep(5)
    engine = EmbeddedEngine(tmp_path, binary=binary, search_attributes=SEARCH_ATTRIBUTES, ui=False, port=port)
    address = await engine.start()
    back = datetime.now(UTC)
    try:
        client = await Client.connect(address.address, data_converter=pydantic_data_converter)
        after = await times_after(client, back)
        missed = (await describe_schedule(client, "second")).info.num_actions_missed_catchup_window
    finally:
        await engine.stop()
    first, last = after[0], after[-1]
    expected = [first + timedelta(seconds=n) for n in range(int((last - first).total_seconds()) + 1)]
    assert (0, expected, True) == (missed, after, set(before) <= set(after))


async def times_after(client: Client, moment: datetime) -> list[datetime]:
    """When the fires were due, as soon as one after `moment` has been listed."""
    while True:
        found = [ids.fired_at(each.id) async for each in client.list_workflows("WorkflowType = 'Firing'")]
        times = sorted(each for each in found if each is not None)
        if times and times[-1] > moment:
            return times
        await asyncio.sleep(0.2)
