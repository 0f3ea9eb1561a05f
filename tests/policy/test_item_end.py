"""How a sub-agent ends that would need a person."""

import pytest

from longshift.contracts.agent import AgentOutcome, AgentReport
from longshift.contracts.swarm import ItemFailure
from longshift.policy import item_end


def a_report(reason: str, outcome: AgentOutcome = AgentOutcome.EXPIRED) -> AgentReport:
    return AgentReport(agent="mend.swarm1.a/lead", outcome=outcome, reason=reason)


@pytest.mark.parametrize(
    ("kind", "failure"),
    [
        ("stuck", ItemFailure.STUCK),
        ("verdict", ItemFailure.STUCK),
        ("budget", ItemFailure.OVER_BUDGET),
        ("refused", ItemFailure.REFUSED),
        ("overflow", ItemFailure.REFUSED),
    ],
)
def test_what_a_person_would_be_asked_is_recognised_in_the_report(kind: str, failure: ItemFailure) -> None:
    reason = item_end.ending(kind, "why")
    assert "why" in reason
    assert failure is item_end.failure_of(a_report(f"{reason}; no hand-off note: the model is down"))


@pytest.mark.parametrize("kind", ["configuration", "host", "quota", "provider", "plan", "risk"])
def test_other_trouble_holds_a_sub_agent_like_any_agent(kind: str) -> None:
    assert "" == item_end.ending(kind, "why")


def test_done_is_no_failure() -> None:
    assert item_end.failure_of(a_report("", AgentOutcome.DONE)) is None


@pytest.mark.parametrize("reason", ["budget.active_hours: active time is used up (2.00 h)", "ended by Ada", ""])
def test_time_that_is_up_and_a_persons_end_are_no_fault_of_the_item(reason: str) -> None:
    assert ItemFailure.ENDED is item_end.failure_of(a_report(reason))
    assert ItemFailure.ENDED is item_end.failure_of(a_report(reason, AgentOutcome.CANCELLED))
