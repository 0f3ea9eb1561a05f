"""What a follower is told, and when a person is needed."""

from dataclasses import replace

import pytest

from longshift.cli.follow import changes, needs_person
from longshift.contracts.attention import Attention
from longshift.contracts.checks import ChecksDigest
from longshift.contracts.session import SessionState
from longshift.contracts.swarm import SwarmSummary
from longshift.sessions.view import SessionView
from tests.cli.pages import progress, status, view

QUOTA = Attention(kind="quota", text="used up")


def names(before: SessionView | None, now: SessionView) -> list[str]:
    return [event.data["event"] for event in changes(before, now)]


def test_the_first_look_tells_the_state_and_the_same_again_tells_nothing() -> None:
    now = view()
    assert ["state"] == names(None, now)
    assert [] == names(now, now)


def test_every_change_is_told_once() -> None:
    before = view()
    now = SessionView(
        status(SessionState.WAITING, attention=QUOTA), progress=progress(checks=ChecksDigest(passed=False)), remark="r"
    )
    assert ["state", "attention", "checks", "remark"] == names(before, now)
    assert [] == names(now, now)
    assert [] == names(now, replace(now, remark=""))


def test_a_swarm_is_told_of_when_it_is_a_stage_further() -> None:
    def at(merged: int) -> SessionView:
        counts = {"merged": merged, "running": 100 - merged}
        return SessionView(status(swarms=(SwarmSummary(swarm="mend.swarm1", total=100, counts=counts),)))

    (event,) = changes(view(), at(3))
    assert ("swarm", 3) == (event.data["event"], event.data["swarm"]["counts"]["merged"])
    assert [] == names(at(3), at(4))
    assert ["swarm"] == names(at(4), at(5))


def test_every_event_names_its_task() -> None:
    now = replace(view(SessionState.WAITING, attention=QUOTA), remark="r")
    assert {"mend"} == {event.data["task_id"] for event in changes(None, now)}


@pytest.mark.parametrize(
    ("state", "kind", "needed"),
    [
        (SessionState.RUNNING, None, False),
        (SessionState.PAUSED, None, True),
        (SessionState.WAITING, None, False),
        (SessionState.WAITING, "quota", False),
        (SessionState.WAITING, "provider", False),
        (SessionState.WAITING, "configuration", True),
        (SessionState.WAITING, "deadline", True),
        (SessionState.RUNNING, "configuration", False),
    ],
)
def test_a_person_is_needed_where_nothing_passes_by_itself(state: SessionState, kind: str | None, needed: bool) -> None:
    attention = Attention(kind=kind, text="why") if kind else None
    assert needed == needs_person(view(state, attention=attention))
