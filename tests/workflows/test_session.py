# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""The life of a task through the real engine, with scripted activities."""

import asyncio
import uuid

import pytest
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.common import SearchAttributeKey

from longshift.contracts import ids, search
from longshift.contracts.agent import AgentLimits, Phase
from longshift.contracts.errors import DiskFull
from longshift.contracts.model import ModelOutcome
from longshift.contracts.session import Extend, SessionState, Steer
from longshift.contracts.tools import RunToolInput, ToolStatus
from longshift.contracts.transcript import Speaker
from tests.workflows.conftest import a_task, eventually, progress, scripted_worker, start, until_state
from tests.workflows.scripted import Script, digest_of
from workflows.session import Session

STUCK = SearchAttributeKey.for_keyword(search.STUCK)
pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture
def task_id() -> str:
    return f"t-{uuid.uuid4().hex[:8]}"


async def test_a_task_is_worked_on_proved_and_delivered(client: Client, task_id: str) -> None:
    script = Script([digest_of("read_file", "read_file"), digest_of("bash"), digest_of("finish")])
    async with scripted_worker(client, script, task_id):
        status = await (await start(client, script, a_task(task_id))).result()
    assert SessionState.DONE is status.state
    assert [report.steps for report in status.agents] == [3]
    assert [seal.step for seal in script.seals] == [1, 2, 3]
    assert (len(script.checks_run), len(script.delivered), script.released) == (1, 1, 1)
    assert SessionState.DONE is script.delivered[0].status.state


async def test_red_checks_send_the_agent_back(client: Client, task_id: str) -> None:
    script = Script([digest_of("finish"), digest_of("bash"), digest_of("finish")], checks=[False, True])
    async with scripted_worker(client, script, task_id):
        status = await (await start(client, script, a_task(task_id))).result()
    assert SessionState.DONE is status.state
    assert len(script.checks_run) == 2
    assert script.seals[0].results[0].is_error


async def test_a_changed_tree_is_checkpointed_before_the_next_change(client: Client, task_id: str) -> None:
    script = Script([digest_of("bash"), digest_of("write_file"), digest_of("finish")])
    async with scripted_worker(client, script, task_id):
        await (await start(client, script, a_task(task_id))).result()
    assert [checkpoint.step for checkpoint in script.checkpoints] == [1, 2]


async def test_the_agent_continues_as_new_between_any_two_steps(client: Client, task_id: str) -> None:
    script = Script([*[digest_of("read_file")] * 9, digest_of("finish")])
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id), limits=AgentLimits(history_events=20))
        status = await running.result()
    report = status.agents[0]
    assert (SessionState.DONE, 10, list(range(1, 11))) == (
        status.state,
        report.steps,
        [seal.step for seal in script.seals],
    )
    assert report.runs >= 4


async def test_quick_calls_need_no_remote_activity(client: Client, task_id: str) -> None:
    script = Script([digest_of("read_file"), digest_of("finish")], quick_calls=True)
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        await running.result()
        history = await client.get_workflow_handle(ids.agent_workflow_id(f"{task_id}/lead")).fetch_history()
    names = [
        event.activity_task_scheduled_event_attributes.activity_type.name
        for event in history.events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]
    assert names == ["call_model", "call_model", "run_checks"]


async def test_a_long_quick_call_is_followed_by_a_remote_one(client: Client, task_id: str) -> None:
    statuses = iter([ToolStatus.RUNNING, ToolStatus.OK])
    script = Script([digest_of("bash"), digest_of("finish")], quick_calls=True, tool=lambda request: next(statuses))
    async with scripted_worker(client, script, task_id):
        status = await (await start(client, script, a_task(task_id))).result()
    assert (status.state, len(script.tools)) == (SessionState.DONE, 2)


async def test_steering_goes_with_the_next_model_call_once(client: Client, task_id: str) -> None:
    hold = asyncio.Event()
    script = Script([digest_of("read_file"), digest_of("read_file"), digest_of("finish")], hold_model=hold)
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        await script.model_asked.wait()
        steer = Steer(text="use tabs")
        for _ in range(3):
            await running.handle.execute_update(Session.steer, steer, id="click-1")
        hold.set()
        await running.result()
    assert [len(asked.notes) for asked in script.asked] == [0, 1, 0]
    assert (script.asked[1].notes[0].speaker, script.asked[1].notes[0].text) == (Speaker.PERSON, "use tabs")


async def test_a_paused_session_holds_between_steps_and_goes_on(client: Client, task_id: str) -> None:
    hold = asyncio.Event()
    script = Script([digest_of("read_file"), digest_of("finish")], hold_model=hold)
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        await script.model_asked.wait()
        await running.handle.execute_update(Session.pause)
        with pytest.raises(WorkflowUpdateFailedError):
            await running.handle.execute_update(Session.pause)
        hold.set()
        await until_state(running, SessionState.PAUSED)
        await script.sealed.wait()
        assert (len(script.asked), (await progress(running)).paused) == (1, True)
        await running.handle.execute_update(Session.resume)
        assert SessionState.DONE is (await running.result()).state


async def test_cancelling_kills_the_running_command_and_delivers_what_there_is(client: Client, task_id: str) -> None:
    script = Script([digest_of("bash")], hold_tools=asyncio.Event())
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        await script.tool_started.wait()
        await running.handle.execute_update(Session.cancel, "wrong task")
        status = await running.result()
    assert (status.state, status.reason) == (SessionState.CANCELLED, "wrong task")
    assert (script.killed, len(script.delivered), script.released) == (1, 1, 1)
    assert len(script.seals[0].results) == 1


async def test_cancelling_in_the_web_ui_ends_the_same_way(client: Client, task_id: str) -> None:
    script = Script([digest_of("bash")], hold_tools=asyncio.Event())
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        await script.tool_started.wait()
        await running.handle.cancel()
        status = await running.result()
    assert (status.state, script.killed, len(script.delivered)) == (SessionState.CANCELLED, 1, 1)


async def test_a_workspace_that_cannot_be_made_fails_with_its_reason(client: Client, task_id: str) -> None:
    script = Script([digest_of("finish")], setup_fails="workspace.git: no repository at /nowhere")
    async with scripted_worker(client, script, task_id):
        status = await (await start(client, script, a_task(task_id))).result()
    assert (status.state, script.asked) == (SessionState.FAILED, [])
    assert "workspace.git: no repository at /nowhere" in status.reason


async def test_a_configuration_error_waits_for_a_person_and_resume_tries_again(client: Client, task_id: str) -> None:
    wrong_key = digest_of(outcome=ModelOutcome.MISCONFIGURED, detail="auth: wrong key")
    script = Script([wrong_key, digest_of("finish")])
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        status = await until_state(running, SessionState.WAITING)
        assert (
            status.attention and status.attention.kind,
            status.attention and status.attention.text,
        ) == ("configuration", "auth: wrong key")
        assert Phase.PARKED is (await progress(running)).phase
        await running.handle.execute_update(Session.resume)
        assert SessionState.DONE is (await running.result()).state


async def test_a_used_up_step_budget_expires_with_a_handoff_note(client: Client, task_id: str) -> None:
    script = Script([digest_of("read_file")])
    task = a_task(task_id, budget={"steps": 3, "on_limit": "stop"})
    async with scripted_worker(client, script, task_id):
        status = await (await start(client, script, task)).result()
    assert (
        status.state,
        status.agents[0].steps,
        status.agents[0].handoff_note,
    ) == (SessionState.EXPIRED, 3, "so far")
    assert "budget.steps" in status.reason
    assert [handoff.final for handoff in script.handoffs] == [True]


async def test_time_used_up_warns_then_hands_over_to_a_fresh_agent(client: Client, task_id: str) -> None:
    """Real seconds: 4 s of active time, a warning 1.5 s before its end, and `continue`."""
    script = Script([digest_of("bash")], tool=lambda request: ToolStatus.OK)
    task = a_task(task_id, budget={"active_hours": 4 / 3600}, on_deadline="continue")
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, task, wrap_up_seconds=1.5)
        await script.reopened.wait()
        script.answers[:] = [digest_of("finish")]
        status = await running.result()
    assert (status.state, status.shift) == (SessionState.DONE, 2)
    assert ["", f"{task_id}/lead"] == [opened.handoff_from for opened in script.opened]
    warned = [note.text for asked in script.asked for note in asked.notes]
    assert any("are left" in text for text in warned)


async def test_a_fresh_agent_is_not_listed_as_stuck_for_the_one_before_it(client: Client, task_id: str) -> None:
    script = Script([digest_of("read_file")])
    fields = {"budget": {"active_hours": 1.5 / 3600}, "on_deadline": "continue", "stuck": {"grace_steps": 200}}
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id, **fields))
        await eventually(lambda: bool(script.handoffs))
        listed = (await running.handle.describe()).typed_search_attributes.get(STUCK)
        script.answers = [digest_of("finish")]
        status = await running.result()
    assert ("nudge", 2) == (listed, len(status.agents))
    assert (await running.handle.describe()).typed_search_attributes.get(STUCK) is None


async def test_a_session_that_asks_at_its_deadline_goes_on_when_extended(client: Client, task_id: str) -> None:
    script = Script([digest_of("bash")])
    task = a_task(task_id, budget={"active_hours": 1 / 3600}, on_deadline="ask")
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, task, wrap_up_seconds=900)
        status = await until_state(running, SessionState.WAITING)
        assert status.attention is not None
        assert status.attention.kind == "deadline"
        with pytest.raises(WorkflowUpdateFailedError):
            await running.handle.execute_update(Session.resume)
        script.answers[:] = [digest_of("finish")]
        await running.handle.execute_update(Session.extend, Extend(active_hours=1))
        assert SessionState.DONE is (await running.result()).state


async def test_updates_after_the_end_are_refused_with_the_state(client: Client, task_id: str) -> None:
    script = Script([digest_of("finish")])
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        await running.result()
        with pytest.raises(Exception, match=r"completed"):  # the engine's own RPC error
            await running.handle.execute_update(Session.steer, Steer(text="late"))


async def test_a_full_disk_waits_for_a_person_and_resume_runs_the_call_again(client: Client, task_id: str) -> None:
    full = [DiskFull("disk: 12 MB free below /data; free space and resume the session")]

    def tool(_request: RunToolInput) -> ToolStatus:
        if full:
            raise full.pop()
        return ToolStatus.OK

    script = Script([digest_of("bash"), digest_of("finish")], tool=tool)
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        status = await until_state(running, SessionState.WAITING)
        assert status.attention is not None
        assert "host" == status.attention.kind
        assert "free space and resume" in status.attention.text
        await running.handle.execute_update(Session.resume)
        assert SessionState.DONE is (await running.result()).state
    assert 2 == len(script.tools)


async def test_a_goal_relative_to_the_baseline_is_measured_before_any_work(client: Client, task_id: str) -> None:
    speed = {"name": "speed", "run": "bench", "measure": {"at_most_times_baseline": 0.8}}
    script = Script([digest_of("finish")])
    async with scripted_worker(client, script, task_id):
        status = await (await start(client, script, a_task(task_id, checks=[speed]))).result()
    assert SessionState.DONE is status.state
    assert [True, False] == [run.baseline for run in script.checks_run]


async def test_the_list_shows_the_whole_session_also_after_its_end(client: Client, task_id: str) -> None:
    script = Script([digest_of("read_file", cost_usd=0.25), digest_of("finish", cost_usd=0.25)])
    async with scripted_worker(client, script, task_id):
        running = await start(client, script, a_task(task_id))
        await running.result()
    found = (await running.handle.describe()).typed_search_attributes
    step, tokens = (found[SearchAttributeKey.for_int(name)] for name in (search.STEP, search.TOKENS))
    assert (2, 30, 0.5) == (step, tokens, found[SearchAttributeKey.for_float(search.COST_USD)])
