# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""People, the engine and failures that come at an awkward moment."""

import asyncio
import uuid
from collections.abc import Coroutine
from typing import Any

import pytest
from temporalio.client import Client

from longshift.contracts import ids
from longshift.contracts.agent import AgentLimits, AgentOutcome
from longshift.contracts.attention import Attention
from longshift.contracts.errors import DiskFull, WorkspaceFailed
from longshift.contracts.session import AgentStatus, Extend, SessionState, SessionStatus, Steer
from longshift.contracts.tools import RunToolInput, ToolStatus
from longshift.contracts.transcript import Note, Speaker
from tests.workflows.conftest import Running, a_task, progress, scripted_worker, start, until_state
from tests.workflows.scripted import Script, digest_of
from workflows.agent import Agent
from workflows.session import Session

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(60)]

FULL = "disk: 12 MB free below /data; free space and resume the session"


@pytest.fixture
def task_id() -> str:
    return f"i-{uuid.uuid4().hex[:8]}"


async def ended(running: Running) -> SessionStatus:
    async with asyncio.timeout(20):
        return await running.result()


async def while_the_agent_starts(running: Running, update: Coroutine[Any, Any, object]) -> None:
    """Send an update that is handled after the agent was asked for and before it is there."""
    script = running.script
    await script.entered["open_agent"].wait()
    sent = asyncio.create_task(update)
    await asyncio.sleep(0.3)
    script.hold["open_agent"].set()
    await sent


async def test_a_cancel_while_the_agent_starts_is_not_lost(client: Client, task_id: str) -> None:
    script = Script([digest_of("bash")], hold_tools=asyncio.Event(), hold={"open_agent": asyncio.Event()})
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        await while_the_agent_starts(running, running.handle.execute_update(Session.cancel, "wrong task"))
        assert SessionState.CANCELLED is (await ended(running)).state


async def test_a_pause_while_the_agent_starts_holds_it(client: Client, task_id: str) -> None:
    script = Script([digest_of("read_file"), digest_of("finish")], hold={"open_agent": asyncio.Event()})
    script.hold_model = asyncio.Event()
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        await while_the_agent_starts(running, running.handle.execute_update(Session.pause))
        await until_state(running, SessionState.PAUSED)
        await script.model_asked.wait()
        while not (await progress(running)).paused:  # noqa: ASYNC110  # there is no event to wait for
            await asyncio.sleep(0.05)
        script.hold_model.set()
        await asyncio.sleep(1)
        assert len(script.asked) <= 1
        await running.handle.execute_update(Session.resume)
        assert SessionState.DONE is (await ended(running)).state


async def test_a_resume_while_the_agent_starts_lets_it_go_on(client: Client, task_id: str) -> None:
    script = Script([digest_of("finish")], hold={"open_agent": asyncio.Event()})
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        await running.handle.execute_update(Session.pause)
        await while_the_agent_starts(running, running.handle.execute_update(Session.resume))
        assert SessionState.DONE is (await ended(running)).state


async def test_a_message_while_the_agent_starts_reaches_it(client: Client, task_id: str) -> None:
    script = Script([digest_of("read_file"), digest_of("finish")], hold={"open_agent": asyncio.Event()})
    script.hold_model = asyncio.Event()
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        await while_the_agent_starts(running, running.handle.execute_update(Session.steer, Steer(text="use tabs")))
        await asyncio.sleep(0.5)
        script.hold_model.set()
        await ended(running)
    assert ["use tabs"] == [note.text for asked in script.asked for note in asked.notes]


async def test_what_an_agent_tells_before_its_start_is_known_counts(client: Client, task_id: str) -> None:
    script = Script([digest_of("finish")], hold={"open_agent": asyncio.Event()})
    script.hold_model = asyncio.Event()
    told = AgentStatus(agent=ids.agent_id(task_id), waiting=True, attention=Attention(kind="configuration", text="key"))
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        await while_the_agent_starts(running, running.handle.signal(Session.agent_status, told))
        await until_state(running, SessionState.WAITING)
        script.hold_model.set()
        await ended(running)


async def test_a_cancel_in_the_web_ui_ends_the_agent_first(client: Client, task_id: str) -> None:
    script = Script([digest_of("bash")], hold_tools=asyncio.Event())
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        await script.tool_started.wait()
        await running.handle.cancel()
        status = await ended(running)
    assert (status.state, script.killed, script.released) == (SessionState.CANCELLED, 1, 1)
    assert [seal.step for seal in script.seals] == [1]
    assert [report.outcome for report in status.agents] == [AgentOutcome.CANCELLED]


async def test_a_cancel_of_the_agent_in_the_web_ui_cancels_the_session(client: Client, task_id: str) -> None:
    script = Script([digest_of("bash")], hold_tools=asyncio.Event())
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        await script.tool_started.wait()
        await client.get_workflow_handle(ids.agent_workflow_id(ids.agent_id(task_id))).cancel()
        status = await ended(running)
    assert (status.state, script.killed) == (SessionState.CANCELLED, 1)


async def test_a_terminated_agent_fails_the_session_which_still_delivers(client: Client, task_id: str) -> None:
    script = Script([digest_of("bash")], hold_tools=asyncio.Event())
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        await script.tool_started.wait()
        await client.get_workflow_handle(ids.agent_workflow_id(ids.agent_id(task_id))).terminate("gone")
        status = await ended(running)
    assert (status.state, len(script.delivered), script.released) == (SessionState.FAILED, 1, 1)


async def test_a_cancel_in_the_web_ui_does_not_disturb_a_delivery(client: Client, task_id: str) -> None:
    script = Script([digest_of("finish")], hold={"deliver": asyncio.Event()})
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        await script.entered["deliver"].wait()
        await running.handle.cancel()
        await asyncio.sleep(1.5)
        script.hold["deliver"].set()
        status = await ended(running)
    assert (status.state, status.reason, len(script.delivered), script.released) == (SessionState.DONE, "", 1, 1)


async def test_a_delivery_that_fails_waits_for_a_person(client: Client, task_id: str) -> None:
    script = Script([digest_of("finish")], failures={"deliver": [DiskFull(FULL)]})
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        status = await until_state(running, SessionState.WAITING)
        assert status.attention is not None
        assert FULL in status.attention.text
        await running.handle.execute_update(Session.resume)
        status = await ended(running)
    assert (status.state, len(script.delivered), script.released) == (SessionState.DONE, 1, 1)


async def test_a_delivery_that_nobody_mends_ends_what_runs(client: Client, task_id: str) -> None:
    script = Script([digest_of("finish")], failures={"deliver": [DiskFull(FULL)]})
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        await until_state(running, SessionState.WAITING)
        await running.handle.execute_update(Session.cancel, "never mind")
        status = await ended(running)
    assert (status.state, script.released) == (SessionState.FAILED, 1)


async def test_a_checkpoint_that_fails_before_continue_as_new_waits_for_a_person(client: Client, task_id: str) -> None:
    answers = [digest_of("bash"), *[digest_of()] * 5, digest_of("finish")]
    script = Script(answers, failures={"checkpoint": [WorkspaceFailed("no space")]})
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id), limits=AgentLimits(history_events=12))
        await until_state(running, SessionState.WAITING)
        await running.handle.execute_update(Session.resume)
        assert SessionState.DONE is (await ended(running)).state
    assert len(script.checkpoints) == 1


async def test_a_last_checkpoint_that_fails_does_not_fail_what_is_done(client: Client, task_id: str) -> None:
    script = Script([digest_of("bash"), digest_of("finish")], failures={"checkpoint": [WorkspaceFailed("no space")]})
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id, checks=[]))
        assert SessionState.DONE is (await ended(running)).state


async def test_an_agent_that_parks_after_the_deadline_can_be_resumed(client: Client, task_id: str) -> None:
    script = Script([digest_of("bash")], failures={"write_handoff": [DiskFull(FULL)]})
    task = a_task(task_id, budget={"active_hours": 1 / 3600}, on_deadline="stop")
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, task)
        await until_state(running, SessionState.WAITING)
        await running.handle.execute_update(Session.resume)
        assert SessionState.EXPIRED is (await ended(running)).state


@pytest.mark.parametrize("on_deadline", ["stop", "ask", "continue"])
async def test_an_extension_while_the_agent_hands_off_counts(client: Client, task_id: str, on_deadline: str) -> None:
    script = Script([digest_of("bash")], hold={"write_handoff": asyncio.Event()})
    task = a_task(task_id, budget={"active_hours": 1 / 3600}, on_deadline=on_deadline)
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, task)
        await script.entered["write_handoff"].wait()
        await running.handle.execute_update(Session.extend, Extend(active_hours=1))
        script.answers[:] = [digest_of("finish")]
        script.hold["write_handoff"].set()
        status = await ended(running)
    assert (status.state, status.shift) == (SessionState.DONE, 2)
    assert status.active_limit_seconds == (3602 if on_deadline == "continue" else 3601)


async def test_a_store_that_is_down_before_a_later_shift_waits_for_a_person(client: Client, task_id: str) -> None:
    script = Script([digest_of("bash")])
    task = a_task(task_id, budget={"active_hours": 1 / 3600}, on_deadline="ask")
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, task)
        await until_state(running, SessionState.WAITING)
        script.failures["open_agent"] = [DiskFull(FULL)]
        script.answers[:] = [digest_of("finish")]
        await running.handle.execute_update(Session.extend, Extend(active_hours=1))
        await until_state(running, SessionState.WAITING, kind="host")
        await running.handle.execute_update(Session.resume)
        assert SessionState.DONE is (await ended(running)).state


async def test_a_pause_and_the_deadline_at_once_do_not_hold_the_hand_off(client: Client, task_id: str) -> None:
    script = Script([digest_of("read_file")], hold_model=asyncio.Event())
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        await script.model_asked.wait()
        agent = client.get_workflow_handle_for(Agent.run, ids.agent_workflow_id(ids.agent_id(task_id)))
        await agent.signal(Agent.set_paused, True)
        assert script.hold_model is not None
        script.hold_model.set()
        await script.sealed.wait()
        await asyncio.sleep(0.5)
        await agent.signal(Agent.end, "budget.active_hours: active time is used up")
        assert SessionState.EXPIRED is (await ended(running)).state


async def test_a_seal_that_cannot_be_written_waits_for_a_person(client: Client, task_id: str) -> None:
    script = Script([digest_of("read_file"), digest_of("finish")], failures={"seal": [DiskFull(FULL)]})
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        await until_state(running, SessionState.WAITING)
        await running.handle.execute_update(Session.resume)
        assert SessionState.DONE is (await ended(running)).state
    assert [1, 2] == [seal.step for seal in script.seals]


async def test_a_quick_call_that_fails_outside_is_left_to_the_remote_one(client: Client, task_id: str) -> None:
    full = [DiskFull(FULL)]

    def tool(_request: RunToolInput) -> ToolStatus:
        if full:
            raise full.pop()
        return ToolStatus.OK

    script = Script([digest_of("bash"), digest_of("finish")], quick_calls=True, tool=tool)
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        assert SessionState.DONE is (await ended(running)).state
    assert 2 == len(script.tools)


@pytest.mark.slow
@pytest.mark.release
async def test_a_burst_of_messages_is_delivered_once_across_continue_as_new(client: Client, task_id: str) -> None:
    script = Script([digest_of("read_file")])
    task = a_task(task_id, budget={"steps": 30, "on_limit": "stop"}, stuck={"enabled": False})
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, task, limits=AgentLimits(history_events=30))
        await script.model_asked.wait()
        agent = client.get_workflow_handle_for(Agent.run, ids.agent_workflow_id(ids.agent_id(task_id)))
        sent = [Note(speaker=Speaker.PERSON, text=f"m{i}", message_id=f"m{i}") for i in range(100)]
        await asyncio.gather(*(agent.signal(Agent.deliver_note, note) for note in sent))
        status = await ended(running)
    assert status.agents[0].runs > 1
    said = [note.text for asked in script.asked for note in asked.notes if note.speaker is Speaker.PERSON]
    assert sorted(said) == sorted(note.text for note in sent)
    assert [seal.step for seal in script.seals] == list(range(1, 31))
