"""The questions of a session: one decision each, refusals that say what to do, and a list that stays small."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshift.contracts.reviews import Answer, AskKind, Review, ReviewState
from longshift.contracts.session import SessionState, SessionStatus
from longshift.policy import review_list, reviews


def asked(name: str, kind: AskKind = AskKind.STUCK, now: float = 1.0) -> Review:
    """An open question."""
    return reviews.opened(reviews.question(name, kind, "What now?", "mend/lead"), now, 60)


def answer(review: str = "a", option: str = "continue", **more: str) -> Answer:
    """Ada's decision."""
    return Answer(review=review, option=option, **{"by": "Ada", "via": "cli", **more})


def status(*kept: Review, state: SessionState = SessionState.WAITING) -> SessionStatus:
    """A session with these questions."""
    return SessionStatus(task_id="mend", title="Mend it", state=state, profile="p", reviews=kept)


DECIDED = review_list.decided(asked("a"), answer(), 5.0)
WITHDRAWN = review_list.with_withdrawn((asked("w"),), lambda _: True, 5.0)[0]


@pytest.mark.parametrize(
    ("given_answer", "words"),
    [
        (answer("b"), "review: 'b' is not known; open are: a, p"),
        (answer("w"), "review: w was withdrawn, the session went on without it; open are: a, p"),
        (
            answer(option="approve"),
            "option: 'approve' is none of those of a; use one of: advise, continue, end, cancel",
        ),
        (answer(option="advise"), "text: advise (Give advice) makes no sense without words; add them"),
        (answer(option="advise", text=" \n "), "text: advise (Give advice) makes no sense without words; add them"),
        (answer(shown_hash="0"), "shown_hash: what you saw of a has changed; look again, then decide"),
    ],
)
def test_a_refusal_names_the_field_and_the_remedy(given_answer: Answer, words: str) -> None:
    there = status(asked("a"), asked("p", AskKind.PLAN), WITHDRAWN)
    assert words == review_list.refuse_answer(there, given_answer)


def test_a_decision_is_taken_with_the_hash_of_what_was_seen_or_none() -> None:
    there = status(asked("a"))
    assert ["", ""] == [
        review_list.refuse_answer(there, answer(shown_hash=given_hash)) for given_hash in ("", asked("a").shown_hash)
    ]


def test_the_second_approver_is_told_the_first_one_s_decision() -> None:
    second = answer(by="Bob", option="end")
    words = "review: a is decided: continue (Let it go on), by Ada via cli; nothing is left to decide"
    assert words == review_list.refuse_answer(status(DECIDED), second)
    assert words == review_list.refuse_answer(status(DECIDED), answer(by="Bob"))
    assert words == review_list.refuse_answer(status(DECIDED), answer(option="end"))


def test_the_same_person_s_same_decision_counts_once_and_is_no_error() -> None:
    assert "" == review_list.refuse_answer(status(DECIDED), answer(via="slack"))
    assert "" == review_list.refuse_answer(status(DECIDED, state=SessionState.DONE), answer())


def test_other_words_are_another_decision() -> None:
    decided = review_list.decided(asked("a"), answer(option="advise", text="Use tabs."), 5.0)
    taken = [
        review_list.refuse_answer(status(decided), answer(option="advise", text=text))
        for text in ("Use tabs.", " Use tabs.\n", "", "Use spaces.")
    ]
    assert [True, True, True, False] == [refusal == "" for refusal in taken]


def test_a_session_that_is_over_takes_no_answer() -> None:
    refusal = review_list.refuse_answer(status(WITHDRAWN, state=SessionState.CANCELLED), answer("w"))
    assert "cannot answer: the session is cancelled" == refusal


def test_without_an_open_question_that_is_said() -> None:
    assert "review: 'a' is not known; no question is open" == review_list.refuse_answer(status(), answer())


def test_only_open_questions_are_withdrawn() -> None:
    kept = review_list.with_withdrawn((asked("b"), DECIDED), lambda _: True, 9.0)
    assert {"b": ReviewState.WITHDRAWN, "a": ReviewState.DECIDED} == {each.ask.id: each.state for each in kept}


def test_a_question_asked_anew_is_open_again() -> None:
    kept = review_list.with_opened((DECIDED,), asked("a", now=9.0))
    assert [(ReviewState.OPEN, 9.0, None)] == [(each.state, each.asked_at, each.decision) for each in kept]


def test_who_asked_gets_all_the_words_and_the_record_keeps_a_part() -> None:
    evidence = tuple("e" * 1_500 for _ in range(20))
    review = asked("a").model_copy(update={"ask": asked("a").ask.model_copy(update={"evidence": evidence})})
    decided = review_list.decided(review, answer(option="advise", text="x" * 20_000), 5.0)
    kept = review_list.with_decided((review,), decided)[0]
    assert decided.decision is not None
    assert kept.decision is not None
    assert (20_000, 2_000) == (len(decided.decision.text), len(kept.decision.text))
    assert 2_000 == sum(len(each) for each in kept.ask.evidence)
    assert review_list.is_repeated(kept, answer(option="advise", text="x" * 20_000))


@given(st.lists(st.tuples(st.sampled_from(["ask", "withdraw", "decide"]), st.integers(0, 40)), max_size=120))
def test_the_list_is_bounded_open_ones_come_first_and_none_is_lost(moves: list[tuple[str, int]]) -> None:
    kept: review_list.Reviews = ()
    states: dict[str, ReviewState] = {}
    for now, (move, number) in enumerate(moves):
        name = f"q{number}"
        if move == "ask" and states.get(name) is not ReviewState.OPEN:
            kept, states[name] = review_list.with_opened(kept, asked(name, now=now)), ReviewState.OPEN
        elif move == "withdraw":
            kept = review_list.with_withdrawn(kept, lambda each: each.ask.id == name, now)  # noqa: B023  # used at once
            if states.get(name) is ReviewState.OPEN:
                states[name] = ReviewState.WITHDRAWN
        elif move == "decide" and states.get(name) is ReviewState.OPEN:
            found = review_list.find(kept, name)
            assert found is not None
            kept = review_list.with_decided(kept, review_list.decided(found, answer(name), now))
            states[name] = ReviewState.DECIDED
    open_ids = {name for name, state in states.items() if state is ReviewState.OPEN}
    assert open_ids == {each.ask.id for each in review_list.open_ones(kept)}
    assert open_ids == {each.ask.id for each in kept[: len(open_ids)]}
    closed = kept[len(open_ids) :]
    assert [each.decided_at for each in closed] == sorted((each.decided_at for each in closed), reverse=True)
    assert min(len(states) - len(open_ids), review_list.KEPT_CLOSED) == len(closed)
    assert all(states[each.ask.id] is each.state for each in kept)


def test_plain_words_answer_the_one_question_that_they_can_only_mean() -> None:
    plan, stuck, own = asked("p", AskKind.PLAN), asked("s"), asked("q", AskKind.QUESTION)
    found = [review_list.for_words(kept) for kept in ((), (plan,), (plan, stuck), (own,), (stuck, own), (DECIDED,))]
    assert [None, None, ("s", "advise"), ("q", "reply"), None, None] == [
        each and (each[0].ask.id, each[1]) for each in found
    ]
