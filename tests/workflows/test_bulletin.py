# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""People are told of a session, whatever becomes of Slack, of answers from it, and of those who post."""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.boundary import ErrorBoundary
from activities.gate import Gates
from longshift.adapters.fake_slack import CHANNEL, FakeSlack, Fault, FaultKind
from longshift.contracts import ids
from longshift.contracts.cards import BulletinInput, NewsLine, SessionCard
from longshift.contracts.people import PeopleChannels
from longshift.contracts.reviews import Ask, AskKind, Decision, Option, Review, ReviewState
from longshift.contracts.session import SessionInput, SessionState
from longshift.settings import Settings
from longshift.workflow_runner import workflow_runner
from tests.intake.slack.gateway_rig import people_settings, people_worker
from tests.workflows.conftest import a_task, engine_binary, scripted_worker
from tests.workflows.scripted import Script, digest_of
from workflows.bulletin import Bulletin
from workflows.session import Session

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]

CHANNELS = PeopleChannels(slack_channel=CHANNEL)
Handle = WorkflowHandle[Bulletin, None]


@pytest_asyncio.fixture(loop_scope="session")
async def slack() -> AsyncIterator[FakeSlack]:
    async with FakeSlack() as fake:
        yield fake


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def fast_clock() -> AsyncIterator[Client]:
    """An engine in which waiting costs nothing."""
    environment = await WorkflowEnvironment.start_time_skipping_v2(
        data_converter=pydantic_data_converter,
        dev_server_existing_path=engine_binary(),
        dev_server_extra_args=["--dynamic-config-value", "frontend.WorkflowTimeSkippingEnabled=true"],
        dev_server_log_level="error",
    )
    try:
        yield environment.client
    finally:
        await environment.shutdown()


@asynccontextmanager
async def board(client: Client) -> AsyncGenerator[None]:
    """Those who run bulletins."""
    gates = Gates()
    async with Worker(
        client,
        task_queue=ids.CONTROL_QUEUE,
        workflows=[Bulletin],
        activities=[gates.find_ended],
        interceptors=[ErrorBoundary()],
        workflow_runner=workflow_runner(),
    ):
        yield


def card(task_id: str, **fields: object) -> SessionCard:
    given = {"task_id": task_id, "title": "Mend it", "state": SessionState.RUNNING}
    return SessionCard.model_validate({**given, **fields})


def review(state: ReviewState = ReviewState.OPEN, **fields: object) -> Review:
    ask = Ask(id="q1", kind=AskKind.QUESTION, question="Which?", options=(Option(id="a", label="This"),))
    decision = Decision(ask_id="q1", option="a", by="U0ADA0001 (Ada)") if state is ReviewState.DECIDED else None
    given = {"ask": ask, "shown_hash": "h", "state": state, "decision": decision, "asked_at": 1.0}
    return Review.model_validate({**given, **fields})


async def begin(client: Client, first: SessionCard, channels: PeopleChannels = CHANNELS, **fields: object) -> Handle:
    request = BulletinInput.model_validate({"task_id": first.task_id, "channels": channels, "card": first, **fields})
    return await client.start_workflow(
        Bulletin.run, request, id=ids.bulletin_workflow_id(first.task_id), task_queue=ids.CONTROL_QUEUE
    )


@pytest.fixture
def task_id() -> str:
    return f"b-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def settings(slack: FakeSlack, tmp_path: Path) -> Settings:
    return people_settings(slack, tmp_path)


def keys(slack: FakeSlack) -> list[str]:
    """What was posted, by key, in order."""
    return [each.metadata["event_payload"]["key"] for each in slack.workspace.messages]


async def test_a_session_is_shown_from_its_start_to_its_end(
    engine: WorkflowEnvironment, slack: FakeSlack, settings: Settings, task_id: str
) -> None:
    script = Script([digest_of("bash"), digest_of("finish")])
    request = SessionInput(task=a_task(task_id), profile="scripted", people=CHANNELS)
    async with (
        scripted_worker(engine.client, script, task_id),
        people_worker(engine.client, settings),
    ):
        session = await engine.client.start_workflow(
            Session.run, request, id=ids.session_workflow_id(task_id), task_queue=ids.CONTROL_QUEUE
        )
        assert SessionState.DONE is (await session.result()).state
        await engine.client.get_workflow_handle(ids.bulletin_workflow_id(task_id)).result()
    [root] = slack.workspace.roots()
    assert (["root", "end"], True) == (keys(slack), "*done*" in str(root.blocks))


async def test_a_session_ends_while_slack_is_down_and_is_told_of_later(
    engine: WorkflowEnvironment, slack: FakeSlack, settings: Settings, task_id: str
) -> None:
    await slack.stop()
    request = SessionInput(task=a_task(task_id), profile="scripted", people=CHANNELS)
    script = Script([digest_of("finish")])
    async with (
        scripted_worker(engine.client, script, task_id),
        people_worker(engine.client, settings),
    ):
        session = await engine.client.start_workflow(
            Session.run, request, id=ids.session_workflow_id(task_id), task_queue=ids.CONTROL_QUEUE
        )
        assert SessionState.DONE is (await session.result()).state
        assert [] == slack.workspace.messages
        await slack.start()
        await engine.client.get_workflow_handle(ids.bulletin_workflow_id(task_id)).result()
    assert ["root", "end"] == keys(slack)


async def test_a_session_without_channels_starts_nothing(engine: WorkflowEnvironment, task_id: str) -> None:
    script = Script([digest_of("finish")])
    async with scripted_worker(engine.client, script, task_id):
        request = SessionInput(task=a_task(task_id), profile="scripted")
        session = await engine.client.start_workflow(
            Session.run, request, id=ids.session_workflow_id(task_id), task_queue=ids.CONTROL_QUEUE
        )
        await session.result()
        history = await session.fetch_history()
    names = [
        each.start_child_workflow_execution_initiated_event_attributes.workflow_type.name for each in history.events
    ]
    assert {"", "Agent"} == set(names)


async def test_a_lost_answer_and_a_killed_poster_make_no_second_message(
    engine: WorkflowEnvironment, slack: FakeSlack, settings: Settings, task_id: str
) -> None:
    slack.order_faults(*(Fault("chat.postMessage", FaultKind.LOST_ANSWER) for _ in range(2)))
    async with board(engine.client):
        async with people_worker(engine.client, settings):
            handle = await begin(engine.client, card(task_id, reviews=(review(),)))
            await slack.workspace.until(lambda: 2 == len(keys(slack)))
        async with people_worker(engine.client, settings):
            await handle.signal(Bulletin.show, card(task_id, final=True, state=SessionState.DONE))
            await handle.result()
    assert ["root", "question:q1:1", "end"] == keys(slack)


async def test_a_bulletin_goes_on_after_its_worker_was_replaced_and_as_a_new_run(
    engine: WorkflowEnvironment, slack: FakeSlack, settings: Settings, task_id: str
) -> None:
    async with people_worker(engine.client, settings):
        async with board(engine.client):
            handle = await begin(engine.client, card(task_id), history_events=30)
            await slack.workspace.until(lambda: ["root"] == keys(slack))
        async with board(engine.client):
            for step in range(1, 40):
                await handle.signal(Bulletin.show, card(task_id, step=step, reviews=(review(),)))
            await slack.workspace.until(lambda: 2 == len(keys(slack)))
            last = card(task_id, step=40, final=True, state=SessionState.DONE)
            await handle.signal(Bulletin.show, last)
            await handle.result()
    runs = [each.run_id async for each in engine.client.list_workflows(f"WorkflowId = '{handle.id}'")]
    assert ["root", "question:q1:1", "end"] == keys(slack)
    assert len(runs) > 1
    assert slack.workspace.roots()[0].edits <= 3


async def test_a_question_is_asked_again_until_it_is_decided(
    fast_clock: Client, slack: FakeSlack, settings: Settings, task_id: str
) -> None:
    async with board(fast_clock), people_worker(fast_clock, settings):
        living = await fast_clock.start_workflow("Session", id=ids.session_workflow_id(task_id), task_queue="nobody")
        handle = await begin(fast_clock, card(task_id, reviews=(review(remind_at=time.time() + 600),)))
        await slack.workspace.until(lambda: len(keys(slack)) >= 4, seconds=60)
        decided = review(ReviewState.DECIDED)
        await handle.signal(Bulletin.show, card(task_id, final=True, state=SessionState.DONE, reviews=(decided,)))
        await handle.result()
        await living.terminate()
    assert ["root", "question:q1:1", "reminder:q1:1", "reminder:q1:2"] == keys(slack)[:4]
    assert [] == [button for each in slack.workspace.messages for button in each.buttons()]


async def test_what_people_have_to_mend_is_said_and_tried_again_slowly(
    fast_clock: Client, slack: FakeSlack, settings: Settings, task_id: str
) -> None:
    slack.workspace.members[CHANNEL] = False
    async with board(fast_clock), people_worker(fast_clock, settings):
        handle = await begin(fast_clock, card(task_id))
        while "not_in_channel" not in await details(fast_clock, handle):  # noqa: ASYNC110  # a query has no event
            await asyncio.sleep(0.05)
        slack.workspace.members[CHANNEL] = True
        await handle.signal(Bulletin.show, card(task_id, final=True, state=SessionState.DONE))
        await handle.result()
    assert ["root", "end"] == keys(slack)


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.release
async def test_an_hour_without_slack_loses_nothing_and_doubles_nothing(
    fast_clock: Client, slack: FakeSlack, settings: Settings, task_id: str
) -> None:
    await slack.stop()
    async with board(fast_clock), people_worker(fast_clock, settings):
        living = await fast_clock.start_workflow("Session", id=ids.session_workflow_id(task_id), task_queue="nobody")
        handle = await begin(fast_clock, card(task_id, reviews=(review(),)))
        while await lived(handle) < timedelta(hours=1):  # noqa: ASYNC110  # the engine decides how fast time goes
            await asyncio.sleep(0.2)
        await slack.start()
        await slack.workspace.until(lambda: 2 == len(keys(slack)), seconds=40)
        decided = review(ReviewState.DECIDED)
        await handle.signal(Bulletin.show, card(task_id, final=True, state=SessionState.DONE, reviews=(decided,)))
        await handle.result()
        await living.terminate()
    assert ["root", "question:q1:1", "end"] == keys(slack)


async def lived(handle: Handle) -> timedelta:
    """How long a workflow has lived, by the engine's clock."""
    events = (await handle.fetch_history()).events
    return events[-1].event_time.ToDatetime() - events[0].event_time.ToDatetime()


async def details(client: Client, handle: Handle) -> str:
    """What the Web UI shows of a bulletin."""
    return str(await client.get_workflow_handle(handle.id).query("__temporal_workflow_metadata"))


async def test_many_lines_become_one_message(
    fast_clock: Client, slack: FakeSlack, settings: Settings, task_id: str
) -> None:
    async with board(fast_clock), people_worker(fast_clock, settings):
        handle = await begin(fast_clock, card(task_id))
        for number in range(1, 101):
            line = NewsLine(agent="lead", number=number, text=f"line {number}")
            await handle.signal(Bulletin.show, card(task_id, news=(line,)))
        await handle.signal(Bulletin.show, card(task_id, final=True, state=SessionState.DONE))
        await handle.result()
    news = [key for key in keys(slack) if key.startswith("news")]
    assert (True, "news:lead:100") == (len(news) <= 6, news[-1])


async def test_a_session_that_was_terminated_is_said_to_have_ended(
    fast_clock: Client, slack: FakeSlack, settings: Settings, task_id: str
) -> None:
    async with board(fast_clock), people_worker(fast_clock, settings):
        handle = await begin(fast_clock, card(task_id))
        await handle.result()
    assert (["root", "end"], True) == (keys(slack), "ended by the engine" in str(slack.workspace.roots()[0].blocks))


async def test_a_message_that_people_deleted_comes_back(
    engine: WorkflowEnvironment, slack: FakeSlack, settings: Settings, task_id: str
) -> None:
    async with board(engine.client), people_worker(engine.client, settings):
        handle = await begin(engine.client, card(task_id))
        await slack.workspace.until(lambda: ["root"] == keys(slack))
        slack.workspace.delete(slack.workspace.roots()[0].ts)
        await handle.signal(Bulletin.show, card(task_id, final=True, state=SessionState.DONE))
        await handle.result()
    assert ["root", "end"] == keys(slack)
