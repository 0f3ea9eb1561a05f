"""What people are told, in which order and how often."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshift.contracts.agent import News
from longshift.contracts.attention import Attention
from longshift.contracts.cards import Message, MessageKind, NewsLine, Posted, PostResult, SessionCard
from longshift.contracts.ledger import Extension
from longshift.contracts.people import Face
from longshift.contracts.reviews import Ask, AskKind, Decision, Review, ReviewState
from longshift.contracts.session import AgentStatus, SessionInput, SessionState, SessionStatus
from longshift.contracts.task import Budget, TaskSpec
from longshift.policy import bulletin, cards
from longshift.policy.reviews import REMIND_AGAIN_SECONDS

START = 1_790_000_000.0


def card(**fields: object) -> SessionCard:
    return SessionCard.model_validate({"task_id": "t", "title": "T", "state": SessionState.RUNNING, **fields})


def review(number: int = 1, state: ReviewState = ReviewState.OPEN, **fields: object) -> Review:
    ask = Ask(id=f"q{number}", kind=AskKind.QUESTION, question="Which?")
    decision = Decision(ask_id=f"q{number}", option="a") if state is ReviewState.DECIDED else None
    given = {"ask": ask, "shown_hash": "h", "state": state, "asked_at": START, "decision": decision}
    return Review.model_validate({**given, **fields})


def lines(*numbers: int, agent: str = "t/lead") -> tuple[NewsLine, ...]:
    return tuple(NewsLine(agent=agent, number=number, text=f"line {number}") for number in numbers)


@dataclass
class Board:
    """A face, with everything that is posted on it."""

    face: Face = Face.SLACK
    posted: Posted = field(default_factory=Posted)
    now: float = START
    said: list[Message] = field(default_factory=list[Message])
    names: int = 0

    def show(self, card: SessionCard) -> list[str]:
        """Post all that is due now; the keys."""
        keys: list[str] = []
        for _ in range(100):
            message, _wait = bulletin.next_message(self.face, card, self.posted, self.now)
            if message is None:
                return keys
            self.names += 1
            named = self.face is Face.SLACK
            result = PostResult(ts=(message.ts or f"{self.names}.0") if named else "", channel="C1" if named else "")
            self.posted = bulletin.after(self.posted, message, result, card, self.now)
            self.said.append(message)
            keys.append(message.key)
        raise AssertionError("it never comes to rest")

    def wait(self, card: SessionCard) -> float | None:
        """When to look again."""
        return bulletin.next_message(self.face, card, self.posted, self.now)[1]


def test_the_root_comes_first_and_once() -> None:
    board = Board()
    assert ["root"] == board.show(card())
    assert ([], None) == (board.show(card()), board.wait(card()))


def test_another_state_is_shown_within_seconds_and_progress_later() -> None:
    board = Board()
    board.show(card())
    paused, further = card(state=SessionState.PAUSED), card(step=5)
    assert ([], bulletin.URGENT_EDIT_SECONDS) == (board.show(paused), board.wait(paused))
    assert ([], bulletin.PROGRESS_EDIT_SECONDS) == (board.show(further), board.wait(further))
    board.now += bulletin.URGENT_EDIT_SECONDS
    assert (["root"], []) == (board.show(paused), board.show(paused))


def test_time_alone_is_no_news() -> None:
    board = Board()
    board.show(card())
    board.now += 3_600
    assert ([], None) == (board.show(card(active_seconds=3_600)), board.wait(card(active_seconds=3_600)))


def test_a_question_is_asked_at_once_and_closed_when_it_is_decided() -> None:
    board = Board()
    board.show(card())
    asked = card(state=SessionState.WAITING, reviews=(review(),))
    assert ["question:q1:1790000000"] == board.show(asked)
    assert [] == board.show(asked)
    done = card(reviews=(review(state=ReviewState.DECIDED),))
    assert ["over:q1:2.0"] == board.show(done)
    assert "2.0" == board.said[-1].ts
    assert ([], ("q1",)) == (board.show(done), board.posted.settled)


def test_a_question_that_is_asked_otherwise_now_is_edited() -> None:
    board = Board()
    board.show(card(reviews=(review(),)))
    changed = card(reviews=(review(shown_hash="other"),))
    assert (["question:q1:other"], "2.0") == (board.show(changed), board.said[-1].ts)
    assert [] == board.show(changed)


def test_a_question_that_is_asked_anew_is_posted_anew() -> None:
    board = Board()
    board.show(card(reviews=(review(),)))
    board.show(card(reviews=(review(state=ReviewState.WITHDRAWN),)))
    assert ["question:q1:1790000060"] == board.show(card(reviews=(review(asked_at=START + 60),)))


def test_a_question_that_was_decided_before_it_was_posted_is_told_of_once() -> None:
    board = Board()
    decided = card(reviews=(review(state=ReviewState.DECIDED), review(2, ReviewState.WITHDRAWN)))
    assert ["root", "question:q1:1790000000"] == board.show(decided)
    assert [] == board.show(decided)


def test_people_are_reminded_again_and_again_until_somebody_decides() -> None:
    board, asked = Board(), card(reviews=(review(remind_at=START + 100),))
    board.show(asked)
    assert 100 == board.wait(asked)
    board.now += 100
    assert ["reminder:q1:1"] == board.show(asked)
    assert REMIND_AGAIN_SECONDS == board.wait(asked)
    board.now += REMIND_AGAIN_SECONDS
    assert ["reminder:q1:2"] == board.show(asked)
    board.now += 10
    decided = card(reviews=(review(state=ReviewState.DECIDED),))
    assert ["over:q1:2.0", "over:q1:3.0", "over:q1:4.0", "root"] == board.show(decided)


def test_the_question_itself_loses_its_buttons_however_many_reminders_there_were() -> None:
    board, asked = Board(), card(reviews=(review(remind_at=START + 100),))
    board.show(asked)
    for _ in range(30):
        board.now += REMIND_AGAIN_SECONDS
        board.show(asked)
    over = board.show(card(reviews=(review(state=ReviewState.DECIDED),)))
    assert ("over:q1:2.0", bulletin.MESSAGES_PER_REVIEW) == (over[0], len([key for key in over if key != "root"]))
    kinds = [each.kind for each in board.said if each.key.startswith("over")]
    assert [MessageKind.QUESTION, *[MessageKind.REMINDER] * 9] == kinds


def test_without_a_time_nobody_is_reminded() -> None:
    board, asked = Board(), card(reviews=(review(),))
    board.show(asked)
    assert board.wait(asked) is None


def test_many_lines_are_one_message() -> None:
    board = Board()
    assert ["root", "news:t/lead:3"] == board.show(card(news=lines(1, 2, 3)))
    more = card(news=lines(*range(4, 40)))
    assert ([], bulletin.NEWS_SECONDS) == (board.show(more), board.wait(more))
    board.now += bulletin.NEWS_SECONDS
    assert ["news:t/lead:39"] == board.show(more)
    assert (bulletin.NEWS_LINES, 36 - bulletin.NEWS_LINES) == (len(board.said[-1].news), board.said[-1].missed)
    assert [] == board.show(more)


def test_lines_that_were_lost_on_the_way_are_counted() -> None:
    board = Board()
    board.show(card(news=lines(1)))
    board.now += 100
    board.show(card(news=lines(20, 21)))
    assert 18 == board.said[-1].missed


def test_the_next_agents_lines_begin_anew() -> None:
    board = Board()
    board.show(card(news=lines(1, 2, 3)))
    board.now += 100
    assert ["news:t/lead-2:1"] == board.show(card(news=lines(1, agent="t/lead-2")))


def test_the_end_is_said_after_everything_else_and_nothing_after_it() -> None:
    board = Board()
    board.show(card(reviews=(review(),)))
    last = card(state=SessionState.DONE, final=True, news=lines(1), reviews=(review(),))
    assert ["over:q1:2.0", "news:t/lead:1", "root", "end"] == board.show(last)
    assert bulletin.is_over(last, board.posted, board.now)


def test_a_root_that_people_deleted_is_posted_anew_with_what_is_open() -> None:
    board, asked = Board(), card(reviews=(review(),))
    board.show(asked)
    edit = Message(kind=MessageKind.ROOT, key="root", ts="1.0")
    board.posted = bulletin.after(board.posted, edit, PostResult(gone=True), asked, board.now)
    assert ["root", "question:q1:1790000000"] == board.show(asked)


def test_a_new_message_that_may_stand_there_comes_next_as_it_was() -> None:
    board, asked = Board(), card(reviews=(review(),))
    board.show(card())
    message, _ = bulletin.next_message(board.face, asked, board.posted, board.now)
    assert message is not None
    board.posted = bulletin.failed(board.posted, message, board.now)
    later = card(reviews=(review(state=ReviewState.DECIDED),), news=lines(1))
    assert (message, None) == bulletin.next_message(board.face, later, board.posted, board.now + 60)
    assert [message.key, "over:q1:2.0", "news:t/lead:1"] == board.show(later)
    assert 0 == board.posted.failing_since


def test_an_edit_that_failed_is_not_insisted_on() -> None:
    edit = Message(kind=MessageKind.ROOT, key="root", ts="1.0")
    assert bulletin.failed(Posted(root_ts="1.0"), edit, START).unsure is None


def test_what_is_in_vain_for_a_month_after_the_end_is_given_up() -> None:
    posted = Posted(failing_since=START)
    assert not bulletin.is_over(card(final=True), posted, START + 3_600)
    assert bulletin.is_over(card(final=True), posted, START + bulletin.GIVE_UP_SECONDS + 1)
    assert not bulletin.is_over(card(), posted, START + bulletin.GIVE_UP_SECONDS + 1)


def test_a_face_without_edits_is_told_the_decision_as_a_message() -> None:
    board = Board(face=Face.WEBHOOK)
    board.show(card(reviews=(review(),)))
    board.now += 100
    done = card(step=9, reviews=(review(state=ReviewState.DECIDED),))
    assert (["over:q1:"], []) == (board.show(done), board.show(done))
    assert ["end"] == board.show(card(state=SessionState.DONE, final=True))


states = st.sampled_from(ReviewState)
many = st.lists(
    st.tuples(
        st.floats(0, 100_000),
        st.builds(
            card,
            state=st.sampled_from(SessionState),
            step=st.integers(0, 50),
            news=st.lists(st.integers(1, 60), max_size=8).map(lambda numbers: lines(*sorted(set(numbers)))),
            reviews=st.lists(st.tuples(st.integers(1, 3), states), max_size=3, unique_by=lambda each: each[0]).map(
                lambda pairs: tuple(review(number, state, remind_at=START) for number, state in pairs)
            ),
        ),
    ),
    max_size=12,
)


@given(many, st.sampled_from(Face))
def test_it_always_comes_to_rest_and_ends_with_no_button_left(
    history: list[tuple[float, SessionCard]], face: Face
) -> None:
    board = Board(face=face)
    for seconds, shown in history:
        board.now += seconds
        board.show(shown)
    board.show(card(state=SessionState.DONE, final=True))
    assert bulletin.is_over(card(final=True), board.posted, board.now)
    assert ((), 1) == (board.posted.reviews, [each.kind for each in board.said].count(MessageKind.END))
    texts = [line.number for each in board.said for line in each.news]
    assert len(texts) == len(set(texts))


def session(state: SessionState = SessionState.RUNNING, **fields: object) -> SessionStatus:
    given = {"task_id": "t", "title": "T", "state": state, "profile": "p", "agent": "t/lead"}
    return SessionStatus.model_validate({**given, **fields})


REQUEST = SessionInput(task=TaskSpec(id="t", title="T", instructions="x"), profile="p")


def test_a_card_shows_the_budget_as_people_raised_it() -> None:
    request = REQUEST.model_copy(
        update={"task": REQUEST.task.model_copy(update={"budget": Budget(tokens=100, usd=1.0, steps=10)})}
    )
    told = AgentStatus(agent="t/lead", waiting=False, raised=Extension(tokens=50))
    found = cards.card_of(request, session(agent="t/lead", extended=Extension(usd=2.0)), told)
    assert (150, 3.0, 10) == (found.tokens_limit, found.usd_limit, found.steps_limit)


def test_a_card_has_what_the_agent_told() -> None:
    told = AgentStatus(agent="t/lead", waiting=False, step=7, tokens=9, news=(News(number=1, text="a"),), last_text="b")
    found = cards.card_of(REQUEST, session(), told)
    assert (7, 9, 4_000, "b", lines(1)[0].model_copy(update={"text": "a"})) == (
        *(found.step, found.tokens, found.steps_limit, found.last_text),
        found.news[0],
    )
    assert 0 == cards.card_of(REQUEST, session(agent="t/lead-2"), told).step


def test_evidence_beyond_what_can_be_shown_is_left_out_with_a_word_on_it() -> None:
    ask = Ask(id="q1", kind=AskKind.STUCK, question="?", evidence=("x" * 2_000,) * 20)
    found = cards.card_of(REQUEST, session(reviews=(review(ask=ask),)), None)
    evidence = found.reviews[0].ask.evidence
    assert (5, True) == (len(evidence) - 1, "longshift inbox" in evidence[-1])


@pytest.mark.parametrize(
    ("changed", "urgent"),
    [
        ({"state": SessionState.PAUSED}, True),
        ({"attention": Attention(kind="quota", text="x")}, True),
        ({"reviews": (review(),)}, True),
        ({"step": 2}, False),
        ({"last_text": "x"}, False),
    ],
)
def test_what_people_should_see_at_once(changed: dict[str, object], urgent: bool) -> None:
    assert (True, urgent) == (cards.says_more(card(), card(**changed)), cards.is_urgent(card(), card(**changed)))


def test_lines_that_a_new_card_has_no_room_for_stay() -> None:
    assert lines(1, 2, 3) == cards.newest(card(news=lines(1, 2)), card(news=lines(2, 3))).news


def test_a_session_that_the_engine_ended_is_said_to_have_failed() -> None:
    assert SessionState.FAILED is cards.ended_unseen(card()).state
    assert SessionState.DONE is cards.ended_unseen(card(state=SessionState.DONE)).state
