"""What a session keeps of its swarms, and which words to their sub-agents it takes."""

import pytest

from longshift.contracts.session import AgentStatus, SessionState, SessionStatus, Steer, StrikeItem
from longshift.policy import session, session_swarms
from tests.policy.delegations import summary

AT_WORK = AgentStatus(agent="mend/lead", waiting=False, swarm=summary(1), swarm_at_work=True)
IDLE = AT_WORK.model_copy(update={"swarm_at_work": False})


def a_session(state: SessionState = SessionState.RUNNING) -> SessionStatus:
    return SessionStatus(task_id="mend", title="T", state=state, profile="p")


def strike(item: str, status: AgentStatus | None = AT_WORK, **fields: str) -> str:
    return session_swarms.refuse_strike(a_session(), status, StrikeItem(item=item, **fields), 0)


def test_the_latest_word_of_each_swarm_is_kept_in_the_order_of_their_begin() -> None:
    kept = session_swarms.with_swarms((), (summary(1, swarm="a"),))
    kept = session_swarms.with_swarms(kept, (summary(1, swarm="b"), summary(3, 7, swarm="a"), summary(2, swarm="a")))
    assert [("a", 3), ("b", 1)] == [(each.swarm, each.number) for each in kept]


def test_at_most_ten_are_kept() -> None:
    kept = session_swarms.with_swarms((), tuple(summary(1, swarm=f"s{n}") for n in range(12)))
    assert [f"s{n}" for n in range(2, 12)] == [each.swarm for each in kept]


@pytest.mark.parametrize("item", ["one", "annotate-001", "*"])
def test_a_message_for_an_item_or_all_is_taken(item: str) -> None:
    assert "" == session_swarms.refuse_steer(AT_WORK, Steer(text="hurry", item=item))


def test_a_message_for_the_agent_itself_needs_no_swarm() -> None:
    assert "" == session_swarms.refuse_steer(None, Steer(text="hurry"))


@pytest.mark.parametrize("item", ["", "One", "a b", "-a", "**", "x" * 41])
def test_what_is_no_item_id_is_refused_with_a_remedy(item: str) -> None:
    refusal = session_swarms.refuse_steer(AT_WORK, Steer(text="hurry", item=item))
    assert refusal.startswith("item: ")
    assert "longshift swarm" in refusal


@pytest.mark.parametrize("status", [None, IDLE])
def test_without_a_swarm_at_work_nobody_is_there(status: AgentStatus | None) -> None:
    assert "no swarm is at work" in session_swarms.refuse_steer(status, Steer(text="hurry", item="one"))
    assert "no swarm is at work" in strike("one", status)


def test_an_item_is_struck_and_all_are_not() -> None:
    assert "" == strike("one")
    assert strike("*").startswith("item: ")
    assert strike("one", reason="x" * 2_001).startswith("reason: ")


def test_a_session_that_has_ended_takes_no_strike() -> None:
    refusal = session_swarms.refuse_strike(a_session(SessionState.DONE), AT_WORK, StrikeItem(item="one"), 0)
    assert "cannot strike: the session is done" == refusal
    many = session_swarms.refuse_strike(a_session(), AT_WORK, StrikeItem(item="one"), session.MAX_UPDATES)
    assert "updates" in many


def test_what_is_passed_on_is_said() -> None:
    assert "passed on to item one" == session_swarms.passed_on("one")
    assert "all items" in session_swarms.passed_on("*")
