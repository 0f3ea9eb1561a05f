"""A sub-agent asks nobody: what would need a person is refused, or ends it with a report that says why."""

import pytest

from longshift.contracts.agent import AgentLimits, AgentOutcome, AgentState, Phase
from longshift.contracts.completion import Verdict, Verifier
from longshift.contracts.ledger import OnLimit
from longshift.contracts.model import HandoffDigest, ModelDigest, ModelOutcome, Usage
from longshift.contracts.reviews import Autonomy, Risk
from longshift.contracts.swarm import ItemFailure
from longshift.contracts.tools import PlanItem
from longshift.contracts.verification import VerdictDigest
from longshift.policy import actions, delegation_words, item_end, loop, standing
from tests.policy.delegations import answer, call, done, is_asking_model, lead, results


def item(**fields: object) -> AgentState:
    return lead(agent="mend.swarm1.one/lead", task_id="mend.swarm1.one", is_sub_agent=True, **fields)


def outcome(name: ModelOutcome) -> ModelDigest:
    return ModelDigest(outcome=name, detail="why")


def ended(state: AgentState) -> AgentState:
    """The last note is written, by the runner where no model is asked."""
    assert isinstance(loop.next_action(state), actions.Seal | actions.WriteHandoff)
    state = loop.after_handoff(loop.after_seal(state), HandoffDigest(outcome=ModelOutcome.ANSWERED, note="n"))
    assert (Phase.ENDED, AgentOutcome.EXPIRED) == (state.phase, state.outcome)
    return state


def failure(state: AgentState) -> ItemFailure | None:
    return item_end.failure_of(standing.report(ended(state)))


class TestCalls:
    @pytest.mark.parametrize("autonomy", Autonomy)
    def test_a_question_is_answered_by_the_runner(self, autonomy: Autonomy) -> None:
        state = answer(item(autonomy=autonomy), call(0, "ask_human", shown="Which?"))
        assert [delegation_words.NOBODY_IS_ASKED] == [each.text for each in results(state)]
        assert state.ask is None

    def test_what_needs_approval_is_refused_and_the_rest_runs(self) -> None:
        risky = call(0, "bash", risk=Risk.HIGH, needs_approval=True, shown="rm -rf /")
        state = answer(item(autonomy=Autonomy.BALANCED), risky, call(1, "bash"))
        assert actions.RunTools(((call(1, "bash"),),)) == loop.next_action(state)
        state = loop.after_tool(state, done(1))
        assert [delegation_words.NEEDS_PERSON, None] == [each.text for each in results(state)]

    def test_its_plans_are_its_own(self) -> None:
        state = answer(item(autonomy=Autonomy.CAUTIOUS), call(0, "update_plan"), call(1, "write_file"))
        state = loop.after_tool(loop.after_tool(state, done(0, plan=(PlanItem(title="One"),))), done(1))
        assert is_asking_model(state)


class TestEndings:
    @pytest.mark.parametrize("on_limit", OnLimit)
    def test_a_share_that_is_used_up_ends_it(self, on_limit: OnLimit) -> None:
        state = item(has_checks=False).model_copy(update={"limits": AgentLimits(tokens=50, on_limit=on_limit)})
        state = answer(state, call(0, "read_file"), usage=Usage(input_tokens=60))
        state = loop.after_tool(state, done(0))
        assert Phase.HANDOFF is state.phase
        assert ItemFailure.OVER_BUDGET is failure(state)
        assert "budget.tokens" in state.ending

    def test_a_provider_that_refuses_ends_it_and_is_not_asked_for_the_note(self) -> None:
        state = loop.after_model(item(), outcome(ModelOutcome.REFUSED))
        assert Phase.HANDOFF is state.phase
        assert state.note_by_runner
        assert ItemFailure.REFUSED is failure(state)

    def test_a_context_that_does_not_fit_ends_it(self) -> None:
        state = item(step=1)
        state = loop.after_model(state, outcome(ModelOutcome.OVERFLOW))
        assert ItemFailure.REFUSED is failure(state)

    def test_a_key_that_is_not_accepted_holds_it_as_ever(self) -> None:
        state = loop.after_model(item(), outcome(ModelOutcome.MISCONFIGURED))
        assert (Phase.PARKED, "configuration") == (state.phase, state.attention and state.attention.kind)

    def test_quota_holds_it_as_ever(self) -> None:
        assert Phase.WAITING is loop.after_model(item(), outcome(ModelOutcome.QUOTA)).phase

    def test_the_last_rung_of_the_ladder_ends_it_with_the_evidence(self) -> None:
        state = item().model_copy(update={"limits": AgentLimits()})
        for _ in range(100):
            state = loop.after_tool(
                answer(state, call(0, "read_file", arguments_hash="same")), done(0, result_hash="r")
            )
            if state.phase is not Phase.MODEL:
                break
        assert Phase.HANDOFF is state.phase
        assert ItemFailure.STUCK is failure(state)
        assert state.ask is None

    def test_work_that_a_verifier_refuses_to_the_end_ends_it(self) -> None:
        state = item(verifier=Verifier())
        state = loop.after_checks(answer(state, call(0, "finish")), None)
        assert actions.Verify() == loop.next_action(state)
        refused = Verdict(step=3, accepted=False, missing=("the tests",))
        state = loop.after_verdict(state, VerdictDigest(outcome=ModelOutcome.ANSWERED, verdict=refused))
        while Phase.MODEL is state.phase:
            state = loop.after_checks(answer(state, call(0, "finish")), None)
            state = loop.after_verdict(state, VerdictDigest(outcome=ModelOutcome.ANSWERED, verdict=refused))
        assert ItemFailure.STUCK is failure(state)

    def test_time_that_is_up_is_no_fault_of_its_own(self) -> None:
        assert ItemFailure.ENDED is failure(loop.end(item(), "the swarm ends"))
