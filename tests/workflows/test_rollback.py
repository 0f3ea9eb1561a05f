# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""Steps that are undone through the real engine: while the agent works, holds, waits or moves to another host."""

import asyncio
import uuid

import pytest
from temporalio.client import Client, WorkflowUpdateFailedError

from longshift.contracts.agent import AgentLimits, Phase
from longshift.contracts.errors import DiskFull, SlotLost
from longshift.contracts.model import ModelOutcome
from longshift.contracts.rollback import Rollback
from longshift.contracts.session import SessionState
from longshift.contracts.tools import RunToolInput, ToolStatus
from longshift.contracts.transcript import Note, Speaker
from longshift.contracts.workspace import Restoration
from tests.workflows.conftest import Running, a_task, eventually, progress, scripted_worker, start, until_state
from tests.workflows.scripted import Host, Script, digest_of
from workflows.session import Session

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture
def task_id() -> str:
    return f"r-{uuid.uuid4().hex[:8]}"


async def roll_back(running: Running, to_step: int, reason: str = "") -> str:
    return await running.handle.execute_update(Session.rollback, Rollback(to_step=to_step, reason=reason), id="u1")


def words(notes: tuple[Note, ...]) -> list[tuple[Speaker, str]]:
    return [(note.speaker, note.text.split(":")[0]) for note in notes]


async def test_a_running_step_is_finished_then_undone_with_those_before_it(client: Client, task_id: str) -> None:
    hold = asyncio.Event()
    script = Script([*[digest_of("write_file")] * 3, digest_of("finish")])

    def hold_third(request: RunToolInput) -> ToolStatus:
        script.hold_tools = hold if request.step == 2 else script.hold_tools
        return ToolStatus.OK

    script.tool = hold_third
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        await eventually(lambda: len(script.tools) == 3)
        assert "goes back to step 1 when the current step is over" == await roll_back(running, 1, "no parser")
        assert not script.rolled_back_files
        hold.set()
        status = await running.result()
    assert SessionState.DONE is status.state
    (files,), (conversation,) = script.rolled_back_files, script.rolled_back
    assert (3, 1) == (files.step, files.to_step)
    assert (1, 4, 1) == (conversation.epoch, conversation.step, conversation.to_step)
    assert [1, 2, 3, 4] == [seal.step for seal in script.seals]
    assert [1, 2, 3] == [checkpoint.step for checkpoint in script.checkpoints]
    asked = script.asked[-1]
    assert (2, 4, 50) == (asked.epoch, asked.step, asked.context_tokens)
    assert [
        (Speaker.RUNNER, "A person rolled this session back to the state after step 1"),
        (Speaker.PERSON, "no parser"),
    ] == words(asked.notes)
    assert "u1" == asked.notes[1].message_id
    assert (4, 1) == (status.agents[0].steps, status.agents[0].rollbacks)


async def test_a_paused_agent_undoes_and_goes_on_pausing(client: Client, task_id: str) -> None:
    script = Script(
        [digest_of("bash"), digest_of("bash"), digest_of("finish")], hold_model=asyncio.Event(), hold_model_from=2
    )
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        await eventually(lambda: len(script.asked) == 2)
        await running.handle.execute_update(Session.pause)
        assert script.hold_model is not None
        script.hold_model.set()
        await eventually(lambda: len(script.seals) == 2)
        await roll_back(running, 0)
        await eventually(lambda: len(script.rolled_back) == 1)
        await asyncio.sleep(0.5)
        found = await progress(running)
        assert (True, 3, 2, "to step 0, after step 2, by a person") == (
            found.paused,
            found.step,
            found.epoch,
            found.last_rollback,
        )
        assert (SessionState.PAUSED, 2) == ((await running.handle.query(Session.status)).state, len(script.asked))
        await running.handle.execute_update(Session.resume)
        assert SessionState.DONE is (await running.result()).state
    assert (2, 3) == (script.asked[-1].epoch, script.asked[-1].step)


async def test_a_parked_agent_needs_no_resume(client: Client, task_id: str) -> None:
    wrong_key = digest_of(outcome=ModelOutcome.MISCONFIGURED, detail="auth: wrong key")
    script = Script([digest_of("bash"), wrong_key, digest_of("finish")])
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        await until_state(running, SessionState.WAITING)
        await roll_back(running, 0)
        assert SessionState.DONE is (await running.result()).state
    assert [(1, 0)] == [(each.step, each.to_step) for each in script.rolled_back_files]


async def test_a_session_that_waits_for_its_provider_without_a_slot_takes_one_for_it(
    client: Client, task_id: str
) -> None:
    quota = digest_of(outcome=ModelOutcome.QUOTA, detail="quota", retry_after_seconds=7_200.0)
    script = Script([digest_of("write_file"), quota, digest_of("finish")])
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        await eventually(lambda: script.slots_ended == [1])
        await roll_back(running, 0)
        assert SessionState.DONE is (await running.result()).state
    assert [2] == [each.workspace.generation for each in script.rolled_back_files]


async def test_a_host_that_is_lost_under_it_is_followed_by_another_that_does_it_again(
    client: Client, task_id: str
) -> None:
    restoration = Restoration(step=1, from_generation=1)
    hosts = [Host("a"), Host("b", life=2, restoration=restoration, is_full=True)]
    script = Script(
        [digest_of("write_file"), digest_of("bash"), digest_of("finish")],
        hold_model=asyncio.Event(),
        hold_model_from=2,
        hold={"roll_back_files": asyncio.Event()},
    )
    async with scripted_worker(client, script, task_id, hosts=hosts):
        running = await start(client, script, a_task(task_id))
        await eventually(lambda: len(script.asked) == 2)
        await roll_back(running, 0)
        assert script.hold_model is not None
        script.hold_model.set()
        await script.entered["roll_back_files"].wait()
        hosts[0].is_full, hosts[1].is_full = True, False
        script.lost.add(1)
        await eventually(lambda: len(script.slots) == 2)
        await asyncio.sleep(1.5)  # until the call on the lost host is given up
        script.hold["roll_back_files"].set()
        assert SessionState.DONE is (await running.result()).state
    assert [("b", 2)] == [(each.workspace.host_id, each.workspace.generation) for each in script.rolled_back_files]
    assert 1 == len(script.rolled_back)
    assert ["The machine that held your workspace was lost", "A person rolled this session back to its beginning"] == [
        note.text.split(",")[0].split(":")[0] for note in script.asked[-1].notes
    ]


async def test_a_host_that_is_lost_between_files_and_conversation_has_left_the_right_files(
    client: Client, task_id: str
) -> None:
    restoration = Restoration(step=2, from_generation=1, tree_hash="t1")
    hosts = [Host("a"), Host("b", life=2, restoration=restoration, is_full=True)]
    script = Script(
        [digest_of("write_file"), digest_of("bash"), digest_of("finish")],
        hold_model=asyncio.Event(),
        hold_model_from=2,
        failures={"roll_back_conversation": [SlotLost("cut off")]},
    )
    async with scripted_worker(client, script, task_id, hosts=hosts):
        running = await start(client, script, a_task(task_id))
        await eventually(lambda: len(script.asked) == 2)
        await roll_back(running, 1)
        assert script.hold_model is not None
        script.hold_model.set()
        await until_state(running, SessionState.WAITING)
        hosts[0].is_full, hosts[1].is_full = True, False
        script.lost.add(1)
        await eventually(lambda: script.slots_ended == [1])
        await running.handle.execute_update(Session.resume)
        assert SessionState.DONE is (await running.result()).state
    assert ["a", "b"] == [each.workspace.host_id for each in script.rolled_back_files]
    moved = script.asked[-1].notes[0].text
    assert "Its files are those after step 1." in moved
    assert "No change of yours is missing." in moved


async def test_a_failure_waits_for_a_person_and_then_it_is_done(client: Client, task_id: str) -> None:
    script = Script(
        [digest_of("write_file"), digest_of("bash"), digest_of("finish")],
        hold_model=asyncio.Event(),
        hold_model_from=2,
        failures={"roll_back_files": [DiskFull("the disk is full")]},
    )
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        await eventually(lambda: len(script.asked) == 2)
        await roll_back(running, 1)
        assert script.hold_model is not None
        script.hold_model.set()
        status = await until_state(running, SessionState.WAITING)
        assert status.attention is not None
        assert "the disk is full" in status.attention.text
        assert Phase.PARKED is (await progress(running)).phase
        await running.handle.execute_update(Session.resume)
        assert SessionState.DONE is (await running.result()).state
    assert (1, 1) == (len(script.rolled_back_files), len(script.rolled_back))


async def test_a_wish_outlives_continue_as_new(client: Client, task_id: str) -> None:
    script = Script([*[digest_of("write_file")] * 6, digest_of("finish")], hold_model=asyncio.Event())
    script.hold_model_from = 4
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id), limits=AgentLimits(history_events=5))
        await eventually(lambda: len(script.asked) == 4)
        await roll_back(running, 2)
        assert script.hold_model is not None
        script.hold_model.set()
        status = await running.result()
    assert SessionState.DONE is status.state
    assert [(4, 2)] == [(each.step, each.to_step) for each in script.rolled_back_files]
    assert status.agents[0].runs >= 2


async def test_what_cannot_be_undone_is_refused(client: Client, task_id: str) -> None:
    script = Script([digest_of("bash"), digest_of("finish")], hold_model=asyncio.Event(), hold_model_from=2)
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        await eventually(lambda: len(script.asked) == 2)
        for to_step, expected in ((9, "to_step: there is no step 9 yet"), (2, "nothing to undo"), (-1, "below 0")):
            with pytest.raises(WorkflowUpdateFailedError) as refused:
                await running.handle.execute_update(Session.rollback, Rollback(to_step=to_step))
            assert expected in str(refused.value.cause)
        assert script.hold_model is not None
        script.hold_model.set()
        assert SessionState.DONE is (await running.result()).state
    assert not script.rolled_back_files
