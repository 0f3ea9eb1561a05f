# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""Nothing impure runs in a workflow: here all modules below the workflows are loaded anew, within the sandbox.

In production, and in the other workflow tests, they pass through; a clock, a random number or a file would not show.
"""

import asyncio
import uuid

import pytest
from temporalio.client import Client
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from longshift.contracts import ids
from longshift.contracts.agent import AgentLimits
from longshift.contracts.model import CallDigest, ToolClass
from longshift.contracts.reviews import Answer, Decision
from longshift.contracts.rollback import Rollback
from longshift.contracts.session import Extend, SessionState, Steer
from longshift.contracts.stuck import Rung
from tests.workflows.conftest import a_task, progress, scripted_worker, start, until_state
from tests.workflows.scripted import Script, digest_of
from workflows.agent import Agent
from workflows.session import Session

pytestmark = [pytest.mark.engine, pytest.mark.imports_anew, pytest.mark.asyncio(loop_scope="session")]

ASKS = CallDigest(
    index=0,
    call_id="c0",
    name="ask_human",
    tool_class=ToolClass.PURE,
    arguments_hash="a" * 16,
    shown="Which port?",
    choices=("80", "81"),
)


@pytest.fixture
def task_id() -> str:
    return f"p-{uuid.uuid4().hex[:8]}"


@pytest.mark.slow
async def test_a_session_that_asks_is_steered_extended_rolled_back_and_continues_as_new(
    client: Client, task_id: str
) -> None:
    asking = digest_of("ask_human").model_copy(update={"calls": (ASKS,)})
    answers = [digest_of("bash"), digest_of("read_file"), asking, digest_of("update_plan"), digest_of("write_file")]
    script = Script(
        [*answers, *[digest_of("bash")] * 4, digest_of("finish"), digest_of("finish")], checks=[False, True]
    )
    async with scripted_worker(client, script, task_id, runner=SandboxedWorkflowRunner()):
        running = await start(client, script, a_task(task_id), limits=AgentLimits(history_events=40))
        status = await until_state(running, SessionState.WAITING, kind="question")
        review = status.reviews[0]
        await running.handle.execute_update(Session.extend, Extend(active_hours=1))
        answer = Answer(review=review.ask.id, option="choice-2", shown_hash=review.shown_hash, by="Ada")
        await running.handle.execute_update(Session.answer, answer, id=review.ask.id)
        await running.handle.execute_update(Session.steer, Steer(text="Mind the tests."))
        await running.handle.execute_update(Session.rollback, Rollback(to_step=1))
        status = await running.result()
    assert (SessionState.DONE, 1) == (status.state, status.agents[-1].rollbacks)
    assert status.agents[-1].runs > 1


async def test_an_agent_that_goes_round_in_circles(client: Client, task_id: str) -> None:
    script = Script([digest_of("read_file")])
    async with scripted_worker(client, script, task_id, runner=SandboxedWorkflowRunner()):
        running = await start(client, script, a_task(task_id, budget={"steps": 60}))
        status = await until_state(running, SessionState.WAITING, kind="stuck")
        assert Rung.ESCALATE is (await progress(running)).rung
        agent = client.get_workflow_handle_for(Agent.run, ids.agent_workflow_id(status.agent))
        await agent.signal(Agent.decide, Decision(ask_id=status.reviews[0].ask.id, option="end", by="Ada"))
        status = await asyncio.wait_for(running.result(), 60)
    assert SessionState.EXPIRED is status.state
