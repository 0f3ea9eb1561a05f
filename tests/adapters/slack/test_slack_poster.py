"""Posting into Slack: once, whatever becomes of requests and answers."""

import time
from collections.abc import AsyncIterator

import pytest
from slack_cards import a_card, a_request, a_review, the_question, the_root

from longshift.adapters.fake_slack import BOT_TOKEN, CHANNEL, FakeSlack, Fault, FaultKind
from longshift.adapters.slack import SlackPoster, web_client
from longshift.contracts.cards import Message, MessageKind, PostInput
from longshift.contracts.errors import PeopleRefused, PeopleUnavailable
from longshift.contracts.reviews import ReviewState
from longshift.telemetry.redaction import Redactor


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    async with FakeSlack() as server:
        yield server


def poster(slack: FakeSlack, token: str = BOT_TOKEN) -> SlackPoster:
    return SlackPoster(web_client(token, slack.api_url), Redactor(["hunter2hunter2"]).value)


async def test_a_root_message_is_posted_and_edited_in_place(slack: FakeSlack) -> None:
    posted = await poster(slack).post(a_request(the_root()), since=0)
    edited = await poster(slack).post(a_request(the_root(posted.ts), a_card(step=99)), since=0)
    assert (posted.ts, CHANNEL) == (edited.ts, posted.channel)
    [root] = slack.workspace.roots()
    assert (1, True) == (root.edits, "step 99" in str(root.blocks))


async def test_a_thread_holds_the_question_and_its_decision(slack: FakeSlack) -> None:
    root = await poster(slack).post(a_request(the_root()), since=0)
    asked = await poster(slack).post(a_request(the_question(a_review()), thread_ts=root.ts), since=0)
    decided = the_question(a_review(state=ReviewState.DECIDED), asked.ts)
    assert asked.ts == (await poster(slack).post(a_request(decided, thread_ts=root.ts), since=0)).ts
    [message] = slack.workspace.thread(root.ts)
    assert ([], 1) == (message.buttons(), message.edits)


async def test_an_answer_that_is_lost_leads_to_no_second_message(slack: FakeSlack) -> None:
    since = time.time()
    slack.order_faults(Fault("chat.postMessage", FaultKind.LOST_ANSWER))
    with pytest.raises(PeopleUnavailable):
        await poster(slack).post(a_request(the_root()), since=0)
    [stands] = slack.workspace.roots()
    assert stands.ts == (await poster(slack).post(a_request(the_root()), since=since)).ts
    assert [stands] == slack.workspace.roots()


async def test_what_never_arrived_is_posted_by_the_next_attempt(slack: FakeSlack) -> None:
    since = time.time()
    slack.order_faults(Fault("chat.postMessage", FaultKind.LOST_REQUEST))
    with pytest.raises(PeopleUnavailable):
        await poster(slack).post(a_request(the_root()), since=0)
    await poster(slack).post(a_request(the_root()), since=since)
    assert 1 == len(slack.workspace.roots())


async def test_a_lost_message_of_a_thread_is_found_among_many(slack: FakeSlack) -> None:
    since = time.time()
    root = await poster(slack).post(a_request(the_root()), since=0)
    question = a_request(the_question(a_review()), thread_ts=root.ts)
    found = await poster(slack).post(question, since=0)
    for number in range(250):
        slack.workspace.add(
            type(slack.workspace.messages[0])(CHANNEL, slack.workspace.next_ts(), "U0BOB0001", f"{number}", root.ts)
        )
    assert found.ts == (await poster(slack).post(question, since=since)).ts


async def test_another_sessions_message_is_not_taken_for_ours(slack: FakeSlack) -> None:
    since = time.time()
    other = await poster(slack).post(a_request(the_root(), a_card("other")), since=0)
    assert other.ts != (await poster(slack).post(a_request(the_root()), since=since)).ts


async def test_a_rate_limit_is_waited_for_within_one_attempt(slack: FakeSlack) -> None:
    slack.order_faults(Fault("chat.postMessage", FaultKind.RATE_LIMITED))
    await poster(slack).post(a_request(the_root()), since=0)
    assert (2, 1) == (slack.workspace.calls.count("chat.postMessage"), len(slack.workspace.roots()))


async def test_nothing_but_a_rate_limit_is_repeated(slack: FakeSlack) -> None:
    for kind in (FaultKind.SERVER_ERROR, FaultKind.LOST_ANSWER, FaultKind.LOST_REQUEST):
        slack.workspace.calls.clear()
        slack.order_faults(Fault("chat.postMessage", kind))
        with pytest.raises(PeopleUnavailable):
            await poster(slack).post(a_request(the_root()), since=0)
        assert ["chat.postMessage"] == slack.workspace.calls


async def test_slack_that_is_down_is_unavailable(slack: FakeSlack) -> None:
    await slack.stop()
    with pytest.raises(PeopleUnavailable):
        await poster(slack).post(a_request(the_root()), since=0)


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        ("channel_not_found", "LONGSHIFT_SLACK_CHANNEL"),
        ("not_in_channel", "/invite"),
        ("token_revoked", "LONGSHIFT_SLACK_BOT_TOKEN"),
        ("something_new", "something_new"),
    ],
)
async def test_what_people_have_to_mend_is_refused_with_the_remedy(slack: FakeSlack, error: str, remedy: str) -> None:
    slack.order_faults(Fault("chat.postMessage", FaultKind.ERROR, error))
    with pytest.raises(PeopleRefused, match=remedy):
        await poster(slack).post(a_request(the_root()), since=0)


async def test_a_wrong_token_a_missing_scope_and_a_foreign_channel_are_refused(slack: FakeSlack) -> None:
    with pytest.raises(PeopleRefused, match="invalid_auth"):
        await poster(slack, "xoxb-other").post(a_request(the_root()), since=0)
    slack.workspace.members[CHANNEL] = False
    with pytest.raises(PeopleRefused, match="not_in_channel"):
        await poster(slack).post(a_request(the_root()), since=0)
    async with FakeSlack(scopes=frozenset()) as poor:
        with pytest.raises(PeopleRefused, match=r"reinstall it \(needs chat:write\)"):
            await poster(poor).post(a_request(the_root()), since=0)


async def test_a_message_that_people_deleted_is_gone(slack: FakeSlack) -> None:
    posted = await poster(slack).post(a_request(the_root()), since=0)
    slack.workspace.delete(posted.ts)
    assert (await poster(slack).post(a_request(the_root(posted.ts)), since=0)).gone


async def test_blocks_that_slack_refuses_are_posted_as_text(slack: FakeSlack) -> None:
    slack.order_faults(Fault("chat.postMessage", FaultKind.ERROR, "invalid_blocks"))
    await poster(slack).post(a_request(the_root()), since=0)
    [root] = slack.workspace.roots()
    assert ([], "🟢 Mend the rounding: running") == (root.blocks, root.text)


async def test_secrets_do_not_leave(slack: FakeSlack) -> None:
    card = a_card(last_text="the key is hunter2hunter2", title="xoxb-1234567890-abcdef")
    await poster(slack).post(a_request(the_root(), card), since=0)
    shown = str(slack.workspace.roots()[0].document())
    assert (2, False, False) == (shown.count("[redacted]") - 1, "hunter2" in shown, "xoxb-1" in shown)


async def test_a_message_of_any_kind_is_taken(slack: FakeSlack) -> None:
    for kind in MessageKind:
        await poster(slack).post(a_request(Message(kind=kind, key=kind.value, review=a_review(), number=1)), since=0)
    assert [each.value for each in MessageKind] == [
        each.metadata["event_payload"]["key"] for each in slack.workspace.messages
    ]


def test_a_request_travels(slack: FakeSlack) -> None:
    request = a_request(the_question(a_review()))
    assert request == PostInput.model_validate_json(request.model_dump_json())
