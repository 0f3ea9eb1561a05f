"""The agent loop as a state machine: what it asks for, and how it takes what happens."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longshift.contracts.agent import AgentLimits, AgentOutcome, AgentState, Phase
from longshift.contracts.checks import CheckResult, ChecksDigest
from longshift.contracts.completion import Verdict, Verifier
from longshift.contracts.delegation import VERSION_WITH_SWARMS
from longshift.contracts.model import CallDigest, HandoffDigest, ModelDigest, ModelOutcome, ToolClass, Usage
from longshift.contracts.reviews import Autonomy, Decision
from longshift.contracts.rollback import ConversationRolledBack, FilesRolledBack, Rollback
from longshift.contracts.swarm_plan import PlanReview, SwarmRules
from longshift.contracts.tools import PlanItem, ToolDigest, ToolStatus
from longshift.contracts.transcript import Note, SealInput, Speaker
from longshift.contracts.verification import VerdictDigest
from longshift.contracts.workspace import CheckpointDigest, Workspace
from longshift.policy import actions, asking, calls, loop, notes, requests, standing, steps
from tests.policy.delegations import any_outcome

WORKSPACE = Workspace(workspace_id="t", host_id="h", host_queue="q", root="/w")
START = AgentState(agent="t/lead", task_id="t", profile="p", workspace=WORKSPACE, has_checks=True)


def call(
    index: int, name: str = "read_file", tool_class: ToolClass = ToolClass.PURE, rejected: bool = False
) -> CallDigest:
    return CallDigest(
        index=index, call_id=f"c{index}", name=name, tool_class=tool_class, arguments_hash="0" * 16, rejected=rejected
    )


def answered(*calls: CallDigest, **fields: object) -> ModelDigest:
    return ModelDigest.model_validate(
        {"outcome": ModelOutcome.ANSWERED, "calls": calls, "context_tokens": 100, "window_tokens": 1_000, **fields}
    )


def after_answer(state: AgentState, digest: ModelDigest) -> AgentState:
    asked = loop.next_action(state)
    assert isinstance(asked, actions.CallModel)
    usable = digest.outcome in {ModelOutcome.ANSWERED, ModelOutcome.TRUNCATED}
    return loop.after_model(
        state, digest.model_copy(update={"delivered_notes": len(asked.notes)}) if usable else digest
    )


def done(index: int, **fields: object) -> ToolDigest:
    return ToolDigest.model_validate({"index": index, "status": ToolStatus.OK, **fields})


def sealed(state: AgentState) -> SealInput:
    """What closes the step before."""
    assert state.unwritten_seal is not None
    return state.unwritten_seal


CHECKPOINT = CheckpointDigest(step=1, tree_hash="t", commit="c", archived=True)
RED = ChecksDigest(passed=False, results=(CheckResult(name="suite", passed=False, detail="exit code 1"),))
GREEN = ChecksDigest(passed=True, results=(CheckResult(name="suite", passed=True, detail="exit code 0"),))


def test_an_agent_starts_with_a_model_call() -> None:
    assert actions.CallModel() == loop.next_action(START)


def test_neighbouring_pure_calls_run_together_and_effects_in_order() -> None:
    bash = call(2, "bash", ToolClass.EFFECT)
    state = after_answer(START, answered(call(0), call(1), bash, call(3)))
    assert actions.RunTools(((call(0), call(1)), (bash,), (call(3),))) == loop.next_action(state)


def test_a_step_is_sealed_in_the_models_order_whatever_the_order_of_results() -> None:
    state = after_answer(START, answered(call(0), call(1)))
    state = loop.after_tool(loop.after_tool(state, done(1)), done(0))
    assert [result.index for result in sealed(state).results] == [0, 1]


def test_a_seal_travels_with_the_next_model_call_and_is_kept_until_that_has_an_outcome() -> None:
    state = loop.after_tool(after_answer(START, answered(call(0))), done(0))
    asked = loop.next_action(state)
    assert actions.CallModel(seal=sealed(state)) == asked
    assert (1, 2) == (sealed(state).step, state.step)
    assert after_answer(state, ModelDigest(outcome=ModelOutcome.QUOTA)).unwritten_seal is None


@pytest.mark.parametrize(
    "change", [{"phase": Phase.COMPACT}, {"phase": Phase.HANDOFF}, {"phase": Phase.ENDED}, {"paused": True}]
)
def test_a_seal_is_written_by_itself_where_no_model_call_follows_soon(change: dict[str, object]) -> None:
    state = loop.after_tool(after_answer(START, answered(call(0))), done(0)).model_copy(update=change)
    assert loop.must_seal(state)
    assert actions.Seal(seal=sealed(state)) == loop.next_action(state)
    assert not loop.must_seal(loop.after_seal(state))


def test_a_seal_that_cannot_be_written_waits_for_the_person_who_mends_the_store() -> None:
    state = loop.after_tool(after_answer(START, answered(call(0))), done(0)).model_copy(update={"paused": True})
    assert actions.Park() == loop.next_action(steps.park(state, "host", "disk full"))


def test_a_cancelled_step_is_sealed_with_what_is_missing_marked() -> None:
    state = loop.cancelled(loop.after_tool(after_answer(START, answered(call(0), call(1))), done(0)), "wrong task")
    assert actions.Seal(seal=sealed(state)) == loop.next_action(state)
    assert [None, notes.NOT_RUN] == [result.text for result in sealed(state).results]
    assert 1 == standing.report(state).steps


def test_a_rejected_call_never_runs_and_is_sealed_as_an_error() -> None:
    state = after_answer(START, answered(call(0, rejected=True)))
    assert [result.is_error for result in sealed(state).results] == [True]
    assert state.rejected_calls == 1


def test_a_result_that_arrives_twice_counts_once() -> None:
    state = after_answer(START, answered(call(0), call(1)))
    state = loop.after_tool(loop.after_tool(state, done(0)), done(0))
    assert (call(1),) == calls.unanswered_calls(state)


def test_finish_runs_the_checks_and_green_ends_the_agent() -> None:
    state = after_answer(START, answered(call(0, "finish")))
    assert actions.RunChecks() == loop.next_action(state)
    state = loop.after_checks(state, GREEN)
    assert (state.phase, state.outcome) == (Phase.ENDED, AgentOutcome.DONE)


def test_red_checks_go_back_to_the_agent_with_their_output() -> None:
    state = loop.after_checks(after_answer(START, answered(call(0, "finish"))), RED)
    assert "exit code 1" in (sealed(state).results[0].text or "")
    assert Phase.MODEL is state.phase


def test_a_finish_after_other_calls_waits_for_them() -> None:
    state = after_answer(START, answered(call(0, "bash", ToolClass.EFFECT), call(1, "finish")))
    assert Phase.TOOLS is state.phase
    assert Phase.CHECKS is loop.after_tool(state, done(0)).phase


def test_without_declared_checks_finish_is_taken() -> None:
    state = after_answer(START.model_copy(update={"has_checks": False}), answered(call(0, "finish")))
    assert AgentOutcome.DONE is state.outcome


@pytest.mark.parametrize(
    ("digest", "text"),
    [
        (answered(), notes.NO_CALL),
        (answered(stop_reason="max_tokens"), notes.CUT),
        (answered(stop_reason="leaked"), notes.LEAKED),
        (answered(outcome=ModelOutcome.TRUNCATED, stop_reason="max_tokens"), notes.TRUNCATED),
    ],
)
def test_an_answer_without_a_usable_call_is_answered_by_the_runner(digest: ModelDigest, text: str) -> None:
    assert (Note(speaker=Speaker.RUNNER, text=text),) == sealed(after_answer(START, digest)).notes


def test_a_persons_message_goes_with_the_next_model_call_once() -> None:
    note = Note(speaker=Speaker.PERSON, text="use tabs", message_id="u1")
    state = loop.take_note(loop.take_note(START, note), note)
    assert actions.CallModel(notes=(note,)) == loop.next_action(state)
    assert after_answer(state, answered(call(0))).notes == ()


def test_a_message_that_arrives_while_the_model_answers_is_kept_for_the_next_call() -> None:
    early = loop.take_note(START, Note(speaker=Speaker.PERSON, text="early", message_id="u1"))
    late = loop.take_note(early, Note(speaker=Speaker.PERSON, text="late", message_id="u2"))
    state = loop.after_model(late, answered(call(0), delivered_notes=1))
    assert ["late"] == [note.text for note in state.notes]


def test_a_message_that_arrives_before_the_end_is_read_before_finish_is_taken() -> None:
    asked = after_answer(START, answered(call(0, "finish")))
    late = loop.take_note(asked, Note(speaker=Speaker.PERSON, text="one more thing", message_id="u1"))
    state = loop.after_checks(late, GREEN)
    assert (Phase.MODEL, notes.FINISH_UNHEARD) == (state.phase, sealed(state).results[0].text)
    again = loop.after_checks(after_answer(state, answered(call(0, "finish"))), GREEN)
    assert AgentOutcome.DONE is again.outcome


def test_a_message_for_which_there_is_no_time_left_goes_to_the_next_shift() -> None:
    asked = loop.end(after_answer(START, answered(call(0, "finish"))), "time")
    late = loop.take_note(asked, Note(speaker=Speaker.PERSON, text="one more thing", message_id="u1"))
    state = loop.after_checks(late, GREEN)
    assert AgentOutcome.DONE is state.outcome
    assert late.notes == standing.report(state).undelivered


def test_an_undelivered_message_survives_an_overflow() -> None:
    state = loop.take_note(START.model_copy(update={"step": 5}), Note(speaker=Speaker.PERSON, text="x", message_id="u"))
    assert state.notes == after_answer(state, ModelDigest(outcome=ModelOutcome.OVERFLOW)).notes


def test_overflow_compacts_and_goes_on_in_a_new_epoch() -> None:
    state = after_answer(START.model_copy(update={"step": 5}), ModelDigest(outcome=ModelOutcome.OVERFLOW))
    assert actions.Compact() == loop.next_action(state)
    compacted = HandoffDigest(outcome=ModelOutcome.ANSWERED, epoch=2, context_tokens=50)
    state = loop.after_compaction(state, compacted)
    assert (state.phase, state.epoch, state.epoch_first_step, state.compactions) == (Phase.MODEL, 2, 5, 1)


def test_an_overflow_that_compaction_cannot_cure_calls_a_person() -> None:
    state = after_answer(START, ModelDigest(outcome=ModelOutcome.OVERFLOW, detail="too long"))
    assert actions.Park() == loop.next_action(state)
    assert state.attention is not None
    assert state.attention.kind == "overflow"


def test_a_conversation_that_overflows_again_is_compacted_without_its_latest_rounds() -> None:
    newer = START.model_copy(update={"version": loop.VERSION_WITH_CONTEXT, "step": 5})
    overflow = ModelDigest(outcome=ModelOutcome.OVERFLOW, window_tokens=500, learnt_window_tokens=500)
    compacted = HandoffDigest(outcome=ModelOutcome.ANSWERED, epoch=2)
    state = loop.after_model(newer, overflow)
    first = requests.write_handoff(state, final=False)
    state = loop.after_model(loop.after_compaction(state, compacted), overflow)
    second = requests.write_handoff(state, final=False)
    assert (True, True, False, False) == (first.keep_rounds, first.may_clear, second.keep_rounds, second.may_clear)
    assert (Phase.COMPACT, 500) == (state.phase, second.learnt_window_tokens)
    state = loop.after_model(loop.after_compaction(state, compacted), overflow)
    assert (Phase.PARKED, "overflow") == (state.phase, state.attention and state.attention.kind)


def test_a_body_near_the_providers_limit_is_compacted_whatever_its_tokens_say() -> None:
    digest = answered(call(0), context_bytes=80_000, body_limit_bytes=100_000)
    state = loop.after_model(START.model_copy(update={"step": 5}), digest)
    assert Phase.MODEL is loop.after_tool(state, done(0, result_bytes=1_000)).phase
    assert Phase.COMPACT is loop.after_tool(state, done(0, result_bytes=6_000)).phase


def test_what_a_result_adds_is_weighed_as_the_conversations_own_usage_says() -> None:
    state = loop.after_model(START, answered(call(0), bytes_per_token=2.0))
    state = loop.after_tool(state, done(0, result_bytes=1_000))
    assert (600, 500) == (state.context_tokens, state.estimated_tokens)


def test_clearing_is_not_tried_again_soon_after_the_last_time() -> None:
    cleared = HandoffDigest(outcome=ModelOutcome.ANSWERED, epoch=2, cleared=True)
    state = loop.after_compaction(START.model_copy(update={"step": 50, "phase": Phase.COMPACT}), cleared)
    assert (0, 1) == (state.compactions, state.clearings)
    assert not requests.write_handoff(state.model_copy(update={"step": 55}), final=False).may_clear
    assert requests.write_handoff(state.model_copy(update={"step": 60}), final=False).may_clear


def test_a_context_near_the_window_is_compacted_before_the_next_call() -> None:
    state = loop.after_tool(after_answer(START, answered(call(0), context_tokens=840)), done(0, result_bytes=80))
    assert Phase.COMPACT is state.phase


def test_a_small_context_is_not_compacted() -> None:
    state = loop.after_tool(after_answer(START, answered(call(0), context_tokens=800)), done(0, result_bytes=80))
    assert Phase.MODEL is state.phase


@pytest.mark.parametrize(("outcome", "kind"), [(ModelOutcome.QUOTA, "quota"), (ModelOutcome.UNAVAILABLE, "provider")])
def test_provider_trouble_is_waited_out_with_growing_waits_and_one_alert(outcome: ModelOutcome, kind: str) -> None:
    first = after_answer(START, ModelDigest(outcome=outcome, detail="first"))
    again = after_answer(loop.resume(first), ModelDigest(outcome=outcome, detail="second"))
    assert again.wait_seconds > first.wait_seconds
    assert first.attention == again.attention
    assert (kind, "first") == (again.attention and again.attention.kind, again.attention and again.attention.text)
    assert after_answer(loop.resume(again), answered(call(0))).attention is None


def test_a_wait_is_never_shorter_than_the_provider_asked() -> None:
    state = after_answer(START, ModelDigest(outcome=ModelOutcome.UNAVAILABLE, retry_after_seconds=4_000))
    assert state.wait_seconds == 4_000


@pytest.mark.parametrize("outcome", [ModelOutcome.REFUSED, ModelOutcome.MISCONFIGURED])
def test_what_only_a_person_can_mend_parks_the_agent_and_resume_asks_again(outcome: ModelOutcome) -> None:
    state = after_answer(START, ModelDigest(outcome=outcome, detail="why"))
    assert actions.Park() == loop.next_action(state)
    assert actions.CallModel() == loop.next_action(loop.resume(state))


def test_a_failing_host_parks_in_the_phase_it_was_in() -> None:
    state = after_answer(START, answered(call(0), call(1)))
    parked = steps.park(loop.after_tool(state, done(0)), "host", "disk full")
    assert actions.RunTools(((call(1),),)) == loop.next_action(loop.resume(parked))


@pytest.mark.parametrize(
    ("limits", "word"),
    [
        (AgentLimits(steps=1), "budget.steps"),
        (AgentLimits(tokens=100), "budget.tokens"),
        (AgentLimits(usd=0.5), "budget.usd"),
    ],
)
def test_a_used_up_budget_ends_with_a_handoff_note(limits: AgentLimits, word: str) -> None:
    digest = answered(call(0, rejected=True), usage=Usage(input_tokens=100), cost_usd=0.5)
    state = loop.after_seal(after_answer(START.model_copy(update={"limits": limits}), digest))
    assert actions.WriteHandoff() == loop.next_action(state)
    state = loop.after_handoff(state, HandoffDigest(outcome=ModelOutcome.ANSWERED, note="so far"))
    report = standing.report(state)
    assert (report.outcome, report.handoff_note, word in report.reason) == (AgentOutcome.EXPIRED, "so far", True)


def test_a_handoff_that_cannot_be_written_still_ends_the_agent_and_says_so() -> None:
    state = loop.end(START.model_copy(update={"step": 3}), "time")
    for _ in range(loop.MAX_HANDOFF_WAITS):
        state = loop.after_handoff(state, HandoffDigest(outcome=ModelOutcome.UNAVAILABLE, detail="down"))
        assert Phase.WAITING is state.phase
        state = loop.resume(state)
        assert Phase.HANDOFF is state.phase
    state = loop.after_handoff(state, HandoffDigest(outcome=ModelOutcome.UNAVAILABLE, detail="down"))
    assert (state.phase, state.ending) == (Phase.ENDED, "time; no hand-off note: down")


def test_time_up_during_a_step_lets_the_step_finish() -> None:
    state = loop.end(after_answer(START, answered(call(0))), "time")
    assert Phase.TOOLS is state.phase
    assert Phase.HANDOFF is loop.after_tool(state, done(0)).phase


def test_time_up_during_a_wait_ends_the_wait() -> None:
    waiting = after_answer(START, ModelDigest(outcome=ModelOutcome.QUOTA))
    assert Phase.HANDOFF is loop.end(waiting, "time").phase


def test_the_wrap_up_warning_is_given_once() -> None:
    state = loop.wrap_up(loop.wrap_up(START, 900), 800)
    assert [notes.wrap_up(900)] == [note.text for note in state.notes]


def test_an_extended_session_is_warned_again_when_its_new_end_is_near() -> None:
    warned = after_answer(loop.wrap_up(START, 60), answered(call(0)))
    again = loop.wrap_up(loop.after_tool(warned, done(0)), 60)
    assert isinstance(asked := loop.next_action(again), actions.CallModel)
    assert 1 == len(asked.notes)


def test_time_up_during_a_compaction_hands_off_without_a_further_step() -> None:
    first = loop.after_tool(after_answer(START, answered(call(0))), done(0))
    compacting = after_answer(first, ModelDigest(outcome=ModelOutcome.OVERFLOW))
    ended = loop.end(compacting, "time")
    compacted = loop.after_compaction(ended, HandoffDigest(outcome=ModelOutcome.ANSWERED, epoch=2, note="n"))
    assert actions.WriteHandoff() == loop.next_action(compacted)


def test_a_finish_cancelled_during_its_checks_is_not_sealed_as_accepted() -> None:
    proving = after_answer(START, answered(call(0, "finish")))
    assert actions.RunChecks() == loop.next_action(proving)
    result = sealed(loop.cancelled(proving, "cancelled")).results[0]
    assert (notes.NOT_RUN, True) == (result.text, result.is_error)


def test_a_changing_call_makes_a_checkpoint_due() -> None:
    state = after_answer(START, answered(call(0)))
    assert loop.after_tool(state, done(0, changes_workspace=True)).checkpoint_due


def test_a_lost_command_is_counted_and_sealed_as_an_error() -> None:
    state = loop.after_tool(after_answer(START, answered(call(0))), ToolDigest(index=0, status=ToolStatus.LOST))
    assert (state.lost_calls, sealed(state).results[0].is_error) == (1, True)


def test_a_plan_replaces_the_one_before() -> None:
    plan = (PlanItem(title="one"),)
    state = loop.after_tool(after_answer(START, answered(call(0))), done(0, plan=plan))
    assert plan == state.plan


OUTCOMES = st.sampled_from(list(ModelOutcome))
NAMES = st.sampled_from(["bash", "read_file", "finish", "ask_human", "update_plan", "delegate"])
CALLS = st.lists(st.tuples(NAMES, st.booleans(), st.booleans()), max_size=4).map(
    lambda drawn: tuple(
        replace_class(call(index, name, rejected=rejected), approval)
        for index, (name, rejected, approval) in enumerate(drawn)
    )
)


def replace_class(digest: CallDigest, approval: bool) -> CallDigest:
    tool_class = ToolClass.EFFECT if digest.name == "bash" else ToolClass.PURE
    asks = approval and digest.name == "bash" and not digest.rejected
    return digest.model_copy(update={"tool_class": tool_class, "needs_approval": asks})


def sealed_as_called(state: AgentState, calls: tuple[CallDigest, ...]) -> AgentState:
    """The state, after a look at its seal, if the step is closed: one line per call, in the model's order."""
    if state.unwritten_seal is not None:
        assert [call.call_id for call in calls] == [line.call_id for line in state.unwritten_seal.results]
    return state


def gone_on(state: AgentState, data: st.DataObject) -> AgentState:
    """Somebody let the agent go on, or decided what it asks."""
    calls, ask = state.calls, state.ask
    if ask is None or data.draw(st.booleans()):
        after = loop.resume(state)
        assert after == state if ask and ask.kind in asking.HOLDING else after.phase is not Phase.WAITING
        return sealed_as_called(after, calls) if calls else after
    chosen = data.draw(st.sampled_from([option.id for option in ask.options if option.id != "cancel"]))
    after = loop.decided(state, Decision(ask_id=ask.id, option=chosen, text="so", by="Ada"))
    assert after.ask is None or after.ask.id != ask.id
    return sealed_as_called(after, calls) if calls else after


def moved(state: AgentState, action: actions.Action, data: st.DataObject) -> AgentState:
    """Any outcome of an action, taken."""
    match action:
        case actions.CallModel():
            outcome = data.draw(OUTCOMES)
            usable = outcome in {ModelOutcome.ANSWERED, ModelOutcome.TRUNCATED}
            calls = data.draw(CALLS) if usable else ()
            digest = ModelDigest(outcome=outcome, calls=calls, context_tokens=10, window_tokens=1_000)
            return sealed_as_called(loop.after_model(state, digest), calls)
        case actions.RunTools():
            calls = state.calls
            for each in (call for batch in action.batches for call in batch):
                assert not each.needs_approval or any(said.allowed for said in state.answers)
                plan = (PlanItem(title=f"of step {state.step}"),) if each.name == "update_plan" else None
                state = loop.after_tool(state, ToolDigest(index=each.index, status=ToolStatus.OK, plan=plan))
            return sealed_as_called(state, calls)
        case actions.RunChecks():
            digest = data.draw(st.sampled_from([RED, GREEN])) if action.are_there else None
            return sealed_as_called(loop.after_checks(state, digest), state.calls)
        case actions.Verify():
            outcome = data.draw(OUTCOMES)
            verdict = Verdict(step=state.step, accepted=data.draw(st.booleans()))
            digest = VerdictDigest(outcome=outcome, verdict=verdict if outcome is ModelOutcome.ANSWERED else None)
            return sealed_as_called(loop.after_verdict(state, digest), state.calls)
        case actions.PlanSwarm() | actions.AmendPlan() | actions.CriticisePlan() | actions.RunSwarm():
            return sealed_as_called(any_outcome(state, action, data), state.calls)
        case actions.Seal():
            return loop.after_seal(state)
        case actions.Compact() | actions.WriteHandoff():
            digest = HandoffDigest(outcome=data.draw(OUTCOMES), epoch=state.epoch + 1)
            after = loop.after_compaction if isinstance(action, actions.Compact) else loop.after_handoff
            return after(state, digest)
        case actions.RollBack():
            done = ConversationRolledBack(epoch=state.epoch + 1, first_step=data.draw(st.sampled_from([1, state.step])))
            return loop.after_rollback(state, action.wish, FilesRolledBack(checkpoint=CHECKPOINT), done)
        case actions.Wait() | actions.Park():
            return gone_on(state, data)
        case actions.Finish():
            return state


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "kind",
    [
        {},
        {"version": steps.VERSION_WITH_PEOPLE, "verifier": Verifier(), "fallback": ("other",)},
        {"version": steps.VERSION_WITH_PEOPLE, "autonomy": Autonomy.BALANCED},
        {"version": steps.VERSION_WITH_PEOPLE, "autonomy": Autonomy.MANUAL, "verifier": Verifier()},
        {"version": VERSION_WITH_SWARMS, "swarm_rules": SwarmRules(review=PlanReview.HUMAN)},
        {"version": VERSION_WITH_SWARMS, "swarm_rules": SwarmRules(review=PlanReview.CRITIC), "fallback": ("other",)},
        {"version": VERSION_WITH_SWARMS, "autonomy": Autonomy.MANUAL, "verifier": Verifier()},
        {"version": VERSION_WITH_SWARMS, "autonomy": Autonomy.MANUAL, "is_sub_agent": True, "verifier": Verifier()},
    ],
)
@settings(deadline=None)
@given(data=st.data())
def test_any_run_of_outcomes_keeps_the_machine_sound(kind: dict[str, object], data: st.DataObject) -> None:
    """Steps never go back; each is sealed once, in order, with its answer's calls, before anything reads it."""
    state = START.model_copy(update={"limits": AgentLimits(steps=6), **kind})
    closed: list[int] = []
    for _ in range(80):
        action = loop.next_action(state)
        if state.step > 1 and data.draw(st.sampled_from([True, False, False, False])):
            state = loop.ask_rollback(state, Rollback(to_step=data.draw(st.integers(0, state.step - 1))))
            action = loop.next_action(state)
        if isinstance(action, actions.CallModel | actions.Seal) and action.seal is not None:
            closed.append(action.seal.step)
        if not isinstance(action, actions.RunTools | actions.RunChecks | actions.Verify | actions.Wait | actions.Park):
            assert list(range(1, state.step)) == closed
        if isinstance(action, actions.Finish):
            assert state.outcome is not None
            return
        assert not (state.is_sub_agent and (state.ask or isinstance(action, actions.Delegating)))
        before, state = state, moved(state, action, data)
        assert state.step >= before.step
        assert state.epoch >= before.epoch
