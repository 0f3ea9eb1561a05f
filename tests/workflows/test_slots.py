# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""Slots through the real engine, with scripted hosts: lost, moved, given back, handed over, refused."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import Client, WorkflowUpdateFailedError

from longshift.contracts import ids
from longshift.contracts.errors import SlotLost, StaleGeneration, WorkspaceFailed
from longshift.contracts.model import ModelOutcome
from longshift.contracts.session import QueuePlace, Reprioritise, SessionState
from longshift.contracts.tools import RunToolInput, ToolStatus
from longshift.contracts.transcript import Speaker
from longshift.contracts.workspace import Restoration
from longshift.policy import notes
from tests.workflows.conftest import a_task, eventually, scripted_worker, start, until_state
from tests.workflows.scripted import Host, Script, digest_of
from workflows.gate import Gate
from workflows.session import Session

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture
def task_id() -> str:
    return f"s-{uuid.uuid4().hex[:8]}"


def two_hosts(*, step: int) -> list[Host]:
    """One that has the first slot, and one that makes the workspace again as it was after `step`."""
    return [Host("a"), Host("b", life=2, restoration=Restoration(step=step, from_generation=1))]


def only(hosts: list[Host], name: str) -> None:
    """Let one host have room."""
    for host in hosts:
        host.is_full = host.host_id != name


async def test_a_command_under_a_lost_host_is_not_run_again_and_the_agent_hears_what_is_missing(
    client: Client, task_id: str
) -> None:
    hosts, hold = two_hosts(step=1), asyncio.Event()
    only(hosts, "a")
    answers = [digest_of("write_file"), digest_of("bash"), digest_of("finish"), digest_of("finish")]
    script = Script(answers, tool=lambda request: ToolStatus.OK)

    def hold_second(request: RunToolInput) -> ToolStatus:
        script.hold_tools = hold if request.step == 1 else script.hold_tools
        return ToolStatus.OK

    script.tool = hold_second
    async with scripted_worker(client, script, task_id, hosts=hosts):
        running = await start(client, script, a_task(task_id))
        await eventually(lambda: len(script.tools) >= 2)
        only(hosts, "b")
        script.lost.add(1)
        status = await running.result()
    assert (SessionState.DONE, [("a", 1), ("b", 2)]) == (status.state, script.slots)
    assert [(1, "write_file"), (2, "bash")] == [(call.step, call.name) for call in script.tools]
    second = next(seal for seal in script.seals if seal.step == 2)
    assert (True, notes.LOST_WITH_HOST) == (second.results[0].is_error, second.results[0].text)
    told = [note for asked in script.asked for note in asked.notes]
    assert [Speaker.RUNNER] == [note.speaker for note in told]
    assert "Its files are those after step 1" in told[0].text
    assert "No change of yours is missing" in told[0].text
    assert 1 == script.killed


async def test_a_pure_call_under_a_lost_host_is_made_again_and_stored_where_the_old_host_does_not_write(
    client: Client, task_id: str
) -> None:
    hosts, hold = two_hosts(step=0), asyncio.Event()
    only(hosts, "a")
    script = Script([digest_of("read_file"), digest_of("finish"), digest_of("finish")], hold_tools=hold)
    async with scripted_worker(client, script, task_id, hosts=hosts):
        running = await start(client, script, a_task(task_id))
        await script.tool_started.wait()
        only(hosts, "b")
        script.hold_tools = None
        script.lost.add(1)
        status = await running.result()
    assert SessionState.DONE is status.state
    assert [1, 2] == [call.workspace.generation for call in script.tools]
    assert 2 == script.seals[0].results[0].generation
    assert None is script.seals[0].results[0].text


async def test_changes_that_no_checkpoint_holds_are_named_by_their_steps(client: Client, task_id: str) -> None:
    hosts = two_hosts(step=0)
    only(hosts, "a")
    model = asyncio.Event()
    answers = [digest_of("write_file"), digest_of("bash"), digest_of("read_file"), digest_of("finish")]
    script = Script([*answers, digest_of("finish")], archives=False, hold_model=model, hold_model_from=3)
    async with scripted_worker(client, script, task_id, hosts=hosts):
        running = await start(client, script, a_task(task_id))
        await eventually(lambda: len(script.asked) >= 3)
        only(hosts, "b")
        script.lost.add(1)
        await eventually(lambda: len(script.slots) >= 2)
        model.set()
        await running.result()
    told = [note.text for asked in script.asked for note in asked.notes]
    assert "before any of your changes was saved" in told[0]
    assert "The changes of these steps are missing: 1, 2." in told[0]


async def test_a_host_that_only_restarted_gets_its_session_back_and_its_calls_go_on(
    client: Client, task_id: str
) -> None:
    hosts, hold = [Host("a"), Host("b", life=2)], asyncio.Event()
    only(hosts, "a")
    script = Script([digest_of("bash"), digest_of("finish")], hold_tools=hold)
    async with scripted_worker(client, script, task_id, hosts=hosts):
        running = await start(client, script, a_task(task_id))
        await script.tool_started.wait()
        hosts[1].is_full = False
        script.lost.add(1)
        await eventually(lambda: len(script.slots) >= 2)
        hold.set()
        status = await running.result()
    assert (SessionState.DONE, [("a", 1), ("a", 2)]) == (status.state, script.slots)
    assert (1, 0) == (len(script.tools), script.killed)
    assert [] == [note for asked in script.asked for note in asked.notes]


async def test_a_call_that_a_newer_slot_refuses_is_made_under_that_slot(client: Client, task_id: str) -> None:
    refused: list[int] = []

    def refuse_the_first(request: RunToolInput) -> ToolStatus:
        if request.workspace.generation == 1:
            refused.append(1)
            script.lost.add(1)
            raise StaleGeneration("a newer slot holds it")
        return ToolStatus.OK

    script = Script([digest_of("bash"), digest_of("finish")], tool=refuse_the_first)
    async with scripted_worker(client, script, task_id, hosts=[Host("a")]):
        status = await (await start(client, script, a_task(task_id))).result()
    assert (SessionState.DONE, [1]) == (status.state, refused)
    assert [1, 2] == [call.workspace.generation for call in script.tools]


async def test_a_full_host_sends_its_session_to_the_others(client: Client, task_id: str) -> None:
    hosts = two_hosts(step=0)
    only(hosts, "a")
    script = Script([digest_of("bash"), digest_of("finish"), digest_of("finish")], hold_tools=asyncio.Event())
    async with scripted_worker(client, script, task_id, hosts=hosts):
        running = await start(client, script, a_task(task_id))
        await script.tool_started.wait()
        only(hosts, "b")
        script.hold_tools = None
        script.lost.add(1)
        status = await running.result()
    assert (SessionState.DONE, "b") == (status.state, status.workspace.host_id if status.workspace else "")


async def test_a_long_wait_for_the_provider_gives_the_slot_back_and_takes_one_again(
    client: Client, task_id: str
) -> None:
    quota = digest_of(outcome=ModelOutcome.QUOTA, detail="quota", retry_after_seconds=7_200.0)
    script = Script([digest_of("write_file"), quota, digest_of("bash"), digest_of("finish")], ended_commands=2)
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        await eventually(lambda: script.slots_ended == [1])
        waiting = await until_state(running, SessionState.WAITING)
        await running.handle.execute_update(Session.resume)
        status = await running.result()
    assert (False, SessionState.DONE) == (waiting.has_slot, status.state)
    assert [("h", 1), ("h", 2)] == script.slots
    assert [1] == [checkpoint.step for checkpoint in script.checkpoints][:1]
    told = [note.text for asked in script.asked for note in asked.notes]
    assert any("2 running commands were ended" in text for text in told)


async def test_files_that_are_not_in_the_store_keep_their_slot(client: Client, task_id: str) -> None:
    quota = digest_of(outcome=ModelOutcome.QUOTA, detail="quota", retry_after_seconds=7_200.0)
    script = Script([digest_of("write_file"), quota, digest_of("finish")], archives=False)
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        status = await until_state(running, SessionState.WAITING)
        await running.handle.execute_update(Session.resume)
        await running.result()
    assert (True, [("h", 1)]) == (status.has_slot, script.slots)


async def test_a_host_that_is_about_to_stop_hands_its_session_over_at_the_next_step(
    client: Client, task_id: str
) -> None:
    hosts, hold = two_hosts(step=1), asyncio.Event()
    only(hosts, "a")
    script = Script([digest_of("bash"), digest_of("read_file"), digest_of("finish")], hold_tools=hold)
    async with scripted_worker(client, script, task_id, hosts=hosts):
        running = await start(client, script, a_task(task_id))
        await script.tool_started.wait()
        script.draining.add(1)
        only(hosts, "b")
        await asyncio.sleep(0.3)
        assert [] == script.slots_ended
        hold.set()
        await eventually(lambda: len(script.slots) >= 2)
        status = await running.result()
    assert (SessionState.DONE, [("a", 1), ("b", 2)]) == (status.state, script.slots)
    assert 0 == script.killed
    assert ["No change" in note.text for asked in script.asked for note in asked.notes] == [True]


async def test_a_workspace_that_cannot_be_made_again_waits_for_a_person(client: Client, task_id: str) -> None:
    script = Script([digest_of("bash"), digest_of("finish")], hold_tools=asyncio.Event())
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        await script.tool_started.wait()
        script.failures["hold_slot"] = [WorkspaceFailed("setup command 1 failed")]
        script.lost.add(1)
        waiting = await until_state(running, SessionState.WAITING)
        assert script.hold_tools is not None
        script.hold_tools.set()
        await running.handle.execute_update(Session.resume)
        status = await running.result()
    assert ("host", SessionState.DONE) == (waiting.attention.kind if waiting.attention else "", status.state)
    assert waiting.attention is not None
    assert "setup command 1 failed" in waiting.attention.text


async def test_a_queued_session_is_moved_and_cancelled_without_a_host(client: Client, task_id: str) -> None:
    script = Script([digest_of("finish")])
    hosts = [Host("a", is_full=True)]
    async with scripted_worker(client, script, task_id, hosts=hosts):
        running = await start(client, script, a_task(task_id, not_before=datetime.now(UTC) + timedelta(hours=9)))
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await running.handle.execute_update(Session.reprioritise, Reprioritise(priority=1))
        assert "does not wait in the queue" in str(refused.value.cause)
        assert SessionState.QUEUED is (await running.handle.query(Session.status)).state
        await running.handle.execute_update(Session.cancel, "not needed")
        status = await running.result()
    assert (SessionState.CANCELLED, []) == (status.state, script.slots)


async def test_another_priority_queues_the_session_anew(client: Client, task_id: str) -> None:
    script = Script([digest_of("finish")], hold={"hold_slot": asyncio.Event()})
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id, id=task_id))
        await until_state(running, SessionState.PREPARING)
        with pytest.raises(WorkflowUpdateFailedError):
            await running.handle.execute_update(Session.reprioritise, Reprioritise(priority=1))
        with pytest.raises(WorkflowUpdateFailedError):
            await running.handle.execute_update(Session.reprioritise, Reprioritise(priority=9))
        script.hold["hold_slot"].set()
        assert SessionState.DONE is (await running.result()).state


async def test_a_slot_that_is_lost_while_the_workspace_is_made_is_asked_for_again(client: Client, task_id: str) -> None:
    script = Script([digest_of("finish")], failures={"hold_slot": [SlotLost("the host stops")]})
    async with scripted_worker(client, script, task_id):
        status = await (await start(client, script, a_task(task_id))).result()
    assert (SessionState.DONE, [1, 2]) == (status.state, [generation for _, generation in script.slots])


async def test_at_most_so_many_sessions_of_a_key_hold_slots_at_once(client: Client, task_id: str) -> None:
    place = QueuePlace(cap_key=f"repository:{task_id}", cap_sessions=1)
    script = Script([digest_of("bash"), digest_of("finish")], hold_tools=asyncio.Event())
    async with scripted_worker(client, script, task_id):
        first = await start(client, script, a_task(f"{task_id}-1"), place=place)
        await script.tool_started.wait()
        second = await start(client, script, a_task(f"{task_id}-2"), place=place)
        third = await start(client, script, a_task(f"{task_id}-3"), place=place)
        gate = client.get_workflow_handle_for(Gate.run, ids.gate_workflow_id(place.cap_key))
        async with asyncio.timeout(20):
            while len((await gate.query(Gate.status)).waiting) < 2:  # noqa: ASYNC110  # a query has no event
                await asyncio.sleep(0.05)
        assert 1 == len(script.slots)
        await second.handle.terminate()
        assert script.hold_tools is not None
        script.hold_tools.set()
        assert SessionState.DONE is (await first.result()).state
        assert SessionState.DONE is (await third.result()).state
        assert 2 == len(script.slots)
        await gate.result()


@pytest.mark.parametrize("tells_who_prepares", [True, False])
async def test_a_session_that_takes_down_one_host_after_the_other_is_held_for_a_person_with_the_evidence(
    client: Client, task_id: str, tells_who_prepares: bool
) -> None:
    script = Script([digest_of("bash"), digest_of("finish")], hold_tools=asyncio.Event(), lost={1, 2, 3, 4, 5})
    hosts = [Host(queue=ids.CONTROL_QUEUE, tells_who_prepares=tells_who_prepares)]
    async with scripted_worker(client, script, task_id, hosts=hosts):
        running = await start(client, script, a_task(task_id))
        waiting = await until_state(running, SessionState.WAITING)
        assert waiting.attention is not None
        assert "the slot was lost 5 times in a row" in waiting.attention.text
        assert "on host h:" in waiting.attention.text
        assert 5 == len(script.slots)
        assert script.hold_tools is not None
        script.hold_tools.set()
        await running.handle.execute_update(Session.resume)
        assert SessionState.DONE is (await running.result()).state


async def test_a_session_that_waits_without_a_slot_leaves_its_place_under_the_cap(client: Client, task_id: str) -> None:
    place = QueuePlace(cap_key=f"repository:{task_id}", cap_sessions=1)
    wrong_key = digest_of(outcome=ModelOutcome.MISCONFIGURED, detail="auth: wrong key")
    waits, works = f"{task_id}-1", f"{task_id}-2"
    script = Script([digest_of("finish")], answers_of={waits: [wrong_key, digest_of("finish")]})
    async with scripted_worker(client, script, task_id):
        first = await start(client, script, a_task(waits), place=place)
        await until_state(first, SessionState.WAITING)
        script.lost.add(1)
        await eventually(lambda: script.slots_ended == [1])
        script.lost.clear()
        second = await start(client, script, a_task(works), place=place)
        assert SessionState.DONE is (await asyncio.wait_for(second.result(), 20)).state
        await first.handle.execute_update(Session.resume)
        assert SessionState.DONE is (await first.result()).state
