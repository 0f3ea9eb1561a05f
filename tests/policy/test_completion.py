"""What stands between `finish` and done: claims, checks that the agent proposed, the verdict of another model."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longshift.contracts.agent import AgentLimits, AgentOutcome, AgentState, Phase
from longshift.contracts.checks import CheckResult, ChecksDigest
from longshift.contracts.completion import (
    CheckSource,
    Claim,
    ClaimVerdict,
    CommandEnd,
    ProposedCheck,
    Verdict,
    Verifier,
)
from longshift.contracts.model import CallDigest, ModelDigest, ModelOutcome, ToolClass, Usage
from longshift.contracts.reviews import AskKind, Autonomy, Decision
from longshift.contracts.rollback import ConversationRolledBack, FilesRolledBack, Rollback
from longshift.contracts.slots import SlotGranted
from longshift.contracts.stuck import StuckThresholds
from longshift.contracts.tools import TOOL_CLASSES, PlanItem, ToolDigest, ToolStatus
from longshift.contracts.transcript import Note, Speaker
from longshift.contracts.verification import DiffDigest, VerdictDigest
from longshift.contracts.workspace import CheckpointDigest, Restoration, Workspace
from longshift.policy import actions, completion, describe, loop, proof_notes, requests, standing, steps

WORKSPACE = Workspace(workspace_id="t", host_id="h", host_queue="q", root="/ws")
START = AgentState(
    agent="t/lead",
    task_id="t",
    profile="p",
    workspace=WORKSPACE,
    version=steps.VERSION_WITH_PEOPLE,
    has_checks=True,
    limits=AgentLimits(stuck=StuckThresholds(enabled=False)),
)
WITHOUT = START.model_copy(update={"has_checks": False, "takes_checks": True})
GREEN = ChecksDigest(passed=True, results=(CheckResult(name="suite", passed=True, detail="exit code 0"),))
RED = ChecksDigest(passed=False, results=(CheckResult(name="suite", passed=False, detail="exit code 1"),))
SUITE = ProposedCheck(name="suite", run="pytest -q")
LINT = ProposedCheck(name="lint", run="ruff check .")


def call(name: str, index: int = 0, **fields: object) -> CallDigest:
    given = {"index": index, "call_id": f"c{index}", "name": name, "tool_class": TOOL_CLASSES[name]}
    return CallDigest.model_validate({**given, "arguments_hash": "0" * 16, **fields})


def bash(command: str, index: int = 0, **fields: object) -> CallDigest:
    return call("bash", index, command=command, **fields)


def finish(*commands: str, index: int = 0) -> CallDigest:
    return call("finish", index, claims=tuple(Claim(command=command, outcome="ok") for command in commands))


def answered(state: AgentState, *calls: CallDigest) -> AgentState:
    assert isinstance(loop.next_action(state), actions.CallModel)
    digest = ModelDigest(outcome=ModelOutcome.ANSWERED, calls=calls, delivered_notes=len(state.notes))
    return loop.after_model(state, digest)


def did(state: AgentState, made: CallDigest, *, tree: str = "", **fields: object) -> AgentState:
    """One step with one call; `tree` is what the files are after it."""
    changes = made.tool_class is not ToolClass.PURE
    result = {"index": made.index, "status": ToolStatus.OK, "changes_workspace": changes, **fields}
    state = loop.after_tool(answered(state, made), ToolDigest.model_validate(result))
    if tree:
        state = loop.after_checkpoint(state, CheckpointDigest(step=state.step - 1, tree_hash=tree, commit="c"))
    return state


def planned(state: AgentState, *proposed: ProposedCheck, silent: bool = False) -> AgentState:
    plan = (PlanItem(title="mend it"),)
    return did(state, call("update_plan"), plan=plan, proposed=None if silent else proposed, changes_workspace=False)


def finished(state: AgentState, *claims: str, checks: ChecksDigest | None = GREEN) -> AgentState:
    """`finish`, and what its checks say where there are any."""
    state = answered(state, finish(*claims))
    asked = loop.next_action(state)
    if not isinstance(asked, actions.RunChecks):
        return state
    return loop.after_checks(state, checks if asked.are_there else None)


def refusal(state: AgentState) -> str:
    assert state.unwritten_seal is not None
    line = state.unwritten_seal.results[-1]
    return (line.text or "") if line.is_error else ""


def test_a_claim_of_what_was_never_run_keeps_a_green_finish_from_being_accepted() -> None:
    state = finished(did(START, bash("ls"), tree="t1"), "pytest -q")
    assert Phase.MODEL is state.phase
    assert "`pytest -q`: no command that contains it" in refusal(state)


@pytest.mark.parametrize("state", [START, WITHOUT])
def test_a_claim_that_the_record_bears_out_is_accepted(state: AgentState) -> None:
    state = finished(did(state, bash("cd app && pytest -q"), tree="t1"), "pytest -q")
    assert AgentOutcome.DONE is state.outcome
    report = standing.report(state).completion
    assert report is not None
    assert [(ClaimVerdict.PROVED, 1)] == [(claim.verdict, claim.step) for claim in report.claims]


def test_a_claim_is_refused_twice_and_then_reported_as_not_proved() -> None:
    state = START
    for _ in range(completion.MAX_CLAIM_REFUSALS):
        state = finished(state, "pytest -q")
        assert refusal(state)
    assert "The next time" in refusal(state)
    state = finished(state, "pytest -q")
    assert AgentOutcome.DONE is state.outcome
    report = standing.report(state).completion
    assert report is not None
    assert ["pytest -q"] == [claim.command for claim in report.unproved]
    assert state.unwritten_seal is not None
    assert "[NOT PROVED] `pytest -q`: no command" in (state.unwritten_seal.results[0].text or "")


def test_refused_claims_count_as_evidence_of_being_stuck() -> None:
    assert finished(START, "pytest -q").stuck.steps[-1].finish_refused


def test_claims_of_an_earlier_finish_are_forgotten_when_they_are_withdrawn() -> None:
    state = finished(finished(WITHOUT, "pytest -q"))
    assert (AgentOutcome.DONE, ()) == (state.outcome, state.completion.claims)


def test_red_checks_come_first() -> None:
    state = finished(START, "pytest -q", checks=RED)
    assert "exit code 1" in refusal(state)
    assert 0 == state.completion.claim_refusals


def test_files_changed_after_the_command_make_the_claim_stale() -> None:
    state = did(did(START, bash("pytest -q"), tree="t1"), call("write_file"), tree="t2")
    assert "files were changed after that" in refusal(finished(state, "pytest -q"))
    assert not refusal(finished(did(state, bash("git checkout ."), tree="t1"), "pytest -q"))


def test_a_file_written_after_the_command_in_the_same_answer_makes_it_stale() -> None:
    state = answered(START, bash("pytest -q"), call("write_file", 1))
    for index in range(2):
        state = loop.after_tool(state, ToolDigest(index=index, status=ToolStatus.OK, changes_workspace=True))
    state = loop.after_checkpoint(state, CheckpointDigest(step=1, tree_hash="t1", commit="c"))
    assert "files were changed" in refusal(finished(state, "pytest -q"))


def test_a_file_written_in_the_answer_that_finishes_makes_earlier_commands_stale() -> None:
    state = answered(did(START, bash("pytest -q"), tree="t1"), call("write_file"), finish("pytest -q", index=1))
    state = loop.after_tool(state, ToolDigest(index=0, status=ToolStatus.OK, changes_workspace=True))
    assert "files were changed" in refusal(loop.after_checks(state, GREEN))


def test_a_failed_command_is_told_as_failed() -> None:
    state = did(START, bash("pytest -q"), tree="t1", status=ToolStatus.ERROR)
    assert "failed when it ran last, at step 1" in refusal(finished(state, "pytest -q"))


@pytest.mark.parametrize(("ok", "end"), [(True, CommandEnd.OK), (False, CommandEnd.FAILED)])
def test_a_background_command_proves_something_once_its_end_was_seen(ok: bool, end: CommandEnd) -> None:
    state = did(START, bash("pytest -q", background=True), tree="t1")
    assert "its end was not seen" in refusal(finished(state, "pytest -q"))
    state = did(state, call("bash_output"), ended_job="job-1-0", ended_ok=ok)
    assert end is state.completion.commands[0].end
    assert ok is not bool(refusal(finished(state, "pytest -q")))


def test_what_ran_in_undone_steps_is_forgotten() -> None:
    state = did(did(START, bash("pytest -q"), tree="t1"), bash("ruff check ."), tree="t2")
    state = loop.ask_rollback(state, Rollback(to_step=1))
    done = ConversationRolledBack(epoch=2, first_step=1)
    files = FilesRolledBack(checkpoint=CheckpointDigest(step=2, tree_hash="t1", commit="c", back_to_step=1))
    state = loop.after_rollback(state, Rollback(to_step=1), files, done)
    assert ["pytest -q"] == [run.text for run in state.completion.commands]


@pytest.mark.parametrize(("agent", "kept"), [("t/lead", ["pytest -q"]), ("other/lead", [])])
def test_what_ran_on_files_that_are_lost_is_forgotten(agent: str, kept: list[str]) -> None:
    state = did(did(START, bash("pytest -q"), tree="t1"), bash("ruff check ."), tree="t2")
    moved = {"generation": 2, "life": 2, "host_id": "i", "restoration": Restoration(step=1, agent=agent)}
    workspace = WORKSPACE.model_copy(update=moved)
    state = loop.slot_granted(loop.slot_lost(state, 1), SlotGranted(generation=2, workspace=workspace))
    assert kept == [run.text for run in state.completion.commands]


def test_the_record_is_bounded_and_a_command_that_runs_again_is_the_newest() -> None:
    state = START
    for number in range(completion.KEPT_COMMANDS + 5):
        state = did(state, bash(f"make {number}"))
    state = did(state, bash("make 10"))
    assert completion.KEPT_COMMANDS == len(state.completion.commands)
    assert "make 10" == state.completion.commands[-1].text


def test_an_agent_of_an_earlier_release_is_judged_as_before() -> None:
    old = START.model_copy(update={"version": 2, "verifier": Verifier()})
    state = finished(did(old, bash("ls")), "pytest -q")
    assert (AgentOutcome.DONE, (), None) == (
        state.outcome,
        state.completion.commands,
        standing.report(state).completion,
    )


def test_without_declared_checks_the_first_plan_without_any_is_asked_for_them_once() -> None:
    state = planned(WITHOUT, silent=True)
    assert [proof_notes.CHECKS_WANTED] == [note.text for note in state.notes]
    assert not planned(state, silent=True).notes


def test_proposed_checks_are_run_at_finish_like_declared_ones() -> None:
    state = answered(planned(WITHOUT, SUITE), finish())
    assert actions.RunChecks() == loop.next_action(state)
    assert (SUITE,) == requests.run_checks(state, WORKSPACE).proposed
    assert "exit code 1" in refusal(loop.after_checks(state, RED))
    done = loop.after_checks(state, GREEN)
    report = standing.report(done).completion
    assert report is not None
    assert (AgentOutcome.DONE, CheckSource.PROPOSED, (SUITE,)) == (done.outcome, report.source, report.proposed)


def test_a_plan_that_says_nothing_about_checks_keeps_them() -> None:
    state = planned(planned(WITHOUT, SUITE), silent=True)
    assert ((SUITE,), (), ()) == (state.completion.proposed, state.completion.weakened, state.news)


@pytest.mark.parametrize(
    ("proposed", "said"),
    [
        ((SUITE,), "lint (`ruff check .`) was dropped"),
        ((), "suite (`pytest -q`) was dropped"),
        ((LINT, SUITE.model_copy(update={"run": "true"})), "suite (`pytest -q`) now runs `true`"),
    ],
)
def test_checks_are_never_dropped_or_weakened_silently(proposed: tuple[ProposedCheck, ...], said: str) -> None:
    state = planned(planned(WITHOUT, SUITE, LINT), *proposed)
    assert proposed == state.completion.proposed
    assert any(said in line for line in state.completion.weakened)
    assert said in state.news[-1].text


def test_another_name_or_one_more_check_weakens_nothing() -> None:
    state = planned(planned(WITHOUT, SUITE), SUITE.model_copy(update={"name": "tests"}), LINT)
    assert () == state.completion.weakened


def test_checks_of_one_name_are_told_apart() -> None:
    state = planned(WITHOUT, SUITE, SUITE.model_copy(update={"run": "tox"}))
    assert ["suite", "suite 2"] == [check.name for check in state.completion.proposed]


def test_proposals_beside_declared_checks_are_ignored_with_one_word() -> None:
    state = planned(START, SUITE)
    assert ([proof_notes.CHECKS_IGNORED], ()) == ([note.text for note in state.notes], state.completion.proposed)
    assert not planned(state, SUITE).notes


def test_a_person_who_reviews_the_plan_sees_its_checks_and_sees_it_again_when_they_change() -> None:
    state = planned(WITHOUT.model_copy(update={"autonomy": Autonomy.MANUAL}), SUITE)
    assert state.ask is not None
    assert "- suite: `pytest -q`" in state.ask.evidence[0]
    state = loop.decided(state, Decision(ask_id=state.ask.id, option="approve"))
    assert planned(state, SUITE).ask is None
    assert planned(state, SUITE.model_copy(update={"run": "true"})).ask is not None


@given(
    st.lists(
        st.builds(
            ProposedCheck,
            name=st.from_regex(r"[a-zA-ZäЖ中0-9_ .:-]{1,60}", fullmatch=True),
            run=st.text(st.characters(exclude_categories=("C",)), min_size=1, max_size=60).map(str.strip).filter(bool),
        ),
        max_size=5,
    ),
    st.lists(st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=60), max_size=5),
)
def test_a_plan_as_text_keeps_its_items_and_its_checks(checks: list[ProposedCheck], titles: list[str]) -> None:
    plan = tuple(PlanItem(title=title) for title in titles)
    assert all(describe.is_check_name(check.name) for check in checks)
    text = describe.plan_text(plan, tuple(checks))
    assert (plan, tuple(checks)) == (describe.plan_of_text(text), describe.checks_of_text(text))


VERIFIED = START.model_copy(update={"verifier": Verifier(max_rejections=2)})


def verdict(*, accepted: bool, **fields: object) -> VerdictDigest:
    said = {"step": 1, "accepted": accepted, "reasons": () if accepted else ("no test",), **fields}
    usage = Usage(input_tokens=7)
    return VerdictDigest(
        outcome=ModelOutcome.ANSWERED, verdict=Verdict.model_validate(said), usage=usage, cost_usd=0.25
    )


def test_green_checks_are_followed_by_the_verifier_and_it_is_paid_for() -> None:
    state = finished(VERIFIED)
    assert actions.Verify() == loop.next_action(state)
    after = loop.after_verdict(state, verdict(accepted=True))
    assert (AgentOutcome.DONE, 0.25, 7) == (after.outcome, after.cost_usd, after.usage.total_tokens)


def test_a_rejection_refuses_the_finish_with_its_reasons() -> None:
    state = loop.after_verdict(finished(VERIFIED), verdict(accepted=False, missing=("the docs",)))
    assert ("- no test\n- missing: the docs" in refusal(state), Phase.MODEL) == (True, state.phase)


def test_after_so_many_rejections_in_a_row_a_person_is_asked() -> None:
    state = loop.after_verdict(finished(VERIFIED), verdict(accepted=False))
    state = loop.after_verdict(finished(state), verdict(accepted=False))
    assert state.ask is not None
    assert (AskKind.VERDICT, Phase.PARKED, "- no test") == (state.ask.kind, state.phase, state.ask.evidence[0])
    assert ["accept", "advise", "end"] == [option.id for option in state.ask.options]


def asked() -> tuple[AgentState, str]:
    state = VERIFIED
    for _ in range(2):
        state = loop.after_verdict(finished(state), verdict(accepted=False))
    assert state.ask is not None
    return state, state.ask.id


def test_a_person_may_accept_rejected_work_and_the_report_says_who_did() -> None:
    state, ask_id = asked()
    state = loop.decided(state, Decision(ask_id=ask_id, option="accept", by="ada"))
    assert (AgentOutcome.DONE, "ada") == (state.outcome, state.completion.verdicts[-1].overruled_by)


def test_advice_goes_to_the_model_as_a_persons_word_and_the_count_begins_anew() -> None:
    state, ask_id = asked()
    state = loop.decided(state, Decision(ask_id=ask_id, option="advise", text="write the test"))
    assert (Phase.MODEL, 0, "no test" in refusal(state)) == (state.phase, state.completion.rejections, True)
    assert [(Speaker.PERSON, "write the test")] == [(note.speaker, note.text) for note in state.notes]


def test_a_person_may_end_it_and_the_agent_hands_off() -> None:
    state, ask_id = asked()
    assert Phase.HANDOFF is loop.decided(state, Decision(ask_id=ask_id, option="end")).phase


def test_somebody_who_lets_the_agent_go_on_leaves_the_rejection_standing() -> None:
    state, _ = asked()
    state = loop.resume(state)
    assert (Phase.MODEL, None, "no test" in refusal(state)) == (state.phase, state.ask, True)


@pytest.mark.parametrize("outcome", [ModelOutcome.QUOTA, ModelOutcome.UNAVAILABLE])
def test_a_providers_trouble_is_waited_out_and_is_no_rejection(outcome: ModelOutcome) -> None:
    state = loop.after_verdict(finished(VERIFIED), VerdictDigest(outcome=outcome, detail="down"))
    assert (Phase.WAITING, 0) == (state.phase, state.completion.rejections)
    assert actions.Verify() == loop.next_action(loop.resume(state))


def test_the_agents_own_profile_stays_where_a_verifier_of_its_own_is_down() -> None:
    down = VerdictDigest(outcome=ModelOutcome.UNAVAILABLE)
    alone = VERIFIED.model_copy(
        update={"verifier": Verifier(model="judge"), "fallback": ("other",), "waited_seconds": 9e9}
    )
    state = loop.after_verdict(finished(alone).model_copy(update={"waited_seconds": 9e9}), down)
    assert (Phase.WAITING, "p", ("other",)) == (state.phase, state.profile, state.fallback)
    assert "judge" == requests.verify(state, DiffDigest(key="k")).profile


def test_a_profile_that_took_over_at_the_verifier_is_handed_the_conversation_before_the_next_step() -> None:
    state = did(VERIFIED.model_copy(update={"fallback": ("other",)}), bash("ls"), tree="t1")
    state = finished(state).model_copy(update={"waited_seconds": 9e9})
    state = loop.after_verdict(state, VerdictDigest(outcome=ModelOutcome.UNAVAILABLE))
    assert ("other", actions.Verify()) == (state.profile, loop.next_action(state))
    state = loop.after_verdict(state, verdict(accepted=False))
    assert (Phase.COMPACT, "p") == (state.phase, state.epoch_profile)


@pytest.mark.parametrize("outcome", [ModelOutcome.MISCONFIGURED, ModelOutcome.OVERFLOW, ModelOutcome.REFUSED])
def test_a_verifier_that_cannot_be_asked_at_all_needs_a_person_and_is_asked_again(outcome: ModelOutcome) -> None:
    state = loop.after_verdict(finished(VERIFIED), VerdictDigest(outcome=outcome, detail="no such profile"))
    assert (Phase.PARKED, 0) == (state.phase, state.completion.rejections)
    assert actions.Verify() == loop.next_action(loop.resume(state))


def test_time_that_is_up_while_the_verifier_is_down_ends_the_agent() -> None:
    state = loop.after_verdict(finished(VERIFIED), VerdictDigest(outcome=ModelOutcome.UNAVAILABLE))
    state = loop.end(state, "time is up")
    assert (Phase.HANDOFF, proof_notes.TIME_IS_UP) == (state.phase, refusal(state))


def test_a_message_that_came_meanwhile_is_heard_before_anybody_is_paid_to_verify() -> None:
    state = answered(VERIFIED, finish())
    state = loop.take_note(state, Note(speaker=Speaker.PERSON, text="also the docs", message_id="m"))
    state = loop.after_checks(state, GREEN)
    assert (Phase.MODEL, True) == (state.phase, bool(refusal(state)))


COMMANDS = st.sampled_from(["pytest -q", "ruff check .", "ls"])
MOVES = st.one_of(
    st.tuples(st.just("run"), COMMANDS, st.booleans()),
    st.tuples(st.just("write"), st.just(""), st.booleans()),
    st.tuples(st.just("finish"), COMMANDS, st.booleans()),
)


@settings(max_examples=200)
@given(st.lists(MOVES, max_size=12))
def test_a_claim_is_proved_exactly_if_its_command_succeeded_last_on_the_files_as_they_are(
    moves: list[tuple[str, str, bool]],
) -> None:
    """Against a model of the record that is as simple as can be: (command → succeeded, files)."""
    state, files = START, 0
    known: dict[str, tuple[bool, int]] = {}
    for kind, command, fine in moves:
        if kind == "run":
            status = ToolStatus.OK if fine else ToolStatus.ERROR
            state = did(state, bash(command), tree=f"t{files}", status=status)
            known[command] = (fine, files)
        elif kind == "write":
            files += 1
            state = did(state, call("write_file"), tree=f"t{files}")
        else:
            state = finished(state, command)
            proved = known.get(command) == (True, files)
            assert proved is (ClaimVerdict.PROVED is state.completion.claims[0].verdict)
            assert (state.outcome is AgentOutcome.DONE) is (proved or not refusal(state))
            if state.outcome is AgentOutcome.DONE:
                return
