"""What people are asked: every kind has its options, what is shown is what is hashed, and silence is never a no."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshift.contracts.attention import Attention
from longshift.contracts.reviews import Answer, Ask, AskKind, Decision, Option, Review, ReviewState
from longshift.contracts.session import AgentStatus, SessionState, SessionStatus
from longshift.policy import describe, reviews

FOUR_HOURS = 14_400.0
ASK = Ask(
    id="lead-s12-plan",
    kind=AskKind.PLAN,
    question="Is this plan right?",
    evidence=("1. read", "2. mend"),
    options=reviews.options_of(AskKind.PLAN),
    agent="mend/lead",
    step=12,
)
PARKED = AgentStatus(agent="mend/lead", waiting=True, attention=Attention(kind="refused", text="no", since_step=3))
WORKS = AgentStatus(agent="mend/lead", waiting=False)


@pytest.mark.parametrize("kind", AskKind)
def test_every_kind_has_options_that_a_face_can_show(kind: AskKind) -> None:
    options = reviews.options_of(kind)
    assert (True, True, True) == (
        len(options) > 0,
        len({each.id for each in options}) == len(options),
        all(0 < len(each.label) <= reviews.LABEL_CHARACTERS for each in options),
    )


def test_every_kind_has_a_row() -> None:
    assert set(AskKind) == set(reviews.OPTIONS)


@pytest.mark.parametrize(
    ("kind", "ids", "with_words"),
    [
        (AskKind.STUCK, ["advise", "continue", "end", "cancel"], ["advise"]),
        (AskKind.PLAN, ["approve", "reject"], ["reject"]),
        (AskKind.RISK, ["approve", "reject"], []),
        (AskKind.BUDGET, ["raise", "end", "cancel"], []),
        (AskKind.CONFIGURATION, ["retry", "cancel"], []),
        (AskKind.QUESTION, ["reply"], ["reply"]),
        (AskKind.DEADLINE, ["extend", "end", "cancel"], []),
        (AskKind.VERDICT, ["accept", "advise", "end"], ["advise"]),
    ],
)
def test_the_options_of_a_kind_and_those_that_need_words(kind: AskKind, ids: list[str], with_words: list[str]) -> None:
    options = reviews.options_of(kind)
    assert (ids, with_words) == ([each.id for each in options], [each.id for each in options if each.needs_text])


def test_the_model_s_own_choices_come_first_and_fit_a_button() -> None:
    options = reviews.options_of(AskKind.QUESTION, ("Postgres", "x" * 200, "  "))
    assert ["choice-1", "choice-2", "choice-3", "reply"] == [each.id for each in options]
    assert ("Postgres", 75, "choice 3") == (options[0].label, len(options[1].label), options[2].label)


def test_only_a_question_has_choices() -> None:
    assert reviews.options_of(AskKind.RISK) == reviews.options_of(AskKind.RISK, ("Postgres",))


@pytest.mark.parametrize(
    "change",
    [
        {"question": "Is this plan better?"},
        {"evidence": ("1. read",)},
        {"evidence": ("1. read2. mend",)},
        {"kind": AskKind.RISK},
        {"options": (Option(id="approve", label="Approve"),)},
    ],
)
def test_whatever_a_face_shows_changes_the_hash(change: dict[str, object]) -> None:
    assert reviews.shown_hash(ASK) != reviews.shown_hash(ASK.model_copy(update=change))


@given(st.text(), st.lists(st.text(), max_size=30))
def test_a_question_is_bounded_and_its_hash_is_that_of_what_is_kept(text: str, evidence: list[str]) -> None:
    asked = reviews.opened(ASK.model_copy(update={"question": text, "evidence": tuple(evidence)}), 0, 0)
    assert len(asked.ask.question) <= reviews.QUESTION_CHARACTERS
    assert len(asked.ask.evidence) <= reviews.EVIDENCE_LINES
    assert all(len(line) <= reviews.EVIDENCE_CHARACTERS for line in asked.ask.evidence)
    again = Review.model_validate(asked.model_dump())
    assert (asked.shown_hash, asked.ask) == (reviews.shown_hash(again.ask), reviews.bounded(asked.ask))


@pytest.mark.parametrize(
    ("characters", "via", "option", "is_refused"),
    [
        (7_000, "slack", "approve", False),
        (7_001, "slack", "approve", True),
        (7_001, "slack", "reject", False),
        (7_001, "http", "approve", False),
        (7_001, "cli", "approve", False),
    ],
)
def test_nobody_approves_in_slack_what_is_not_shown_there(
    characters: int, via: str, option: str, is_refused: bool
) -> None:
    ask = ASK.model_copy(update={"evidence": ("x" * 2_000,) * 3 + ("x" * (characters - 6_000),)})
    refusal = reviews.refuse_unseen(reviews.opened(ask, 0, 0), Answer(review=ask.id, option=option, via=via))
    assert is_refused is ("longshift inbox" in refusal)


def test_a_question_without_options_gets_the_usual_ones() -> None:
    asked = reviews.opened(ASK.model_copy(update={"options": ()}), 0, 0)
    assert reviews.options_of(AskKind.PLAN) == asked.ask.options


@given(st.floats(min_value=0, max_value=1e7))
def test_people_are_reminded_first_after_the_setting_and_then_every_twelve_hours(passed: float) -> None:
    asked = reviews.opened(ASK, 1_000, FOUR_HOURS)
    due = reviews.next_reminder(asked, 1_000 + passed)
    since_first = due - 1_000 - FOUR_HOURS
    assert 0 == since_first % reviews.REMIND_AGAIN_SECONDS
    assert 1_000 + passed < due <= 1_000 + max(FOUR_HOURS, passed + reviews.REMIND_AGAIN_SECONDS)


def test_nobody_is_reminded_where_that_is_switched_off() -> None:
    assert 0 == reviews.next_reminder(reviews.opened(ASK, 1_000, 0), 1e6)


@pytest.mark.parametrize("kind", ["configuration", "refused", "overflow", "host", "misconfigured"])
def test_an_agent_that_only_a_person_can_help_asks_to_try_again(kind: str) -> None:
    status = PARKED.model_copy(update={"attention": Attention(kind=kind, text="why", since_step=7)})
    ask = reviews.of_attention(status.attention or Attention(kind="", text=""), "mend/lead", 4)
    assert (f"{kind}-4", AskKind.CONFIGURATION, "why", "mend/lead", 7) == (
        ask.id,
        ask.kind,
        ask.question,
        ask.agent,
        ask.step,
    )
    assert (True, ["retry", "cancel"]) == (reviews.is_asking(status), [each.id for each in ask.options])


@pytest.mark.parametrize("kind", sorted(reviews.PASSES_BY_ITSELF))
def test_who_waits_for_a_provider_asks_nothing(kind: str) -> None:
    assert not reviews.is_asking(PARKED.model_copy(update={"attention": Attention(kind=kind, text="down")}))


def test_who_works_asks_nothing_whatever_trouble_there_was() -> None:
    assert not reviews.is_asking(PARKED.model_copy(update={"waiting": False}))


def test_a_question_is_why_a_person_should_look() -> None:
    status = PARKED.model_copy(update={"ask": ASK})
    assert Attention(kind="plan", text="Is this plan right?", since_step=12) == reviews.attention_of(status)
    assert PARKED.attention == reviews.attention_of(PARKED)


@pytest.mark.parametrize(
    ("before", "now", "same"),
    [
        (None, WORKS, True),
        (None, PARKED, False),
        (PARKED, PARKED.model_copy(update={"step": 9}), True),
        (PARKED, WORKS, False),
        (WORKS, WORKS.model_copy(update={"step": 9}), True),
        (PARKED, PARKED.model_copy(update={"ask": ASK}), False),
        (PARKED.model_copy(update={"agent": "mend/lead-2"}), PARKED, False),
    ],
)
def test_a_question_told_again_is_the_same_question(before: AgentStatus | None, now: AgentStatus, same: bool) -> None:
    assert same is reviews.asks_the_same(before, now)


def test_what_was_decided_is_told_with_who_and_where() -> None:
    decision = Decision(ask_id="lead-s12-plan", option="approve", by="Ada")
    review = reviews.opened(ASK, 0, 0).model_copy(update={"decision": decision, "via": "slack"})
    assert "lead-s12-plan is decided: approve (Approve the plan), by Ada via slack" == reviews.told(review)
    assert "" == reviews.told(reviews.opened(ASK, 0, 0))


def test_the_command_says_where_words_are_needed() -> None:
    review = reviews.opened(ASK, 0, 0)
    assert [
        "longshift answer mend lead-s12-plan approve",
        "longshift answer mend lead-s12-plan reject --text TEXT",
    ] == [reviews.command("mend", review, each) for each in review.ask.options]


def test_the_session_s_page_shows_open_questions_with_their_commands() -> None:
    asked = reviews.opened(ASK, 1_000, 0)
    closed = reviews.opened(ASK.model_copy(update={"id": "lead-s1-plan"}), 1, 0).model_copy(
        update={"state": ReviewState.WITHDRAWN}
    )
    page = describe.session_details(
        SessionStatus(task_id="mend", title="Mend it", state=SessionState.WAITING, profile="p", reviews=(asked, closed))
    )
    for text in ("Asks: lead-s12-plan", "Is this plan right?", "- 1. read", "`longshift answer mend lead-s12-plan"):
        assert text in page
    assert "lead-s1-plan" not in page
