# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""A session whose budget is used up: it holds, asks, is raised, and goes on; nothing is charged twice."""

import uuid

import pytest
from temporalio.client import Client, WorkflowHistory, WorkflowUpdateFailedError
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from longshift.contracts import ids
from longshift.contracts.agent import AgentProgress, Phase
from longshift.contracts.model import ModelDigest, ModelOutcome, Reserve, Usage
from longshift.contracts.reviews import Answer, AskKind, Decision
from longshift.contracts.session import Extend, SessionState
from longshift.workflow_runner import workflow_runner
from tests.workflows.conftest import Running, a_task, progress, scripted_worker, start, until_state
from tests.workflows.scripted import Script, digest_of
from workflows import ALL
from workflows.agent import Agent
from workflows.session import Session

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="session")]

RESERVE = Reserve(output_tokens=20)
"""Each call of the script takes 15 tokens, and the next one 20 at most."""


@pytest.fixture
def task_id() -> str:
    return f"b-{uuid.uuid4().hex[:8]}"


def reads(count: int) -> list[ModelDigest]:
    return [digest_of("read_file", reserve=RESERVE) for _ in range(count)]


def script(*answers: ModelDigest) -> Script:
    return Script([*answers])


async def decide(running: Running, task_id: str, option: str, text: str = "") -> None:
    """A person's word, straight to the agent that asked."""
    agent = running.client.get_workflow_handle_for(Agent.run, ids.agent_workflow_id(ids.agent_id(task_id)))
    await agent.signal(Agent.decide, Decision(ask_id="lead-1-budget", option=option, text=text, by="Ada"))


async def test_a_used_up_budget_holds_without_a_call_and_goes_on_when_it_is_raised(
    client: Client, task_id: str
) -> None:
    play = script(*reads(4), digest_of("finish", reserve=RESERVE))
    async with scripted_worker(client, play, task_id):
        running = await start(client, play, a_task(task_id, budget={"tokens": 40}))
        status = await until_state(running, SessionState.WAITING)
        assert status.attention is not None
        assert AskKind.BUDGET == status.attention.kind
        told = await progress(running)
        assert (Phase.PARKED, 2) == (told.phase, len(play.asked))
        assert (30, 30) == (told.usage.total_tokens, status.spent.tokens)
        await decide(running, task_id, "raise", "+500 tokens")
        final = await running.result()
    assert (SessionState.DONE, 5, 75) == (final.state, len(play.asked), final.spent.tokens)
    assert 500 == final.agents[0].raised.tokens


async def test_a_person_raises_it_by_an_answer_and_nonsense_is_refused_with_words(client: Client, task_id: str) -> None:
    play = script(*reads(1), digest_of("finish", reserve=RESERVE))
    async with scripted_worker(client, play, task_id):
        running = await start(client, play, a_task(task_id, budget={"tokens": 20}))
        status = await until_state(running, SessionState.WAITING)
        review = status.reviews[0]
        answer = Answer(review=review.ask.id, option="raise", text="a lot", shown_hash=review.shown_hash, by="Ada")
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await running.handle.execute_update(Session.answer, answer)
        assert "'a lot' is not an amount" in str(refused.value.cause)
        await running.handle.execute_update(Session.answer, answer.model_copy(update={"text": "1k tokens"}))
        final = await running.result()
    assert (SessionState.DONE, 1_000) == (final.state, final.agents[0].raised.tokens)


async def test_an_extension_reaches_the_agent_while_it_holds_and_its_successors(client: Client, task_id: str) -> None:
    play = script(*reads(1), digest_of("finish", reserve=RESERVE))
    async with scripted_worker(client, play, task_id):
        running = await start(client, play, a_task(task_id, budget={"tokens": 20, "usd": 5.0}))
        await until_state(running, SessionState.WAITING)
        with pytest.raises(WorkflowUpdateFailedError):
            await running.handle.execute_update(Session.extend, Extend())
        with pytest.raises(WorkflowUpdateFailedError):
            await running.handle.execute_update(Session.extend, Extend(tokens=-1))
        answer = await running.handle.execute_update(Session.extend, Extend(tokens=1_000, usd=2.5))
        assert "+1,000 tokens, +$2.50" in answer
        final = await running.result()
    assert (SessionState.DONE, 1_000) == (final.state, final.extended.tokens)


async def test_the_end_hands_off_and_expires(client: Client, task_id: str) -> None:
    play = script(*reads(1))
    async with scripted_worker(client, play, task_id):
        running = await start(client, play, a_task(task_id, budget={"tokens": 20}))
        await until_state(running, SessionState.WAITING)
        await decide(running, task_id, "end")
        final = await running.result()
    assert (SessionState.EXPIRED, [True]) == (final.state, [handoff.final for handoff in play.handoffs])


@pytest.mark.slow
@pytest.mark.release
async def test_a_call_that_was_lost_is_charged_and_shown_apart(client: Client, task_id: str) -> None:
    lost = Usage(input_tokens=400)
    down = digest_of(
        outcome=ModelOutcome.UNAVAILABLE,
        usage=lost,
        unknown=lost,
        unknown_usd=0.5,
        cost_usd=0.5,
        retry_after_seconds=0.1,
    )
    play = script(down, digest_of("finish"))
    async with scripted_worker(client, play, task_id):
        final = await (await start(client, play, a_task(task_id))).result()
    assert (415, 400, 0.5) == (final.spent.tokens, final.unknown.tokens, final.unknown.usd)
    assert 0.5 == final.cost_per_done_usd


async def test_most_of_the_active_time_used_is_told_to_the_agent_and_to_people(client: Client, task_id: str) -> None:
    play = Script([digest_of("bash")])
    task = a_task(task_id, budget={"active_hours": 3 / 3600, "warn_at_share": 0.3}, stuck={"enabled": False})
    async with scripted_worker(client, play, task_id):
        running = await start(client, play, task, wrap_up_seconds=0.5)
        await running.result()
    notes = [note.text for asked in play.asked for note in asked.notes]
    assert 1 == sum("of the active time is used" in text for text in notes)


async def test_a_replay_of_the_same_history_charges_once(client: Client, task_id: str) -> None:
    play = script(*reads(4), digest_of("finish", reserve=RESERVE))
    async with scripted_worker(client, play, task_id):
        running = await start(client, play, a_task(task_id, budget={"tokens": 40}))
        await until_state(running, SessionState.WAITING)
        await decide(running, task_id, "raise", "+500 tokens")
        final = await running.result()
        agent_id = ids.agent_workflow_id(ids.agent_id(task_id))
        histories = [
            await client.get_workflow_handle(workflow_id).fetch_history()
            for workflow_id in (agent_id, ids.session_workflow_id(task_id))
        ]
        # A worker that knows nothing of it replays the whole of it to answer.
        answers = [
            await client.get_workflow_handle(agent_id).query("progress", result_type=AgentProgress) for _ in range(2)
        ]
    assert [75, 75, 75] == [final.spent.tokens, *(answer.usage.total_tokens for answer in answers)]
    assert 5 == len(play.asked)
    for history in histories * 2:
        await replayed(history)


async def replayed(history: WorkflowHistory) -> None:
    replayer = Replayer(workflows=ALL, data_converter=pydantic_data_converter, workflow_runner=workflow_runner())
    await replayer.replay_workflow(history)


async def test_budgets_that_are_not_reached_add_no_event(client: Client, task_id: str) -> None:
    counts: list[int] = []
    for number, budget in enumerate(({"steps": 4_000}, {"tokens": 10_000, "usd": 9.0, "steps": 50})):
        name = f"{task_id}-{number}"
        play = script(*reads(6), digest_of("finish", reserve=RESERVE))
        async with scripted_worker(client, play, name):
            await (await start(client, play, a_task(name, budget=budget, stuck={"enabled": False}))).result()
            handle = client.get_workflow_handle(ids.agent_workflow_id(ids.agent_id(name)))
            history = await handle.fetch_history()
        counts.append(sum(event.HasField("activity_task_scheduled_event_attributes") for event in history.events))
    assert counts[0] == counts[1]
