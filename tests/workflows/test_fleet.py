# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""All sessions together have a limit: they tell what they spend, hold at 100 %, and go on when a person says so."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncGenerator

import pytest
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.service import RPCError

from longshift.contracts import ids
from longshift.contracts.fleet import FleetLimits, FleetRaise, FleetSpend, FleetState
from longshift.contracts.session import SessionInput, SessionState
from tests.workflows.conftest import Running, a_task, scripted_worker, until_state
from tests.workflows.scripted import Script, digest_of
from workflows.fleet import Fleet
from workflows.session import Session

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture
def task_id() -> str:
    return f"f-{uuid.uuid4().hex[:8]}"


@pytest.fixture
async def fleet(client: Client) -> AsyncGenerator[None]:
    """There is no fleet before the test, and none after it."""
    await _ended(client)
    yield
    await _ended(client)


async def _ended(client: Client) -> None:
    with contextlib.suppress(RPCError):
        await client.get_workflow_handle(ids.FLEET_WORKFLOW_ID).terminate()


async def begun(client: Client, play: Script, task_id: str, *, counts: bool = True) -> Running:
    request = SessionInput(task=a_task(task_id, stuck={"enabled": False}), profile="scripted", fleet=counts)
    handle = await client.start_workflow(
        Session.run, request, id=ids.session_workflow_id(task_id), task_queue=ids.CONTROL_QUEUE
    )
    return Running(handle=handle, script=play, client=client)


async def state_of(client: Client) -> FleetState:
    return await client.get_workflow_handle_for(Fleet.run, ids.FLEET_WORKFLOW_ID).query(Fleet.status)


@pytest.mark.usefixtures("fleet")
async def test_what_a_session_spent_is_counted_once_with_its_end(client: Client, task_id: str) -> None:
    play = Script([digest_of("read_file", cost_usd=0.5), digest_of("finish", cost_usd=0.25)])
    async with scripted_worker(client, play, task_id, fleet=FleetLimits(usd_per_day=100.0)):
        await (await begun(client, play, task_id)).result()
        handle = client.get_workflow_handle_for(Fleet.run, ids.FLEET_WORKFLOW_ID)
        again = FleetSpend(session=ids.session_workflow_id(task_id), tokens=30, usd=0.75, outcome="done")
        await handle.signal(Fleet.tell, again)
        told = await state_of(client)
    assert (30, 0.75, 1, 1) == (told.day.tokens, told.day.usd, told.day.ended, told.day.done)
    assert (100.0, 0.75) == (told.limits.usd_per_day, told.month.usd)


@pytest.mark.usefixtures("fleet")
async def test_without_a_limit_no_session_tells_anything(client: Client, task_id: str) -> None:
    play = Script([digest_of("finish", cost_usd=0.5)])
    async with scripted_worker(client, play, task_id):
        running = await begun(client, play, task_id, counts=False)
        await running.result()
        history = await running.handle.fetch_history()
    assert "tell_fleet" not in str(history.events)


@pytest.mark.usefixtures("fleet")
async def test_at_the_limit_sessions_hold_until_it_is_raised(client: Client, task_id: str) -> None:
    gate = asyncio.Event()
    play = Script(
        [digest_of("read_file", cost_usd=0.6)] * 30 + [digest_of("finish")], hold_model=gate, hold_model_from=26
    )
    async with scripted_worker(client, play, task_id, fleet=FleetLimits(usd_per_day=10.0, usd_per_month=500.0)):
        running = await begun(client, play, task_id)
        status = await until_state(running, SessionState.WAITING)
        gate.set()
        assert status.attention is not None
        assert "fleet" == status.attention.kind
        assert "of $10.00" in status.attention.text
        with pytest.raises(WorkflowUpdateFailedError):
            await running.handle.execute_update(Session.resume)
        told = await state_of(client)
        assert [100] == [notice.percent for notice in told.notices]
        handle = client.get_workflow_handle_for(Fleet.run, ids.FLEET_WORKFLOW_ID)
        with pytest.raises(WorkflowUpdateFailedError):
            await handle.execute_update("raise", FleetRaise(limits=FleetLimits(usd_per_day=9.0)))
        await handle.execute_update("raise", FleetRaise(limits=FleetLimits(usd_per_day=100.0), by="Ada"))
        final = await running.result()
        assert [] == [name for name, each in (await state_of(client)).sessions.items() if each.is_held]
    assert SessionState.DONE is final.state


@pytest.mark.usefixtures("fleet")
async def test_a_new_session_holds_too_and_a_release_lets_all_go_on(client: Client, task_id: str) -> None:
    play = Script([digest_of("finish", cost_usd=0.6)])
    async with scripted_worker(client, play, task_id, fleet=FleetLimits(usd_per_day=0.5)):
        await (await begun(client, play, f"{task_id}-1")).result()
        second = await begun(client, Script([digest_of("finish")]), f"{task_id}-2")
        await until_state(second, SessionState.WAITING)
        handle = client.get_workflow_handle_for(Fleet.run, ids.FLEET_WORKFLOW_ID)
        await handle.execute_update(Fleet.release, "Ada")
        assert SessionState.DONE is (await second.result()).state
