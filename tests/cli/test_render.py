"""A session's page: what a person reads of state, budget, plan and checks."""

from datetime import UTC, datetime, timedelta

import pytest

from longshift.cli import figures, render
from longshift.contracts.agent import AgentOutcome, AgentReport
from longshift.contracts.attention import Attention
from longshift.contracts.checks import CheckResult, ChecksDigest
from longshift.contracts.completion import (
    CheckSource,
    ClaimVerdict,
    CompletionReport,
    JudgedClaim,
    ProposedCheck,
    Verdict,
)
from longshift.contracts.session import SessionState
from longshift.contracts.task import Budget
from longshift.contracts.tools import PlanItem, PlanItemStatus
from longshift.contracts.workspace import DeliveryDigest, Workspace
from longshift.sessions.view import SessionView
from tests.cli.pages import HOSTILE, UNSAFE, progress, shown, status, view

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
WORKSPACE = Workspace(workspace_id="mend", host_id="h1", host_queue="q", root="/data/tree")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3_599, "59 min"), (3_600, "1 h 00 min"), (43_500, "12 h 05 min")],
)
def test_durations_are_in_their_largest_units(seconds: float, text: str) -> None:
    assert text == figures.duration(seconds)


@pytest.mark.parametrize(
    ("usd", "text"), [(0, "$0.00"), (0.0004, "<$0.01"), (0.005, "$0.01"), (1.5, "$1.50"), (12_345.678, "$12,345.68")]
)
def test_money_has_cents_and_a_little_is_not_nothing(usd: float, text: str) -> None:
    assert text == figures.money(usd)


@pytest.mark.parametrize(("share", "text"), [(-1, " 0%"), (0.5, " 50%"), (7, " 100%")])
def test_a_bar_never_leaves_its_cells(share: float, text: str) -> None:
    bar = figures.bar(share).plain
    assert (figures.BAR_CELLS, True) == (len(bar.split()[0]), bar.endswith(text))


@pytest.mark.parametrize("state", SessionState)
def test_every_state_has_a_style_and_a_page(state: SessionState) -> None:
    page = shown(render.session(view(state)))
    assert page.startswith(f"mend  {state.value}  Mend it\n")


def test_the_page_tells_budgets_over_all_agents() -> None:
    ended = AgentReport(agent="mend/lead", outcome=AgentOutcome.EXPIRED, steps=10, cost_usd=2.0)
    told = status(agents=(ended,), active_seconds=1_800, active_limit_seconds=3_600, shift=2)
    page = shown(render.session(SessionView(told, progress=progress()), budget=Budget(steps=24, usd=7)))
    assert " 50% 30 min of 1 h 00 min, shift 2" in page
    assert " 50% 12 of 24" in page
    assert " 50% $3.50 of $7.00" in page
    assert " 25% of 200,000 tokens" in page


def test_an_ended_session_tells_what_was_delivered_and_how_long_it_took() -> None:
    told = status(
        SessionState.DONE, delivery=DeliveryDigest(changed_files=2, insertions=3, deletions=1), workspace=WORKSPACE
    )
    page = shown(render.session(SessionView(told, started_at=STARTED, closed_at=STARTED + timedelta(minutes=65))))
    assert "2 files, +3 −1: longshift artifacts mend" in page
    assert "took 1 h 05 min" in page
    assert "commands run unsandboxed" in page


def test_what_no_worker_could_tell_is_remarked() -> None:
    assert "no worker answers" in shown(render.session(SessionView(status(), remark="no worker answers")))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("provider", ["waits for the provider", "by itself"]),
        ("quota", ["waits for the provider", "longshift resume mend"]),
        ("deadline", ["needs a person", "longshift extend mend --hours H"]),
        ("configuration", ["needs a person", "longshift resume mend", "longshift cancel mend"]),
    ],
)
def test_attention_names_who_is_waited_for_and_the_command(kind: str, words: list[str]) -> None:
    text = render.attention(status(SessionState.WAITING, attention=Attention(kind=kind, text="why"))).plain
    assert [] == [word for word in [*words, "why"] if word not in text]


def test_a_long_plan_hides_what_is_done_before_what_is_to_do() -> None:
    done = [PlanItem(title=f"done {number}", status=PlanItemStatus.DONE) for number in range(5)]
    rest = [PlanItem(title=f"next {number}", status=PlanItemStatus.PENDING) for number in range(3)]
    lines = render.plan([*done, *rest], limit=4).plain.splitlines()
    assert ["  … 4 done before", "  ✔ done 4", "  ☐ next 0", "  ☐ next 1", "  ☐ next 2"] == lines
    assert ["  ☐ next 0", "  … 2 more"] == render.plan(rest, limit=1).plain.splitlines()


def test_checks_have_a_mark_their_evidence_and_protected_files() -> None:
    digest = ChecksDigest(
        passed=False,
        results=(
            CheckResult(name="suite", passed=True, detail="exit 0\nmore"),
            CheckResult(name="speed", passed=False, detail="3.2 is over 2"),
        ),
        protected_changes=("tests/golden/a.json",),
    )
    expected = ["  ✔ suite  exit 0", "  ✗ speed  3.2 is over 2", "  ✗ protected file changed: tests/golden/a.json"]
    assert expected == render.checks(digest).plain.splitlines()


def test_nothing_that_a_model_or_a_repository_wrote_reaches_the_terminal_raw() -> None:
    digest = ChecksDigest(
        passed=False,
        results=(CheckResult(name="suite", passed=False, detail=HOSTILE),),
        protected_changes=(HOSTILE,),
    )
    told = status(
        SessionState.WAITING,
        title=HOSTILE,
        reason=HOSTILE,
        attention=Attention(kind="host", text=HOSTILE),
        workspace=WORKSPACE.model_copy(update={"root": HOSTILE}),
    )
    plan = (PlanItem(title=HOSTILE, status=PlanItemStatus.PENDING),)
    proof = CompletionReport(
        source=CheckSource.PROPOSED,
        proposed=(ProposedCheck(name="suite", run=f"echo {HOSTILE}"),),
        weakened=(HOSTILE,),
        claims=(JudgedClaim(command=HOSTILE, outcome=HOSTILE, verdict=ClaimVerdict.FAILED, step=2),),
        verdicts=(Verdict(step=3, accepted=False, reasons=(HOSTILE,), missing=(HOSTILE,), overruled_by=HOSTILE),),
    )
    agent = progress(plan=plan, checks=digest, completion=proof, last_text=HOSTILE, next_action=HOSTILE)
    page = shown(render.session(SessionView(told, progress=agent)))
    assert ("owned" in page, set[str]()) == (True, UNSAFE & set(page))


def test_the_page_of_an_ended_session_tells_what_its_word_was_worth() -> None:
    said = CompletionReport(
        source=CheckSource.PROPOSED,
        proposed=(ProposedCheck(name="suite", run="pytest -q"),),
        weakened=("step 7: lint (`ruff check .`) was dropped",),
        claims=(
            JudgedClaim(command="pytest -q", outcome="42 passed", verdict=ClaimVerdict.PROVED, step=9, hidden=True),
            JudgedClaim(command="ruff check .", verdict=ClaimVerdict.NEVER_RUN),
        ),
        verdicts=(Verdict(step=8, accepted=False, reasons=("No test.",), missing=("the docs",)),),
    )
    ended = AgentReport(agent="mend/lead", outcome=AgentOutcome.DONE, checks=ChecksDigest(passed=True), completion=said)
    page = shown(render.session(SessionView(status(SessionState.DONE, agents=(ended,)))))
    for line in (
        "0/0 checks green  proposed by the agent, as the task declares none",
        "  suite: pytest -q",
        "  ! step 7: lint (`ruff check .`) was dropped",
        "  ✔ pytest -q (42 passed)",
        "      ran at step 9, after the last change of files; the exit code of its line was another's",
        "  ✗ not proved: ruff check .",
        "  ✗ step 8: rejects. No test.",
        "      missing: the docs",
    ):
        assert line in page, page
