"""What becomes of a `delegate` call, from the model's answer to its result."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshift.contracts.agent import AgentState, Phase
from longshift.contracts.attention import Attention
from longshift.contracts.completion import Verdict
from longshift.contracts.delegation import DelegationStage
from longshift.contracts.model import ModelOutcome
from longshift.contracts.reviews import AskKind, Autonomy, Decision
from longshift.contracts.rollback import Rollback
from longshift.contracts.swarm_plan import PlanDigest, SwarmRules
from longshift.contracts.verification import VerdictDigest
from longshift.policy import actions, asking, delegating, loop, reviews, standing, steps, swarm_requests
from longshift.policy import delegation_words as words
from tests.policy.delegations import (
    AMENDED,
    PLAN,
    REFUSED,
    WORKSPACE,
    answer,
    asked,
    call,
    decide,
    delegated,
    done,
    is_asking_model,
    lead,
    opened,
    report,
    results,
    running,
    stage,
    summary,
    with_review,
)


def verdict(*, accepted: bool, **fields: object) -> VerdictDigest:
    said = Verdict(step=3, accepted=accepted, reasons=() if accepted else ("item two changes what one proves",))
    return VerdictDigest.model_validate({"outcome": ModelOutcome.ANSWERED, "verdict": said, "cost_usd": 0.5, **fields})


def trouble(outcome: ModelOutcome) -> VerdictDigest:
    return VerdictDigest(outcome=outcome, detail="down")


def rejected_twice(state: AgentState) -> AgentState:
    for _ in range(2):
        state = loop.after_critic(loop.after_plan(delegated(state), PLAN), verdict(accepted=False))
    return state


class TestWhatTheRulesSay:
    def test_a_delegate_is_planned(self) -> None:
        state = delegated()
        assert actions.PlanSwarm() == loop.next_action(state)
        assert ("mend.swarm1", 1, Phase.DELEGATE) == (opened(state).swarm, state.delegations, state.phase)

    def test_it_waits_until_all_other_calls_of_the_answer_have_results(self) -> None:
        state = answer(lead(), call(0, "read_file"), call(1), call(2, "bash"))
        assert isinstance(loop.next_action(state), actions.RunTools)
        state = loop.after_tool(loop.after_tool(state, done(0)), done(2))
        assert actions.PlanSwarm() == loop.next_action(state)

    def test_it_waits_for_a_question_of_the_same_answer(self) -> None:
        state = answer(lead(autonomy=Autonomy.BALANCED), call(0, "ask_human", shown="Which?"), call(1))
        assert AskKind.QUESTION is (state.ask and state.ask.kind)
        assert actions.PlanSwarm() == loop.next_action(decide(state, "reply", "that one"))

    def test_a_second_one_in_an_answer_is_refused(self) -> None:
        state = loop.after_swarm(loop.after_plan(answer(lead(), call(0), call(1)), PLAN), report())
        assert [None, words.ONE_AT_A_TIME] == [each.text for each in results(state)]
        assert [False, True] == [each.is_error for each in results(state)]

    def test_a_malformed_one_is_no_first_one(self) -> None:
        state = answer(lead(), call(0, rejected=True), call(1))
        assert 1 == opened(state).index

    def test_with_finish_neither_is_carried_out(self) -> None:
        state = answer(lead(has_checks=True), call(0), call(1, "finish"))
        assert is_asking_model(state)
        assert [words.NOT_WITH_FINISH, words.FINISH_WITH_DELEGATE] == [each.text for each in results(state)]
        assert state.outcome is None

    @pytest.mark.parametrize(
        ("fields", "text"),
        [
            ({"is_sub_agent": True}, words.SUB_AGENTS_DELEGATE_NOT),
            ({"version": steps.VERSION_WITH_PEOPLE}, words.OLD_AGENT),
            ({"swarm_rules": SwarmRules(max_items=0)}, words.NO_SUB_AGENTS),
        ],
    )
    def test_who_has_no_sub_agents_is_told_so(self, fields: dict[str, object], text: str) -> None:
        state = delegated(lead(**fields))
        assert [text] == [each.text for each in results(state)]
        assert (None, 0) == (state.delegation, state.delegations)

    def test_before_the_plan_of_a_cautious_session_is_approved_only_a_person_lets_a_swarm_work(self) -> None:
        assert actions.PlanSwarm() == loop.next_action(delegated(lead(autonomy=Autonomy.CAUTIOUS)))
        state = delegated(with_review("auto", Autonomy.CAUTIOUS))
        assert "before anything is changed" in (results(state)[0].text or "")

    def test_a_plan_that_is_refused_is_the_calls_result(self) -> None:
        state = loop.after_plan(delegated(), REFUSED)
        assert is_asking_model(state)
        assert (REFUSED.refused, True) == (results(state)[0].text, results(state)[0].is_error)

    def test_numbers_of_swarms_are_never_used_again(self) -> None:
        state = delegated(loop.after_plan(delegated(), REFUSED))
        assert ("mend.swarm2", 2) == (opened(state).swarm, state.delegations)


class TestReview:
    @pytest.mark.parametrize(
        ("autonomy", "review", "found"),
        [
            (Autonomy.FULL, None, DelegationStage.RUN),
            (Autonomy.BALANCED, None, DelegationStage.RUN),
            (Autonomy.CAUTIOUS, None, DelegationStage.PERSON),
            (Autonomy.MANUAL, None, DelegationStage.PERSON),
            (Autonomy.FULL, "human", DelegationStage.PERSON),
            (Autonomy.FULL, "critic", DelegationStage.CRITIC),
            (Autonomy.BALANCED, "auto", DelegationStage.RUN),
        ],
    )
    def test_who_reviews_is_the_tasks_word_or_follows_from_its_autonomy(
        self, autonomy: Autonomy, review: str | None, found: DelegationStage
    ) -> None:
        state = lead(autonomy=autonomy, swarm_rules=SwarmRules.model_validate({"review": review}))
        assert found is stage(loop.after_plan(delegated(state), PLAN))

    def test_the_question_names_goal_items_budget_and_hash_and_shows_the_plan(self) -> None:
        state = asked(with_review("human", tokens=1_000, usd=2.0))
        assert state.ask is not None
        for piece in ("Annotate all modules", "2 sub-agents", "950 tokens", "$1.90", "aa11"):
            assert piece in state.ask.question
        assert PLAN.shown == state.ask.evidence
        assert ["approve", "amend", "reject"] == [option.id for option in state.ask.options]
        assert (AskKind.SWARM, actions.Park()) == (state.ask.kind, loop.next_action(state))

    def test_a_resume_or_a_message_answers_it_not(self) -> None:
        assert AskKind.SWARM in asking.HOLDING
        assert asked() == loop.resume(asked())

    def test_what_is_approved_is_run(self) -> None:
        state = decide(asked(), "approve")
        assert actions.RunSwarm() == loop.next_action(state)
        assert ("aa11", "Ada") == (opened(state).approved_hash, opened(state).approved_by)
        assert "approved by Ada" in state.news[-1].text

    def test_only_the_approved_hash_is_ever_started(self) -> None:
        state = decide(asked(), "approve")
        assert "aa11" == swarm_requests.start(state, WORKSPACE).plan.hash
        other = opened(state).model_copy(update={"plan": AMENDED})
        with pytest.raises(AssertionError):
            swarm_requests.start(state.model_copy(update={"delegation": other}), WORKSPACE)

    def test_a_decision_against_it_is_the_result_with_the_persons_words(self) -> None:
        state = decide(asked(), "reject", "too many at once")
        assert is_asking_model(state)
        assert "too many at once" in (results(state)[0].text or "")

    def test_an_approval_needs_all_of_it_to_be_seen(self) -> None:
        assert reviews.APPROVE in reviews.APPROVING

    def test_an_amendment_is_made_and_the_difference_shown(self) -> None:
        state = decide(asked(), "amend", "strike two")
        assert actions.AmendPlan() == loop.next_action(state)
        request = swarm_requests.amendment(state, WORKSPACE)
        assert ("aa11", "strike two") == (request.plan_hash, request.text)
        first, state = asked().ask, loop.after_amendment(state, AMENDED)
        assert first is not None
        assert state.ask is not None
        assert first.id != state.ask.id
        assert (*AMENDED.changes, *AMENDED.shown) == state.ask.evidence
        assert "bb22" in state.ask.question
        assert "bb22" == opened(decide(state, "approve")).approved_hash

    def test_an_amendment_that_cannot_be_taken_loses_nothing(self) -> None:
        state = loop.after_amendment(decide(asked(), "amend", "strike three"), REFUSED)
        assert state.ask is not None
        assert "The change was not taken: items[1].depends_on" in state.ask.question
        assert REFUSED.refused in state.ask.evidence[0]
        assert "aa11" == opened(decide(state, "approve")).approved_hash

    def test_what_does_not_fit_a_question_is_pointed_to(self) -> None:
        long = PLAN.model_copy(update={"shown": tuple(f"piece {n}" for n in range(30)), "changes": ("diff",) * 5})
        state = loop.after_plan(delegated(with_review("human")), long)
        assert state.ask is not None
        assert reviews.EVIDENCE_LINES == len(state.ask.evidence)
        assert "longshift swarm mend --plan" in state.ask.evidence[-1]

    def test_a_word_on_another_question_changes_nothing(self) -> None:
        state = asked()
        assert state == loop.decided(state, Decision(ask_id="lead-9-swarm", option="approve"))


class TestCritic:
    def test_a_critic_that_accepts_lets_it_run_and_is_paid(self) -> None:
        state = loop.after_critic(loop.after_plan(delegated(with_review("critic")), PLAN), verdict(accepted=True))
        assert actions.RunSwarm() == loop.next_action(state)
        assert 0.5 == state.cost_usd

    def test_a_rejection_is_the_result_with_its_reasons(self) -> None:
        state = loop.after_critic(loop.after_plan(delegated(with_review("critic")), PLAN), verdict(accepted=False))
        assert "item two changes what one proves" in (results(state)[0].text or "")
        assert 1 == state.plan_rejections

    def test_after_two_rejections_in_a_row_a_person_is_asked(self) -> None:
        state = loop.after_plan(delegated(rejected_twice(with_review("critic"))), PLAN)
        assert state.ask is not None
        assert "rejected 2 plans" in state.ask.question

    def test_with_full_autonomy_the_third_plan_is_refused(self) -> None:
        state = loop.after_plan(delegated(rejected_twice(with_review("critic", Autonomy.FULL))), PLAN)
        assert "without sub-agents" in (results(state)[0].text or "")

    def test_an_accepted_plan_ends_the_row(self) -> None:
        first = loop.after_plan(delegated(with_review("critic")), PLAN)
        state = delegated(loop.after_critic(first, verdict(accepted=False)))
        state = loop.after_critic(loop.after_plan(state, PLAN), verdict(accepted=True))
        assert 0 == state.plan_rejections

    @pytest.mark.parametrize("outcome", [ModelOutcome.QUOTA, ModelOutcome.UNAVAILABLE])
    def test_a_provider_that_is_down_is_waited_for(self, outcome: ModelOutcome) -> None:
        planned = loop.after_plan(delegated(with_review("critic")), PLAN)
        state = loop.after_critic(planned, trouble(outcome))
        assert Phase.WAITING is state.phase
        assert actions.CriticisePlan() == loop.next_action(loop.resume(state))

    def test_time_that_is_up_ends_the_wait(self) -> None:
        planned = loop.after_plan(delegated(with_review("critic")), PLAN)
        state = loop.end(loop.after_critic(planned, trouble(ModelOutcome.QUOTA)), "time")
        assert [words.TIME_IS_UP] == [each.text for each in results(state)]
        assert Phase.HANDOFF is state.phase

    def test_a_critic_that_is_misconfigured_is_a_persons_to_mend(self) -> None:
        planned = loop.after_plan(delegated(with_review("critic")), PLAN)
        state = loop.after_critic(planned, trouble(ModelOutcome.MISCONFIGURED))
        assert Phase.PARKED is state.phase
        assert actions.CriticisePlan() == loop.next_action(loop.resume(state))


class TestTheSwarm:
    def test_its_result_is_the_calls_result(self) -> None:
        state = loop.after_swarm(running(), report(50))
        assert is_asking_model(state)
        assert (None, False) == (results(state)[0].text, results(state)[0].is_error)
        assert (None, True, (3,)) == (state.delegation, state.checkpoint_due, state.unsaved_steps)

    def test_its_end_is_told_to_people(self) -> None:
        assert "Swarm mend.swarm1 is over: 2 merged" == loop.after_swarm(running(), report()).news[-1].text

    def test_what_the_plan_showed_is_not_sent_along(self) -> None:
        start = swarm_requests.start(running(), WORKSPACE)
        assert ((), ()) == (start.plan.shown, start.plan.changes)
        assert (3, 0, 2) == (start.step, start.index, start.lead_steps)

    def test_the_tasks_width_goes_before_the_runners(self) -> None:
        rules = SwarmRules(width=7, attempts=3)
        start = swarm_requests.start(running(lead(swarm_rules=rules)), WORKSPACE)
        assert (7, 3) == (start.width, start.attempts)
        assert 64 == swarm_requests.start(running(), WORKSPACE).width

    def test_time_that_is_up_before_it_starts_keeps_it_from_starting(self) -> None:
        state = decide(loop.end(asked(), "time"), "approve")
        assert [words.TIME_IS_UP] == [each.text for each in results(state)]

    def test_a_cancel_closes_the_step_and_books_what_was_told(self) -> None:
        state = loop.cancelled(loop.swarm_told(running(), summary(1, 70)), "cancelled")
        assert (70, None) == (state.delegated.tokens, state.delegation)
        assert results(state)[0].is_error

    def test_a_rollback_while_a_person_is_asked_closes_the_step(self) -> None:
        state = loop.ask_rollback(asked(), Rollback(to_step=1))
        assert (None, None) == (state.ask, state.delegation)
        assert "mend.swarm2" == opened(delegated(state.model_copy(update={"rollback": None}))).swarm

    def test_a_word_for_an_unknown_item_is_told_to_people(self) -> None:
        state = running()
        assert state == delegating.heard_for_item(state, "one") == delegating.heard_for_item(state, "")
        assert "has no item of this name" in delegating.heard_for_item(state, "three").news[-1].text
        assert "no swarm is at work" in delegating.heard_for_item(lead(), "one").news[-1].text


class TestWhatTheSessionHears:
    def test_the_swarm_and_whether_it_is_at_work(self) -> None:
        state = loop.swarm_told(running(), summary(1, 70, counts={"running": 2}))
        status = standing.status(state)
        assert (True, "mend.swarm1", False) == (
            status.swarm_at_work,
            status.swarm and status.swarm.swarm,
            status.waiting,
        )
        assert not standing.status(loop.after_swarm(state, report())).swarm_at_work

    def test_a_part_that_waits_for_a_person_is_one_question(self) -> None:
        needs: dict[str, Any] = {"needs_person": True, "waiting_for": "1 waits: the key is not accepted"}
        one = standing.status(loop.swarm_told(running(), summary(1, counts={"running": 1, "waiting": 1}, **needs)))
        two = one.model_copy(update={"swarm": summary(2, counts={"waiting": 2}, **needs), "waiting": True})
        assert Attention(kind="configuration", text="1 waits: the key is not accepted", since_step=3) == one.attention
        assert reviews.is_asking(one)
        assert reviews.asks_the_same(one, two)
        assert not reviews.asks_the_same(one, standing.status(loop.swarm_told(running(), summary(3))))

    def test_a_swarm_of_which_everything_waits_holds_the_session(self) -> None:
        state = loop.swarm_told(running(), summary(1, counts={"waiting": 2, "merged": 1}, waiting_for="2 wait: quota"))
        status = standing.status(state)
        assert (True, "provider") == (status.waiting, status.attention and status.attention.kind)
        assert not reviews.is_asking(status)

    @pytest.mark.parametrize("others", [{"running": 1}, {"sealed": 1}, {}])
    def test_one_of_which_something_goes_on_does_not(self, others: dict[str, int]) -> None:
        counts = {"waiting": 2, **others} if others else {}
        assert not standing.status(loop.swarm_told(running(), summary(1, counts=counts))).waiting

    def test_words_become_seldom(self) -> None:
        day, now, count = 24 * 3_600.0, 0.0, 0
        while now < day:
            now, count = now + delegating.tell_after_seconds(now), count + 1
        assert count < 600


@given(st.lists(st.sampled_from(["plan", "refused", "approve", "amend", "reject", "not taken"]), max_size=12))
def test_whatever_is_said_a_swarm_starts_only_by_an_approved_plan(events: list[str]) -> None:
    state = delegated(with_review("human"))
    shown: PlanDigest | None = None
    for event in events:
        action = loop.next_action(state)
        if isinstance(action, actions.CallModel):
            state, shown = delegated(state), None
        elif action == actions.PlanSwarm() and event in ("plan", "refused"):
            shown = PLAN if event == "plan" else None
            state = loop.after_plan(state, shown or REFUSED)
        elif action == actions.AmendPlan():
            shown = AMENDED if event == "amend" else shown
            state = loop.after_amendment(state, AMENDED if event == "amend" else REFUSED)
        elif state.ask is not None and event in ("approve", "amend", "reject"):
            assert shown is not None
            assert shown.hash in state.ask.question
            state = decide(state, event, "words")
            assert (event == "approve") == (actions.RunSwarm() == loop.next_action(state))
        if loop.next_action(state) == actions.RunSwarm():
            assert shown is not None
            assert shown.hash == swarm_requests.start(state, WORKSPACE).plan.hash
            state = loop.after_swarm(state, report())
