"""What all sessions together spend: counted once, alerted once, held until the period is over or a person says so."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from longshift.contracts.fleet import FleetLimits, FleetRaise, FleetSpend, FleetState
from longshift.policy import fleet

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC).timestamp()
DAY = 86_400.0
LIMITS = FleetLimits(usd_per_day=10.0, usd_per_month=100.0)


def told(state: FleetState, session: str, usd: float, now: float = NOON, outcome: str = "") -> FleetState:
    spend = FleetSpend(session=session, tokens=int(usd * 100), usd=usd, outcome=outcome, limits=LIMITS)
    return fleet.settled(fleet.told(state, spend, now), now)


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 50), st.booleans(), st.integers(0, 3)), max_size=60))
def test_whatever_is_told_again_or_late_counts_once(words: list[tuple[str, int, bool, int]]) -> None:
    state, totals, ended = FleetState(), dict.fromkeys("abcde", 0), set[str]()
    for session, more, ends, repeats in words:
        totals[session] += 0 if session in ended else more
        outcome = "done" if ends else ""
        for _ in range(repeats + 1):
            state = told(state, session, totals[session] / 10, outcome=outcome)
        state = told(state, session, 0.0)  # an old word that comes late
        if ends:
            ended.add(session)
    assert abs(state.day.usd - sum(totals.values()) / 10) < 1e-6
    assert (len(ended), len(ended)) == (state.day.done, state.month.ended)


def test_alerts_come_once_at_80_90_and_100_percent() -> None:
    state = FleetState()
    for usd in (7.9, 8.0, 8.5, 9.0, 9.1, 10.0, 12.0):
        state = told(state, "a", usd)
    assert [80, 90, 100] == [notice.percent for notice in state.notices]
    assert [1, 2, 3] == [notice.number for notice in state.notices]
    assert "$10.00 of $10.00 in 2026-11-28 (UTC)" in state.notices[-1].text


def test_a_jump_over_several_thresholds_is_one_alert() -> None:
    assert [100] == [notice.percent for notice in told(FleetState(), "a", 11.0).notices]


def test_sessions_hold_at_the_limit_and_go_on_with_the_next_day() -> None:
    state = told(told(FleetState(), "a", 1.0), "b", 9.0)
    assert ("a", "b") == fleet.to_tell(state)
    assert "go on by themselves when the next day begins" in state.hold.reason
    for name in ("a", "b"):
        state = fleet.with_told(state, name, is_held=True)
    state = fleet.settled(state, NOON + DAY / 2)
    assert ("", ("a", "b")) == (state.hold.reason, fleet.to_tell(state))
    assert (0.0, 10.0) == (state.day.usd, state.month.usd)


def test_the_months_limit_outlasts_the_day() -> None:
    state, now = FleetState(), datetime(2026, 11, 10, tzinfo=UTC).timestamp()
    for day in range(11):
        state = told(state, f"s{day}", 9.5, now + day * DAY)
    assert "when the next month begins" in state.hold.reason
    later = fleet.settled(state, now + 12 * DAY)
    assert later.hold.reason
    assert not fleet.settled(state, now + 25 * DAY).hold.reason


def test_a_raise_lets_sessions_go_on_until_the_period_is_over() -> None:
    state = told(FleetState(), "a", 10.0)
    state = fleet.settled(fleet.raised(state, FleetRaise(limits=FleetLimits(usd_per_day=20.0)), NOON), NOON)
    assert ("", 20.0) == (state.hold.reason, fleet.limit_of(state, "usd_per_day"))
    state = told(state, "a", 17.0)
    assert [100, 80] == [notice.percent for notice in state.notices]
    assert 10.0 == fleet.limit_of(fleet.rolled(state, NOON + DAY), "usd_per_day")


def test_a_raise_that_is_none_is_refused() -> None:
    state = told(FleetState(), "a", 10.0)
    assert "not more than the limit of now" in fleet.refuse_raise(
        state, FleetRaise(limits=FleetLimits(usd_per_day=10.0)), NOON
    )
    assert "no such limit" in fleet.refuse_raise(state, FleetRaise(limits=FleetLimits(tokens_per_day=5)), NOON)
    assert "name a limit" in fleet.refuse_raise(state, FleetRaise(limits=FleetLimits()), NOON)
    assert not fleet.refuse_raise(state, FleetRaise(limits=FleetLimits(usd_per_day=10.5)), NOON)


def test_a_release_lets_sessions_go_on_without_the_limit_until_the_day_is_over() -> None:
    state = fleet.settled(fleet.released(told(FleetState(), "a", 10.0), NOON), NOON)
    assert not state.hold.reason
    state = told(state, "a", 30.0)
    assert not state.hold.reason
    state = told(state, "b", 10.0, NOON + DAY)
    assert state.hold.reason


def test_a_limit_of_nothing_holds_everything() -> None:
    spend = FleetSpend(session="a", limits=FleetLimits(usd_per_day=0.0))
    assert fleet.settled(fleet.told(FleetState(), spend, NOON), NOON).hold.reason


def test_an_end_is_remembered_for_a_while_and_then_forgotten() -> None:
    state = told(FleetState(), "a", 1.0, outcome="failed")
    assert (1, 0, None) == (state.day.ended, state.day.done, fleet.cost_per_done_usd(state.day))
    assert "a" in state.sessions
    assert {} == fleet.rolled(state, NOON + 2 * fleet.REMEMBERED_SECONDS).sessions


def test_a_finished_task_costs_what_failed_tries_cost_too() -> None:
    state = told(told(FleetState(), "a", 1.0, outcome="failed"), "b", 2.0, outcome="done")
    assert 3.0 == fleet.cost_per_done_usd(state.day)


def test_a_session_that_ended_without_a_word_is_told_nothing() -> None:
    state = fleet.ended(told(FleetState(), "a", 10.0), ("a",), NOON)
    assert () == fleet.to_tell(state)


@given(st.floats(0, 4e9))
def test_the_next_day_begins_within_one(now: float) -> None:
    seconds = fleet.seconds_to_next_day(now)
    assert 0 < seconds <= DAY
    assert fleet.keys(now)[0] != fleet.keys(now + seconds + 0.01)[0]
