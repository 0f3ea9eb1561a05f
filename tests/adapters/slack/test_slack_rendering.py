"""Whatever a card holds becomes blocks that Slack takes, and nothing in it can name people, channels or links."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_cards import a_card, a_request, a_review, some_news, the_question, the_root
from slack_sdk.models.blocks import Block

from longshift.adapters.fake_slack.validation import (
    characters_of,
    complaints_about_blocks,
    complaints_about_view,
)
from longshift.adapters.slack import limits
from longshift.adapters.slack.buttons import Choice, Form, choice_of, form, form_of
from longshift.adapters.slack.rendering import rendered
from longshift.adapters.slack.text import cut, cut_escaped, person, quoted
from longshift.contracts.attention import Attention
from longshift.contracts.cards import Message, MessageKind, NewsLine, PostInput, SessionCard
from longshift.contracts.people import Face
from longshift.contracts.reviews import Ask, AskKind, Decision, Option, OptionStyle, Review, ReviewState
from longshift.contracts.session import SessionState
from longshift.contracts.swarm import CriticalPath, ItemStatus, SwarmSummary
from longshift.contracts.tools import PlanItem, PlanItemStatus
from longshift.policy.reviews import options_of

OURS = re.compile(
    r"<!date\^\d+\^\{date_short_pretty\} \{time\}\|[^<>|]*>|<@[UW][A-Z0-9]{5,}>|<https?://[^<>|]+\|[^<>|]*>"
)
"""The only marks in angle brackets that are ours."""

nasty = st.sampled_from(
    ["<!channel>", "<@U0ADA0001>", "<https://evil.example|ok>", "&amp;", "`*_~", "\n\n> a", "\x00", "é" * 9]
)


@st.composite
def _texts(draw: st.DrawFn) -> str:
    parts = draw(st.lists(st.text(max_size=30) | nasty, max_size=4))
    return "".join(parts) * draw(st.integers(1, 120))


texts: st.SearchStrategy[str] = _texts()
lines: st.SearchStrategy[str] = texts.map(lambda text: text[:200] or "x")
moments = st.floats(0, 4e9, allow_nan=False)
options = st.builds(
    Option,
    id=st.text("abcdef-", min_size=1, max_size=60),
    label=lines,
    style=st.sampled_from(OptionStyle),
    needs_text=st.booleans(),
)
asks = st.builds(
    Ask,
    id=st.text(min_size=1, max_size=200),
    kind=st.sampled_from(AskKind),
    question=texts.map(lambda text: text[:2_000]),
    evidence=st.lists(texts.map(lambda text: text[:2_000]), max_size=20).map(tuple),
    options=st.lists(options, max_size=30).map(tuple),
    agent=lines,
    step=st.integers(0, 10_000),
)
decisions = st.builds(Decision, ask_id=st.just("a"), option=lines, text=texts, by=lines | st.just("U0ADA0001 (Ada)"))
reviews = st.builds(
    Review,
    ask=asks,
    shown_hash=st.just("f" * 64),
    state=st.sampled_from(ReviewState),
    asked_at=moments,
    decided_at=moments,
    decision=st.none() | decisions,
    via=st.sampled_from(["", "slack", "cli", "http"]),
)
swarms = st.builds(
    SwarmSummary,
    swarm=st.just("mend.swarm1"),
    title=lines,
    total=st.integers(0, 300),
    counts=st.dictionaries(st.sampled_from([each.value for each in ItemStatus]), st.integers(0, 300)),
    waiting_for=texts,
    troubled=st.lists(lines, max_size=20).map(tuple),
    critical_path=st.builds(CriticalPath, steps=st.integers(0, 10**6), serial_steps=st.integers(0, 10**6)),
)
cards = st.builds(
    SessionCard,
    task_id=st.text("abc-", min_size=1, max_size=100),
    title=lines,
    repository=texts,
    state=st.sampled_from(SessionState),
    reason=texts,
    attention=st.none() | st.builds(Attention, kind=lines, text=texts),
    profile=lines,
    plan=st.lists(st.builds(PlanItem, title=lines, status=st.sampled_from(PlanItemStatus)), max_size=50).map(tuple),
    step=st.integers(0, 10**6),
    tokens=st.integers(0, 10**12),
    cost_usd=st.floats(0, 1e7),
    usd_limit=st.none() | st.floats(0.01, 1e7),
    active_seconds=st.floats(0, 1e7),
    active_limit_seconds=st.floats(0, 1e7),
    context_fill=st.floats(0, 1),
    checks=texts,
    last_text=texts,
    artifacts=st.lists(texts, max_size=12).map(tuple),
    reviews=st.lists(reviews, max_size=3).map(tuple),
    swarm=st.none() | swarms,
    final=st.booleans(),
)
messages = st.one_of(
    st.just(the_root()),
    st.just(Message(kind=MessageKind.END, key="end")),
    st.builds(
        Message,
        kind=st.sampled_from([MessageKind.QUESTION, MessageKind.REMINDER]),
        key=st.just("q"),
        review=reviews,
        number=st.integers(1, 9),
    ),
    st.builds(
        Message,
        kind=st.just(MessageKind.NEWS),
        key=st.just("n"),
        news=st.lists(
            st.builds(NewsLine, agent=st.just("a/lead"), number=st.integers(1, 99), text=texts), max_size=60
        ).map(tuple),
        missed=st.integers(0, 99),
    ),
)
requests = st.builds(
    PostInput,
    face=st.just(Face.SLACK),
    message=messages,
    card=cards,
    ui_url=st.just("") | st.just("https://ui.example/n/d"),
)


@settings(max_examples=60, deadline=None)
@given(requests)
def test_every_message_is_one_that_slack_takes(request: PostInput) -> None:
    made = rendered(request)
    assert [] == complaints_about_blocks(made.blocks)
    assert characters_of(made.blocks) <= limits.MESSAGE_CHARACTERS
    assert 0 < len(made.text) <= limits.MESSAGE_TEXT_CHARACTERS
    for block in made.blocks:
        parsed = Block.parse(block)  # pyright: ignore[reportUnknownMemberType]  # partial in the SDK
        assert parsed is not None
        parsed.validate_json()
    json.dumps(made.blocks)


@settings(max_examples=60, deadline=None)
@given(requests)
def test_nothing_from_outside_is_a_mention_or_a_link(request: PostInput) -> None:
    made = rendered(request)
    for text in [made.text, *_markup(made.blocks)]:
        assert not re.search(r"[<>]", OURS.sub("", re.sub(r"(?m)^> ?", "", text)))


def _markup(value: Any) -> list[str]:
    if isinstance(value, list):
        return [text for each in value for text in _markup(each)]  # pyright: ignore[reportUnknownVariableType]
    if not isinstance(value, dict):
        return []
    own = [value["text"]] if value.get("type") == "mrkdwn" else []  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return [*own, *(text for each in value.values() for text in _markup(each))]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


@given(st.text(), st.integers(40, 400))
def test_what_is_cut_fits_and_says_so(text: str, limit: int) -> None:
    for short in (cut(text, limit), cut_escaped(text, limit)):
        assert len(short) <= limit
    assert cut_escaped(text, limit).endswith("(shortened)") or len(cut_escaped(text, limit)) <= limit
    assert not re.search(r"&(?!amp;|lt;|gt;)", cut_escaped(text, limit))


@given(st.text(min_size=1), st.integers(100, 400))
def test_a_quotation_is_marked_on_every_line(text: str, limit: int) -> None:
    assert all(line.startswith("> ") for line in quoted(text, limit).split("\n"))


def test_a_button_carries_what_was_seen_and_no_text_of_the_session() -> None:
    review = a_review()
    buttons = rendered(a_request(the_question(review))).blocks[-2]["elements"]
    choices = [choice_of(each["value"]) for each in buttons]
    assert [("mend", review.ask.id, "a" * 64, each.id) for each in review.ask.options] == [
        (each.task_id, each.review_id, each.shown_hash, each.option) for each in choices if each is not None
    ]
    assert ["Try again", "Give advice…", "End the session"] == [each["text"]["text"] for each in buttons]
    assert ["primary", None, "danger"] == [each.get("style") for each in buttons]


@pytest.mark.parametrize("value", ["", "{}", "null", "[1]", '{"t": 1}', "x" * 5_000])
def test_a_value_that_is_none_of_ours_is_no_choice(value: str) -> None:
    assert (None, None) == (choice_of(value), form_of(value))


@given(lines, texts)
def test_every_form_is_one_that_slack_takes(label: str, question: str) -> None:
    wanted = Form(t="t" * 100, r="r" * 200, h="h" * 64, o="o" * 60, c="C0FAKE001", s="1.2")
    view = form(wanted, label, question)
    assert [] == complaints_about_view(view)
    assert wanted == form_of(view["private_metadata"])
    assert isinstance(wanted, Choice)


@pytest.mark.parametrize("state", [ReviewState.DECIDED, ReviewState.WITHDRAWN])
def test_a_question_that_is_over_has_nothing_to_click(state: ReviewState) -> None:
    review = a_review(state=state)
    for message in (the_question(review), Message(kind=MessageKind.REMINDER, key="r", review=review, number=1)):
        assert "actions" not in {each["type"] for each in rendered(a_request(message)).blocks}


def test_who_decided_is_mentioned_where_slack_knows_them() -> None:
    shown = rendered(a_request(the_question(a_review(state=ReviewState.DECIDED)))).blocks[-1]["text"]["text"]
    assert "✅ *Give advice* by <@U0ADA0001>" in shown
    assert "> Look at the locale." in shown
    assert "ann &lt;ops&gt;" == person("ann <ops>")


def test_a_text_of_nothing_that_can_be_shown_is_shown_as_such() -> None:
    review = a_review(
        ask=Ask(
            id="q", kind=AskKind.QUESTION, question="\x00", evidence=("\x01",), options=(Option(id="a", label="\x02"),)
        )
    )
    for message in (the_root(), the_question(review)):
        made = rendered(a_request(message, a_card(title="\x00", plan=(PlanItem(title="\x03"),))))
        assert [] == complaints_about_blocks(made.blocks)


def test_a_long_plan_shows_first_what_is_not_done() -> None:
    done = tuple(PlanItem(title="d" * 190, status=PlanItemStatus.DONE) for _ in range(49))
    card = a_card(plan=(*done, PlanItem(title="the open one")))
    block = next(each for each in rendered(a_request(the_root(), card)).blocks if each["type"] == "plan")
    assert "the open one" == block["tasks"][-1]["title"]
    assert "Plan: 49 of 50 done, 23 not shown" == block["title"]


def test_a_swarm_has_a_line_and_those_of_its_items_that_need_a_look() -> None:
    troubled = tuple(f"mod-{number}: failed, it went round in circles" for number in range(6))
    counts = {"merged": 294, "failed": 6}
    path = CriticalPath(steps=35, serial_steps=3_000, speed_up=3_000 / 35)
    swarm = SwarmSummary(swarm="mend.swarm1", total=300, counts=counts, troubled=troubled, critical_path=path)
    shown = str(rendered(a_request(the_root(), a_card(swarm=swarm))).blocks)
    for text in ("swarm1: 294/300 merged, 6 failed", "• mod-3: failed", "_2 more: ", "35 steps instead of 3,000"):
        assert text in shown
    assert "mod-4" not in shown


def test_many_lines_are_one_message() -> None:
    news = some_news(*(f"line {n}" for n in range(1, 6)))
    message = Message(kind=MessageKind.NEWS, key="news:5", news=news, missed=3)
    text = rendered(a_request(message)).blocks[0]["text"]["text"]
    assert ["_3 earlier lines are not shown_", "• line 1"] == text.split("\n")[:2]


@pytest.mark.parametrize(("characters", "offered"), [(7_000, {"approve", "reject"}), (7_001, {"reject"})])
def test_what_is_not_shown_whole_cannot_be_approved_here(characters: int, offered: set[str]) -> None:
    ask = Ask(
        id="lead-1-risk",
        kind=AskKind.RISK,
        question="May this call run?",
        evidence=("x" * 2_000, "x" * 2_000, "x" * 2_000, "x" * (characters - 6_000)),
        options=options_of(AskKind.RISK),
    )
    review = a_review(ask=ask)
    for message in (the_question(review), Message(kind=MessageKind.REMINDER, key="r", review=review, number=1)):
        shown = json.dumps(rendered(a_request(message, a_card(reviews=(review,)))).blocks)
        assert offered == {option for option in ("approve", "reject") if f'\\"{option}\\"' in shown}
        assert (len(offered) == 1) is ("cannot be approved in Slack" in shown)
