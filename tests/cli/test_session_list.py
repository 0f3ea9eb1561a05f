"""The list of sessions: what is asked of the engine, and the table."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from longshift.cli.session_list import table
from longshift.cli.sessions import StateFilter, states_of
from longshift.contracts.session import SessionState
from longshift.sessions.listing import ListedSession, query
from tests.cli.pages import HOSTILE, UNSAFE, shown

SESSION = ListedSession(
    task_id="mend",
    state=SessionState.WAITING,
    attention="quota",
    step=41,
    tokens=1_234_567,
    cost_usd=3.999,
    context_fill=0.254,
    repository="/src",
    tenant="default",
    model="kimi-k2.6",
    started_at=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
    closed_at=None,
)


def test_the_table_has_state_attention_work_and_cost() -> None:
    header, row = shown(table([SESSION])).splitlines()
    assert ["id", "state", "step", "tokens", "cost", "context", "started"] == header.split()
    assert ["mend", "waiting", "(quota)", "41", "1,234,567", "$4.00", "25%"] == row.split()[:7]


def test_a_session_with_a_swarm_has_a_line_for_it() -> None:
    lines = shown(table([replace(SESSION, swarm="12/300 merged, 64 at work")])).splitlines()
    assert "12/300 merged, 64 at work" == lines[2].strip()


def test_numbers_that_were_never_told_are_dashes() -> None:
    untold = replace(SESSION, attention="", step=0, tokens=0, cost_usd=0.0, context_fill=0.0)
    assert ["mend", "waiting", "–", "–", "–", "–"] == shown(table([untold])).splitlines()[1].split()[:6]


def test_a_long_id_is_shown_whole_on_a_narrow_terminal() -> None:
    text = shown(table([replace(SESSION, task_id="x" * 90)]), width=80)
    assert 90 == text.partition("\n")[2].count("x")


def test_hostile_words_are_made_visible() -> None:
    text = shown(table([replace(SESSION, task_id=HOSTILE, attention=HOSTILE)]))
    assert set() == UNSAFE & set(text)


@pytest.mark.parametrize(
    ("chosen", "states"),
    [
        ([], set[SessionState]()),
        (["DONE", "FAILED"], {SessionState.DONE, SessionState.FAILED}),
        (["ACTIVE"], {state for state in SessionState if not state.is_final}),
        (["ACTIVE", "DONE"], {state for state in SessionState if not state.is_final} | {SessionState.DONE}),
    ],
)
def test_active_means_every_state_that_is_not_final(chosen: list[str], states: set[SessionState]) -> None:
    assert states == states_of([StateFilter[name] for name in chosen])


def test_failed_sessions_include_those_that_the_engine_ended() -> None:
    assert "WorkflowType = 'Session'" == query(frozenset())
    assert "WorkflowType = 'Session' AND (LongshiftState IN ('done', 'queued'))" == query(
        frozenset({SessionState.QUEUED, SessionState.DONE})
    )
    assert "'Terminated', 'TimedOut', 'Failed'" in query(frozenset({SessionState.FAILED}))
