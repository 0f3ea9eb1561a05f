"""A swarm in Slack: its plan with its changes is decided there, and replies reach sub-agents by their items."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client

from longshift.adapters.fake_slack import ADA, FakeSlack
from longshift.contracts.reviews import AskKind
from longshift.contracts.session import AgentStatus
from longshift.contracts.swarm import SwarmSummary
from tests.intake.intake_rig import RunningEngine
from tests.intake.slack.gateway_rig import Asking, asking, gateway, people_settings
from tests.intake.slack.test_slack_gateway import decided
from tests.telling_swarm import a_summary, at_work, plan_question

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]


@pytest_asyncio.fixture(loop_scope="session")
async def slack() -> AsyncIterator[FakeSlack]:
    async with FakeSlack() as fake:
        yield fake


@pytest.fixture
def client(server: RunningEngine) -> Client:
    return server.client


async def ask_about_plan(session: Asking, evidence: tuple[str, ...] = ()) -> None:
    """The agent asks about a plan that a person has changed before."""
    ask = plan_question(session.task_id)
    shown = evidence or ask.evidence
    await session.ask(kind=AskKind.SWARM, question=ask.question, options=ask.options, evidence=shown)


async def test_a_plan_is_changed_in_a_form_that_says_how(client: Client, slack: FakeSlack, tmp_path: Path) -> None:
    settings = people_settings(slack, tmp_path)
    async with gateway(client, settings, slack), asking(client, slack, settings) as session:
        await ask_about_plan(session)
        question = await session.question()
        shown, labels = str(question.blocks), [each["text"]["text"] for each in question.buttons()]
        assert await slack.click(question, "Change the plan…")
        await slack.workspace.until(lambda: bool(slack.workspace.views))
        (view,) = slack.workspace.views
        assert await slack.submit(view, "strike b\ngoal a: Type a well")
        review = await decided(session)
    assert "🐝 A plan for sub-agents" in shown
    assert "+  goal: Type b" in shown
    assert "A reply in this thread answers it too" not in shown
    assert ["Approve the plan", "Change the plan…", "Decide against it…"] == labels
    assert "merge-after ID: ID" in str(view)
    assert review.decision is not None
    assert ("amend", "strike b\ngoal a: Type a well", f"{ADA} (Ada)") == (
        review.decision.option,
        review.decision.text,
        review.decision.by,
    )


async def test_a_plan_that_slack_cannot_show_whole_is_not_approved_there(
    client: Client, slack: FakeSlack, tmp_path: Path
) -> None:
    settings = people_settings(slack, tmp_path)
    async with gateway(client, settings, slack), asking(client, slack, settings) as session:
        await ask_about_plan(session, evidence=tuple("x" * 1_900 for _ in range(5)))
        question = await session.question()
        shown, labels = str(question.blocks), [each["text"]["text"] for each in question.buttons()]
    assert ["Change the plan…", "Decide against it…"] == labels
    assert "so it cannot be approved in Slack: `longshift inbox` shows all of it" in shown


async def test_a_reply_that_names_an_item_is_for_its_sub_agent(
    client: Client, slack: FakeSlack, tmp_path: Path
) -> None:
    settings = people_settings(slack, tmp_path)
    async with gateway(client, settings, slack), asking(client, slack, settings) as session:
        await session.handle.signal("agent_status", at_work(session.task_id, f"{session.task_id}.swarm1"))
        assert await slack.reply(session.root.ts, "@a Keep it short.")
        assert "For sub-agent a: passed on to item a." == await session.whispered("item a")
        assert await slack.reply(session.root.ts, "@all: hurry")
        assert "For all sub-agents: passed on to all items" in await session.whispered("all items")
        assert await slack.reply(session.root.ts, "status")
        assert "swarm1: 0/2 merged, 1 at work, 1 failed" in await session.whispered("active hours")


async def test_the_message_of_a_session_shows_its_swarm_and_its_thread_the_quarters(
    client: Client, slack: FakeSlack, tmp_path: Path
) -> None:
    settings = people_settings(slack, tmp_path)
    async with gateway(client, settings, slack), asking(client, slack, settings) as session:
        swarm = f"{session.task_id}.swarm1"
        half = {
            "total": 40,
            "counts": {"merged": 21, "running": 19},
            "number": 9,
            "waiting_for": "",
            "needs_person": False,
        }
        summary = SwarmSummary.model_validate({**a_summary(swarm).model_dump(), **half})
        told = AgentStatus(agent=f"{session.task_id}/lead", waiting=False, step=3, swarm=summary)
        await session.handle.signal("agent_status", told)
        await slack.workspace.until(lambda: any("half of 40 items" in str(each.blocks) for each in session.thread()))
        thread = str([each.blocks for each in session.thread()])
    assert "swarm1: a quarter of 40 items are over" in thread
    assert "earlier lines" not in thread
