"""What people do in Slack: one decision, by those who may, of what they saw."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client

from longshift.adapters.fake_slack import ADA, BOB, CHANNEL, EVE, FakeSlack, Fault, FaultKind
from longshift.adapters.slack.buttons import Choice, value_of
from longshift.contracts.errors import PeopleRefused, PeopleUnavailable
from longshift.contracts.reviews import Review, ReviewState
from longshift.contracts.session import SessionState
from longshift.intake.slack.gateway import run_gateway
from longshift.intake.standing import Standing
from tests.intake.intake_rig import RunningEngine
from tests.intake.slack.gateway_rig import Asking, asking, gateway, people_settings

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]


@pytest_asyncio.fixture(loop_scope="session")
async def slack() -> AsyncIterator[FakeSlack]:
    async with FakeSlack() as fake:
        yield fake


@pytest.fixture
def client(server: RunningEngine) -> Client:
    return server.client


async def decided(session: Asking, number: int = 1) -> Review:
    """The question, as soon as it is decided."""
    async with asyncio.timeout(20):
        while True:
            for review in (await session.status()).reviews:
                if review.ask.id == f"lead-s{number}-stuck" and review.state is ReviewState.DECIDED:
                    return review
            await asyncio.sleep(0.05)


async def test_a_click_decides_and_the_buttons_go(client: Client, slack: FakeSlack, tmp_path: Path) -> None:
    settings = people_settings(slack, tmp_path)
    async with gateway(client, settings, slack), asking(client, slack, settings) as session:
        await session.ask()
        question = await session.question()
        assert await slack.click(question, "Let it go on")
        review = await decided(session)
        await slack.workspace.until(lambda: not question.buttons())
        assert review.decision is not None
        assert ("continue", f"{ADA} (Ada)", "slack") == (review.decision.option, review.decision.by, review.via)
        assert f"✅ *Let it go on* by <@{ADA}>" in str(question.blocks)
        assert [] == slack.workspace.whispers


async def test_a_double_click_and_a_second_approver_are_one_decision(
    client: Client, slack: FakeSlack, tmp_path: Path
) -> None:
    settings = people_settings(slack, tmp_path)
    async with gateway(client, settings, slack), asking(client, slack, settings) as session:
        await session.ask()
        question = await session.question()
        clicks = [slack.click(question, "Let it go on"), slack.click(question, "Let it go on")]
        assert [True, True] == await asyncio.gather(*clicks)
        review = await decided(session)
        late = type(question)(CHANNEL, question.ts, question.user, "", blocks=[], thread_ts=question.thread_ts)
        late.blocks = [{"type": "actions", "elements": [await a_button(session, review, "cancel", "Cancel")]}]
        assert await slack.click(late, "Cancel", user=BOB)
        told = await session.whispered("is decided")
        assert f"lead-s1-stuck is decided: continue (Let it go on), by {ADA} (Ada) via slack" in told
        assert [BOB] == [each.user for each in slack.workspace.whispers]
        assert review == (await session.status()).reviews[0]


async def a_button(session: Asking, review: Review, option: str, label: str) -> dict[str, object]:
    """A button as it stood in front of somebody who has not seen the change yet."""
    value = value_of(Choice(t=session.task_id, r=review.ask.id, h=review.shown_hash, o=option))
    text = {"type": "plain_text", "text": label}
    return {"type": "button", "action_id": "longshift-decide-2", "text": text, "value": value}


async def test_a_button_of_what_has_changed_decides_nothing(client: Client, slack: FakeSlack, tmp_path: Path) -> None:
    settings = people_settings(slack, tmp_path)
    async with gateway(client, settings, slack), asking(client, slack, settings) as session:
        await session.ask()
        question = await session.question()
        stale = Choice(t=session.task_id, r="lead-s1-stuck", h="0" * 32, o="continue")
        assert await slack.click(question, "Let it go on", value=value_of(stale))
        assert "what you saw of lead-s1-stuck has changed" in await session.whispered("changed: ")
        assert ReviewState.OPEN is (await session.status()).reviews[0].state


@pytest.mark.parametrize(
    ("user", "team", "words"),
    [(EVE, "T0FAKE001", "not among those"), (ADA, "T0OTHER01", "members of the workspace")],
)
async def test_whoever_is_not_on_the_list_decides_nothing(
    client: Client, slack: FakeSlack, tmp_path: Path, user: str, team: str, words: str
) -> None:
    settings = people_settings(slack, tmp_path)
    async with gateway(client, settings, slack), asking(client, slack, settings) as session:
        await session.ask()
        question = await session.question()
        assert await slack.click(question, "Let it go on", user=user, team=team)
        await session.whispered(words)
        assert await slack.click(question, "Give advice", user=user, team=team)
        assert await slack.reply(session.root.ts, "cancel", user=user, team=team)
        await slack.workspace.until(lambda: 3 == sum(words in each.text for each in slack.workspace.whispers))
        assert ([], ReviewState.OPEN) == (slack.workspace.views, (await session.status()).reviews[0].state)


async def test_with_an_empty_list_nobody_may_decide(client: Client, slack: FakeSlack, tmp_path: Path) -> None:
    settings = people_settings(slack, tmp_path, slack_approvers=())
    async with gateway(client, settings, slack), asking(client, slack, settings) as session:
        await session.ask()
        assert await slack.click(await session.question(), "Let it go on")
        assert "LONGSHIFT_SLACK_APPROVERS is empty" in await session.whispered("nobody")


async def test_words_come_through_a_form(client: Client, slack: FakeSlack, tmp_path: Path) -> None:
    settings = people_settings(slack, tmp_path)
    async with gateway(client, settings, slack), asking(client, slack, settings) as session:
        await session.ask()
        assert await slack.click(await session.question(), "Give advice")
        await slack.workspace.until(lambda: bool(slack.workspace.views))
        assert await slack.submit(slack.workspace.views[0], "Look at the locale.")
        review = await decided(session)
        assert review.decision is not None
        assert ("advise", "Look at the locale.") == (review.decision.option, review.decision.text)


async def test_a_reply_answers_the_one_question_that_takes_words(
    client: Client, slack: FakeSlack, tmp_path: Path
) -> None:
    settings = people_settings(slack, tmp_path)
    async with gateway(client, settings, slack), asking(client, slack, settings) as session:
        await session.ask()
        await session.question()
        assert await slack.reply(session.root.ts, "Try &lt;b&gt; instead", times=3)
        review = await decided(session)
        assert review.decision is not None
        assert ("advise", "Try <b> instead") == (review.decision.option, review.decision.text)


async def test_a_reply_steers_once_however_often_it_is_delivered(
    client: Client, slack: FakeSlack, tmp_path: Path
) -> None:
    settings = people_settings(slack, tmp_path)
    async with gateway(client, settings, slack):
        async with asking(client, slack, settings) as session:
            assert await slack.reply(session.root.ts, "use tabs", times=3)
            await session.whispered("For the agent")
        await slack.workspace.until(lambda: 3 == len(slack.workspace.whispers))
        reports = (await session.handle.result()).agents
        given = [note.text for asked in session.script.asked for note in asked.notes]
        late = [note.text for report in reports for note in report.undelivered]
        assert 1 == [*given, *late].count("use tabs")


async def test_keywords_pause_resume_and_tell_the_status(client: Client, slack: FakeSlack, tmp_path: Path) -> None:
    settings = people_settings(slack, tmp_path)
    async with gateway(client, settings, slack), asking(client, slack, settings) as session:
        assert await slack.reply(session.root.ts, "Pause.")
        await session.whispered("Paused after the current step.")
        assert await slack.reply(session.root.ts, "status", user=EVE)
        assert "active hours" in await session.whispered("step 1")
        assert await slack.reply(session.root.ts, "resume")
        await session.whispered("Resumed.")
        assert await slack.reply(session.root.ts, "!aside what do you think?")
        assert await slack.reply(session.root.ts, "resume")
        await session.whispered("Nothing was changed: ")
        assert SessionState.RUNNING is (await session.status()).state


async def test_cancel_ends_the_session_with_its_reason(client: Client, slack: FakeSlack, tmp_path: Path) -> None:
    settings = people_settings(slack, tmp_path)
    async with gateway(client, settings, slack), asking(client, slack, settings) as session:
        assert await slack.reply(session.root.ts, "cancel: not needed any more")
        await session.whispered("Cancelling.")
        status = await session.handle.result()
        assert (SessionState.CANCELLED, "not needed any more") == (status.state, status.reason)


async def test_messages_of_others_and_of_other_threads_are_left_alone(
    client: Client, slack: FakeSlack, tmp_path: Path
) -> None:
    settings = people_settings(slack, tmp_path)
    async with gateway(client, settings, slack), asking(client, slack, settings) as session:
        other = slack.workspace.add(type(session.root)(CHANNEL, slack.workspace.next_ts(), ADA, "lunch?"))
        forged = slack.workspace.add(
            type(session.root)(CHANNEL, slack.workspace.next_ts(), EVE, "x", bot_id="B0OTHER01")
        )
        forged.metadata = session.root.metadata
        for ts in (other.ts, forged.ts):
            assert await slack.reply(ts, "cancel")
        assert await slack.reply(session.root.ts, "cancel", subtype="message_changed")
        assert await slack.reply(session.root.ts, "status")
        await session.whispered("running")
        assert SessionState.RUNNING is (await session.status()).state


async def test_the_gateway_comes_back_after_slack_has_ended_its_connection(
    client: Client, slack: FakeSlack, tmp_path: Path
) -> None:
    settings = people_settings(slack, tmp_path)
    async with gateway(client, settings, slack), asking(client, slack, settings) as session:
        await session.ask()
        question = await session.question()
        await slack.socket_mode.disconnect()
        await slack.socket_mode.connected()
        assert await slack.click(question, "Let it go on")
        await decided(session)


@pytest.mark.slow
async def test_the_gateway_comes_back_after_slack_was_down(client: Client, slack: FakeSlack, tmp_path: Path) -> None:
    settings = people_settings(slack, tmp_path)
    async with gateway(client, settings, slack), asking(client, slack, settings) as session:
        await session.ask()
        question = await session.question()
        await slack.stop()
        await asyncio.sleep(3)
        await slack.start()
        await slack.socket_mode.connected(seconds=60)
        assert await slack.click(question, "Let it go on")
        await decided(session)


async def test_a_form_that_cannot_be_opened_ends_nothing(client: Client, slack: FakeSlack, tmp_path: Path) -> None:
    settings = people_settings(slack, tmp_path)
    async with gateway(client, settings, slack), asking(client, slack, settings) as session:
        await session.ask()
        question = await session.question()
        slack.order_faults(Fault("views.open", FaultKind.ERROR, "expired_trigger_id"))
        assert await slack.click(question, "Give advice")
        await session.whispered("did not open the form")
        assert await slack.click(question, "Let it go on", value="nonsense")
        assert await slack.click(question, "Let it go on")
        await decided(session)


async def test_wrong_tokens_are_said_and_the_gateway_goes_on_trying(
    client: Client, slack: FakeSlack, tmp_path: Path
) -> None:
    standing, stopped = Standing("slack"), asyncio.Event()
    for field, variable in (("slack_app_token", "invalid_auth"), ("slack_bot_token", "LONGSHIFT_SLACK_BOT_TOKEN")):
        with pytest.raises(PeopleRefused, match=variable):
            await run_gateway(people_settings(slack, tmp_path, **{field: "xapp-other"}), client, standing, stopped)
    await slack.stop()
    with pytest.raises(PeopleUnavailable):
        await run_gateway(people_settings(slack, tmp_path), client, standing, stopped)
