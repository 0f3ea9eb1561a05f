"""An agent's budget in the loop: who is warned, when it holds and asks, and what a person's word changes."""

import pytest

from longshift.contracts.agent import AgentLimits, AgentOutcome, AgentState, Phase
from longshift.contracts.ledger import Allowance, Extension, OnLimit, Spend
from longshift.contracts.model import HandoffDigest, ModelDigest, ModelOutcome, Reserve, Usage
from longshift.contracts.reviews import Ask, AskKind, Decision
from longshift.contracts.rollback import Rollback
from longshift.contracts.session import TimeUsed
from longshift.contracts.stuck import StuckThresholds
from longshift.contracts.transcript import Note, Speaker
from longshift.policy import actions, budget, loop, raising, slots, standing, steps
from tests.policy.test_loop import START, after_answer, answered, call, done

RESERVE = Reserve(output_tokens=100, output_usd=0.1, prompt_usd_per_token=0.001)


def agent(**limits: object) -> AgentState:
    """One that keeps to `limits`, and has its own budget of the same."""
    own = Allowance.model_validate({name: limits.get(name) for name in ("tokens", "usd", "steps")})
    return START.model_copy(
        update={
            "version": steps.VERSION_WITH_PEOPLE,
            "has_checks": False,
            "limits": AgentLimits.model_validate({"own": own, "stuck": StuckThresholds(enabled=False), **limits}),
        }
    )


def stepped(state: AgentState, **digest: object) -> AgentState:
    """After one more step with a call; 100 tokens of context and a reservation of 100 tokens of output."""
    fields: dict[str, object] = {"usage": Usage(input_tokens=90, output_tokens=10), "reserve": RESERVE, **digest}
    return loop.after_tool(after_answer(state, answered(call(0), **fields)), done(0))


def asked(state: AgentState) -> Ask:
    assert state.ask is not None
    return state.ask


def decide(state: AgentState, option: str = "raise", text: str = "") -> AgentState:
    return loop.decided(state, Decision(ask_id=asked(state).id, option=option, text=text, by="Ada"))


def test_an_agent_whose_next_call_does_not_fit_holds_and_asks_instead_of_calling() -> None:
    state = stepped(agent(tokens=250))
    assert (Phase.PARKED, AskKind.BUDGET) == (state.phase, asked(state).kind)
    assert actions.Park() == loop.next_action(state)
    assert asked(state) == standing.status(state).ask
    assert ["raise", "end", "cancel"] == [option.id for option in asked(state).options]


def test_an_agent_whose_next_call_fits_goes_on() -> None:
    assert isinstance(loop.next_action(stepped(agent(tokens=400))), actions.CallModel)


def test_the_question_tells_what_was_spent_what_is_allowed_and_what_the_next_call_may_cost() -> None:
    state = stepped(agent(usd=0.5, tokens=10_000), cost_usd=0.4)
    evidence = "\n".join(asked(state).evidence)
    assert "$0.40 of $0.50 used; the next call may cost $0.2" in evidence
    assert "100 of 10,000 tokens used (90 in, 0 cached, 0 written to the cache, 10 out)" in evidence
    assert "p so far: $0.40, 100 tokens" in evidence


@pytest.mark.parametrize(
    ("limits", "word"), [({"tokens": 250}, "tokens"), ({"usd": 0.15}, "dollars"), ({"steps": 1}, "steps")]
)
def test_each_limit_holds(limits: dict[str, object], word: str) -> None:
    assert f"The budget of {word} does not cover" in asked(stepped(agent(**limits))).question


def test_a_raise_without_words_adds_half_of_the_tasks_own_budget() -> None:
    state = decide(stepped(agent(tokens=280)))
    assert (420, Phase.MODEL, None) == (state.limits.tokens, state.phase, state.ask)
    assert Extension(tokens=140) == standing.report(state).raised
    assert "Budget raised by Ada: +140 tokens" == state.news[-1].text


def test_a_raise_is_never_less_than_the_next_call_needs() -> None:
    state = decide(stepped(agent(tokens=110)))
    assert Phase.MODEL is state.phase


def test_a_raise_by_what_a_person_says() -> None:
    state = decide(stepped(agent(tokens=250, usd=9.0)), text="+2_000 tokens and 10 usd")
    assert (2_250, 19.0) == (state.limits.tokens, state.limits.usd)


@pytest.mark.parametrize(
    "text", ["more", "+0 usd", "-5 usd", "+5 apples", "+10 steps", "$5 tokens", "1e9 usd", "99999999999 usd"]
)
def test_nonsense_is_refused_with_words_and_asked_again(text: str) -> None:
    before = stepped(agent(tokens=250, usd=9.0))
    state = decide(before, text=text)
    assert Phase.PARKED is state.phase
    assert asked(state).id != asked(before).id
    assert asked(state).question.startswith("The budget was not raised: ")
    assert before.limits == state.limits


def test_a_raise_that_is_not_enough_is_asked_again() -> None:
    state = decide(stepped(agent(tokens=250)), text="+1 token")
    assert (Phase.PARKED, 251) == (state.phase, state.limits.tokens)


def test_the_end_writes_a_hand_off_note_and_expires() -> None:
    state = decide(stepped(agent(tokens=250)), "end")
    assert actions.Seal is type(loop.next_action(state))
    state = loop.after_seal(state)
    assert actions.WriteHandoff() == loop.next_action(state)
    state = loop.after_handoff(state, HandoffDigest(outcome=ModelOutcome.ANSWERED, note="n"))
    assert AgentOutcome.EXPIRED is state.outcome


def test_a_task_that_wants_no_questions_hands_off_and_expires() -> None:
    state = stepped(agent(tokens=250, on_limit=OnLimit.STOP))
    assert (Phase.HANDOFF, None) == (state.phase, state.ask)
    assert "budget.tokens: 100 of 250 tokens used" in state.ending


def test_neither_a_message_nor_a_resume_ends_the_question() -> None:
    state = stepped(agent(tokens=250))
    told = loop.resume(loop.take_note(state, Note(speaker=Speaker.PERSON, text="go on")))
    assert Phase.PARKED is told.phase


def test_an_extension_reaches_an_agent_that_holds_and_one_that_does_not() -> None:
    held = loop.extended(stepped(agent(tokens=250)), Extension(tokens=500))
    assert (Phase.MODEL, None, 750) == (held.phase, held.ask, held.limits.tokens)
    assert Phase.PARKED is loop.extended(stepped(agent(tokens=250)), Extension(tokens=1)).phase
    assert 900 == loop.extended(agent(tokens=400), Extension(tokens=500)).limits.tokens


def test_an_extension_is_the_sessions_and_not_counted_as_an_agents_raise() -> None:
    assert Extension() == loop.extended(agent(tokens=400), Extension(tokens=500)).raised


def test_agent_and_people_are_told_once_when_a_limit_is_nearly_used_up() -> None:
    state = stepped(agent(tokens=1_200, warn_at_share=0.2))
    assert () == state.warned
    state = stepped(stepped(state))
    assert ("tokens",) == state.warned
    assert ["Budget: 25% of the tokens are used"] == [": ".join(line.text.split(": ")[:2]) for line in state.news]
    assert ["25% of the tokens are used"] == [note.text.partition(":")[0] for note in state.notes]
    assert 1 == len(stepped(state).news)


def test_what_was_raised_is_warned_of_again() -> None:
    state = stepped(stepped(agent(tokens=1_000, warn_at_share=0.2)))
    assert ("tokens",) == state.warned
    assert () == loop.extended(state, Extension(tokens=5_000)).warned


def test_active_time_is_warned_of_when_the_session_says_so() -> None:
    state = loop.warn_of_time(agent(), TimeUsed(used_seconds=36_000, limit_seconds=43_200))
    assert "83% of the active time is used: 10.0 of 12.0 hours" in state.notes[0].text
    assert "Budget: 83%" in state.news[0].text


def test_a_budget_covers_what_earlier_agents_of_the_session_spent() -> None:
    earlier = Spend(usage=Usage(input_tokens=800), usd=1.0, steps=7)
    state = stepped(agent(tokens=1_000).model_copy(update={"earlier": earlier}))
    assert "900 of 1,000 tokens used" in asked(state).evidence[0]


def test_what_a_failed_call_cost_is_charged_and_told_apart() -> None:
    lost = Usage(input_tokens=500, output_tokens=100)
    state = after_answer(
        agent(), ModelDigest(outcome=ModelOutcome.UNAVAILABLE, usage=lost, cost_usd=0.7, unknown=lost, unknown_usd=0.7)
    )
    assert (600, 0.7) == (state.usage.total_tokens, state.cost_usd)
    assert Spend(usage=lost, usd=0.7) == standing.status(state).unknown == standing.report(state).unknown


def test_bookings_alone_can_use_a_budget_up() -> None:
    lost = Usage(input_tokens=500)
    state = after_answer(agent(tokens=400), ModelDigest(outcome=ModelOutcome.UNAVAILABLE, usage=lost, unknown=lost))
    assert Phase.PARKED is loop.resume(state).phase
    assert "500 booked for calls of unknown outcome" in asked(loop.resume(state)).evidence[0]


def test_the_first_call_is_let_through_while_anything_is_left() -> None:
    assert () == budget.shortage(agent(tokens=1))
    assert Phase.PARKED is steps.ended_or(agent(tokens=0)).phase


def test_a_rollback_goes_before_the_question_which_comes_after_it() -> None:
    state = loop.ask_rollback(stepped(agent(tokens=250)), Rollback(to_step=0))
    assert (Phase.MODEL, None) == (state.phase, state.ask)


def test_the_end_of_time_ends_the_question() -> None:
    state = loop.end(stepped(agent(tokens=250)), "time")
    assert (Phase.HANDOFF, None) == (state.phase, state.ask)


def test_an_agent_of_an_earlier_release_ends_as_it_did() -> None:
    state = stepped(agent(tokens=100).model_copy(update={"version": 2}))
    assert (Phase.HANDOFF, None) == (state.phase, state.ask)
    assert Phase.MODEL is stepped(agent(tokens=250).model_copy(update={"version": 2})).phase


def test_an_agent_holds_for_the_fleet_between_two_steps() -> None:
    state = stepped(agent()).model_copy(update={"fleet_held": True})
    assert loop.is_held(state)
    assert loop.must_seal(state)


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("+10 usd", Extension(usd=10.0)),
        ("$2.50", Extension(usd=2.5)),
        ("10 Dollars", Extension(usd=10.0)),
        ("2M tokens, +500 steps", Extension(tokens=2_000_000, steps=500)),
        ("+2,000,000 tokens; 5$", Extension(tokens=2_000_000, usd=5.0)),
        ("100k tokens\n+1 step", Extension(tokens=100_000, steps=1)),
    ],
)
def test_amounts_are_read_as_people_write_them(text: str, more: Extension) -> None:
    assert more == raising.more_of(text, Allowance(tokens=1, usd=1.0, steps=1))


def test_a_call_that_is_cancelled_while_it_is_out_is_booked() -> None:
    state = stepped(agent())
    gone = loop.cancelled(state, "wrong task", is_asking=True)
    assert (200, 200) == (gone.usage.total_tokens - state.usage.total_tokens, gone.unknown.tokens)
    assert state.usage == loop.cancelled(state, "wrong task").usage


def test_an_agent_that_holds_for_its_budget_gives_its_slot_back_after_the_grace_for_a_person() -> None:
    status = standing.status(stepped(agent(tokens=250)), idle=True)
    assert slots.PERSON_GRACE_SECONDS == slots.gives_back_after(status, paused=False)
