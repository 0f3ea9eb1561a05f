"""`longshift fleet`: what a person reads of all sessions' budget, and what is refused before anybody is asked."""

import io

import pytest
from rich.console import Console

from longshift.cli import fleet_budget
from longshift.contracts.fleet import FleetLimits, FleetRaise, FleetSpend, FleetState
from longshift.fleet_control import Finished, FleetView
from longshift.policy import fleet
from tests.cli.conftest import Command

NOON = 1_795_867_200.0
FINISHED = (Finished("today", 3, 2, 6.0, 3.0), Finished("this month", 0, 0, 0.0, None))


def shown(view: FleetView) -> str:
    console = Console(file=io.StringIO(), width=160)
    console.print(fleet_budget.page(view))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def state(usd: float) -> FleetState:
    limits = FleetLimits(usd_per_day=10.0, tokens_per_month=5_000)
    spend = FleetSpend(session="a", tokens=1_000, usd=usd, unknown_usd=0.5, limits=limits)
    return fleet.settled(fleet.told(FleetState(), spend, NOON), NOON)


def test_the_page_tells_limits_alerts_and_the_cost_of_a_finished_task() -> None:
    page = shown(FleetView(counts=True, state=state(9.5), finished=FINISHED))
    assert "95% $9.50 of $10.00" in page
    assert "20% 1,000 of 5,000" in page
    assert "dollars this month   $9.50, no limit" in page
    assert "alert: 90 % reached" in page
    assert "$0.50 of this month are booked for calls of unknown outcome" in page
    assert "today: 3 sessions ended, 2 of them done, $6.00; $3.00 per finished task" in page
    assert "this month: 0 sessions ended, 0 of them done, $0.00; none is done" in page


def test_the_page_tells_that_sessions_hold_and_what_was_raised() -> None:
    held = state(10.0)
    assert "sessions hold: all sessions together have spent $10.00 of $10.00" in shown(FleetView(True, held, FINISHED))
    raised = fleet.raised(held, FleetRaise(limits=FleetLimits(usd_per_day=20.0)), NOON)
    assert "$10.00 of $20.00 (raised)" in shown(FleetView(True, raised, FINISHED))


def test_without_a_limit_the_page_says_so_and_still_tells_what_tasks_cost() -> None:
    page = shown(FleetView(counts=False, state=FleetState(), finished=FINISHED))
    assert "no limit for all sessions together" in page
    assert "$3.00 per finished task" in page
    assert {} == fleet_budget.document(FleetView(False, FleetState(), FINISHED))["limits"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [(["raise", "--usd-per-day", "-1"], "--usd-per-day"), (["raise", "--tokens-per-day", "x"], "--tokens-per-day")],
)
def test_nonsense_is_refused(longshift: Command, arguments: list[str], word: str) -> None:
    outcome = longshift("fleet", *arguments)
    assert (2, True) == (outcome.code, word in outcome.err)
