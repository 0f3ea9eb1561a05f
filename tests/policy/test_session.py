"""What a session decides by itself, and what it lets people do."""

from longshift.contracts.agent import AgentOutcome, AgentReport
from longshift.contracts.ledger import Spend
from longshift.contracts.model import Usage
from longshift.contracts.reviews import AskKind
from longshift.contracts.session import AgentStatus, SessionState, SessionStatus, Steer
from longshift.policy import reviews, session

EARLIER = AgentReport(
    agent="t/lead", outcome=AgentOutcome.EXPIRED, steps=40, usage=Usage(input_tokens=900, output_tokens=100), cost_usd=2
)


def test_the_work_of_earlier_shifts_counts() -> None:
    status = AgentStatus(agent="t/lead-2", waiting=True, step=2, tokens=500, cost_usd=0.5, context_fill=0.25)
    expected = status.model_copy(update={"step": 42, "tokens": 1_500, "cost_usd": 2.5})
    assert expected == session.progress((EARLIER,), status)


def test_a_report_tells_where_its_agent_stood() -> None:
    spent = Spend(usage=EARLIER.usage, usd=2, steps=40)
    expected = AgentStatus(agent="t/lead", waiting=False, step=40, tokens=1_000, cost_usd=2, spent=spent)
    assert expected == session.at_end(EARLIER)


def test_messages_are_refused_before_they_are_too_many_for_one_value() -> None:
    status = SessionStatus(task_id="t", title="T", state=SessionState.PREPARING, profile="p")
    message = Steer(text="x" * 20_000)
    assert not session.refuse_steer(status, message, 14, 280_000)
    assert "put more into a file" in session.refuse_steer(status, message, 15, 300_000)


def test_a_resume_is_no_approval() -> None:
    asked = reviews.opened(reviews.question("lead-1-plan", AskKind.PLAN, "Right?"), 1, 0)
    stuck = reviews.opened(reviews.question("lead-2-stuck", AskKind.STUCK, "What now?"), 1, 0)
    waiting = SessionStatus(task_id="t", title="T", state=SessionState.WAITING, profile="p")
    refusals = [
        session.refuse_resume(waiting.model_copy(update={"reviews": open_ones}), paused)
        for open_ones, paused in (((asked,), False), ((asked,), True), ((asked, stuck), False), ((stuck,), False))
    ]
    assert ["lead-1-plan" in refusals[0], *refusals[1:]] == [True, "", "", ""]


def test_time_is_up_by_its_own_words_and_not_by_a_person_s() -> None:
    reasons = [session.time_is_up(3_600), f"ended by Ada: {session.time_is_up(3_600)}"]
    assert [True, False] == [session.is_time(EARLIER.model_copy(update={"reason": reason})) for reason in reasons]
