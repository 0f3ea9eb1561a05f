"""What waits for a person before it runs, by the task's autonomy, and what becomes of it then."""

import pytest

from longshift.contracts.agent import AgentState, Phase
from longshift.contracts.model import CallDigest, ModelDigest, ModelOutcome, ToolClass
from longshift.contracts.reviews import AskKind, Autonomy, Decision, Risk
from longshift.contracts.rollback import Rollback
from longshift.contracts.tools import TOOL_CLASSES, PlanItem, PlanItemStatus, ToolDigest, ToolStatus
from longshift.contracts.transcript import SealInput, Speaker
from longshift.contracts.workspace import Workspace
from longshift.policy import actions, describe, loop, notes, reviews, steps
from longshift.policy.asking import needs_approval

WORKSPACE = Workspace(workspace_id="t", host_id="h", host_queue="q", root="/w")
PLAN = (PlanItem(title="One"), PlanItem(title="Two"))


def start(autonomy: Autonomy) -> AgentState:
    return AgentState(
        version=steps.VERSION_WITH_PEOPLE,
        agent="t/lead",
        task_id="t",
        profile="p",
        workspace=WORKSPACE,
        autonomy=autonomy,
    )


def call(index: int, name: str, risk: Risk = Risk.LOW, autonomy: Autonomy = Autonomy.BALANCED) -> CallDigest:
    needed = needs_approval(autonomy, name, TOOL_CLASSES[name], risk)
    return CallDigest(
        index=index,
        call_id=f"c{index}",
        name=name,
        tool_class=TOOL_CLASSES[name],
        arguments_hash=f"{index:016d}",
        risk=risk,
        risk_reason="publishes commits" if risk is not Risk.LOW else "",
        needs_approval=needed,
        shown="git push" if needed else "Which port?" if name == "ask_human" else "",
        choices=("8080", "9090") if name == "ask_human" else (),
    )


def answer(state: AgentState, *calls: CallDigest) -> AgentState:
    asked = loop.next_action(state)
    assert isinstance(asked, actions.CallModel), asked
    digest = ModelDigest(
        outcome=ModelOutcome.ANSWERED,
        calls=calls,
        context_tokens=100,
        window_tokens=1_000_000,
        delivered_notes=len(asked.notes),
    )
    return loop.after_model(state, digest)


def done(index: int, plan: tuple[PlanItem, ...] | None = None) -> ToolDigest:
    return ToolDigest(index=index, status=ToolStatus.OK, result_hash=f"{index}", plan=plan)


def decide(state: AgentState, option: str, text: str = "") -> AgentState:
    assert state.ask is not None
    return loop.decided(state, Decision(ask_id=state.ask.id, option=option, text=text, by="Ada"))


def sealed(state: AgentState) -> SealInput:
    assert state.unwritten_seal is not None
    return state.unwritten_seal


@pytest.mark.parametrize(
    ("autonomy", "waiting"),
    [
        (Autonomy.FULL, set[str]()),
        (Autonomy.BALANCED, {"high", "unknown"}),
        (Autonomy.CAUTIOUS, {"high", "unknown", "medium"}),
        (Autonomy.MANUAL, {"high", "unknown", "medium", "low"}),
    ],
)
def test_which_commands_wait_for_a_person(autonomy: Autonomy, waiting: set[str]) -> None:
    found = {risk.value for risk in Risk if needs_approval(autonomy, "bash", ToolClass.EFFECT, risk)}
    assert waiting == found
    assert not any(needs_approval(autonomy, name, TOOL_CLASSES[name], Risk.LOW) for name in ("read_file", "finish"))


def test_an_approved_call_runs_and_a_rejected_one_tells_the_model_why() -> None:
    asked = answer(start(Autonomy.BALANCED), call(0, "read_file"), call(1, "bash", Risk.HIGH))
    assert (Phase.PARKED, AskKind.RISK) == (asked.phase, asked.ask and asked.ask.kind)
    assert asked.ask is not None
    assert "git push" in asked.ask.evidence[0]
    assert "publishes commits" in asked.ask.evidence[0]
    approved = decide(asked, "approve")
    assert isinstance(ran := loop.next_action(approved), actions.RunTools)
    assert [0, 1] == [each.index for batch in ran.batches for each in batch]
    rejected = decide(asked, "reject", "not on a Friday")
    assert isinstance(ran := loop.next_action(rejected), actions.RunTools)
    assert [0] == [each.index for batch in ran.batches for each in batch]
    results = sealed(loop.after_tool(rejected, done(0))).results
    assert (None, False) == (results[0].text, results[0].is_error)
    assert results[1].is_error
    assert "not on a Friday" in (results[1].text or "")


def test_calls_beyond_what_one_question_shows_are_asked_about_next() -> None:
    asked = answer(start(Autonomy.BALANCED), *(call(index, "bash", Risk.HIGH) for index in range(25)))
    assert asked.ask is not None
    assert ("May these 20 calls run?", 20) == (asked.ask.question, len(asked.ask.evidence))
    again = decide(asked, "approve")
    assert again.ask is not None
    assert ("May these 5 calls run?", 5) == (again.ask.question, len(again.ask.evidence))
    assert isinstance(ran := loop.next_action(decide(again, "reject")), actions.RunTools)
    assert list(range(20)) == [each.index for batch in ran.batches for each in batch]


def test_a_long_command_is_shown_whole_and_what_has_no_room_beside_it_is_asked_about_next() -> None:
    long = "".join(f"echo {number} {'x' * 990}\n" for number in range(22))
    calls = [call(index, "bash", Risk.HIGH).model_copy(update={"shown": long}) for index in range(2)]
    asked = answer(start(Autonomy.BALANCED), *calls)
    assert asked.ask is not None
    shown = reviews.bounded(asked.ask).evidence
    assert f"bash (high risk: publishes commits):\n{long}".strip() == "\n".join(shown)
    assert "May this call run?" == asked.ask.question
    assert (again := decide(asked, "approve").ask) is not None
    assert "".join(again.evidence) == "".join(shown)


def test_a_long_plan_is_shown_whole() -> None:
    plan = tuple(PlanItem(title=f"{number} " + "x" * 190) for number in range(50))
    asked = loop.after_tool(answer(start(Autonomy.CAUTIOUS), call(0, "update_plan")), done(0, plan))
    assert asked.ask is not None
    shown = reviews.bounded(asked.ask).evidence
    assert describe.plan_text(plan) == "\n".join(shown)


def test_neither_a_message_nor_a_resume_lets_a_call_of_high_risk_run() -> None:
    asked = answer(start(Autonomy.BALANCED), call(0, "bash", Risk.HIGH))
    assert asked == loop.resume(asked)


def test_a_question_is_answered_by_a_choice_or_in_words_after_all_other_calls_have_run() -> None:
    state = answer(start(Autonomy.BALANCED), call(0, "ask_human"), call(1, "read_file"))
    assert Phase.TOOLS is state.phase
    asked = loop.after_tool(state, done(1))
    assert asked.ask is not None
    assert (AskKind.QUESTION, "Which port?", ("8080", "9090")) == (
        asked.ask.kind,
        asked.ask.question,
        tuple(option.label for option in asked.ask.options if option.id.startswith("choice-")),
    )
    assert "9090" == sealed(decide(asked, "choice-2")).results[0].text
    assert "Any but 80." == sealed(decide(asked, "reply", "Any but 80.")).results[0].text
    assert not sealed(decide(asked, "choice-1")).results[0].is_error


def test_a_question_that_somebody_passed_over_says_so_to_the_model() -> None:
    asked = answer(start(Autonomy.BALANCED), call(0, "ask_human"))
    assert notes.NOT_ANSWERED == sealed(loop.resume(asked)).results[0].text


def test_two_questions_in_one_answer_are_asked_one_after_the_other() -> None:
    asked = answer(start(Autonomy.BALANCED), call(0, "ask_human"), call(1, "ask_human"))
    again = decide(asked, "choice-1")
    assert asked.ask is not None
    assert again.ask is not None
    assert asked.ask.id != again.ask.id
    results = sealed(decide(again, "choice-2")).results
    assert ["8080", "9090"] == [result.text for result in results]


def test_with_full_autonomy_nobody_is_asked() -> None:
    state = answer(start(Autonomy.FULL), call(0, "ask_human"))
    assert (Phase.MODEL, None) == (state.phase, state.ask)
    assert notes.NOBODY_IS_ASKED == sealed(state).results[0].text


@pytest.mark.parametrize("autonomy", [Autonomy.CAUTIOUS, Autonomy.MANUAL])
def test_nothing_is_changed_before_the_plan_is_approved(autonomy: Autonomy) -> None:
    state = answer(start(autonomy), call(0, "write_file"), call(1, "read_file"))
    assert isinstance(ran := loop.next_action(state), actions.RunTools)
    assert [1] == [each.index for batch in ran.batches for each in batch]
    closed = loop.after_tool(state, done(1))
    assert notes.NEEDS_PLAN == sealed(closed).results[0].text
    planned = loop.after_tool(answer(closed, call(0, "update_plan")), done(0, PLAN))
    assert planned.ask is not None
    assert AskKind.PLAN is planned.ask.kind
    assert "- [ ] One" in planned.ask.evidence[0]
    approved = decide(planned, "approve", "Mind the tests.")
    assert Speaker.PERSON is approved.notes[-1].speaker
    assert "Mind the tests." in approved.notes[-1].text
    assert isinstance(loop.next_action(answer(approved, call(0, "write_file"))), actions.RunTools)


def test_a_rejected_plan_has_to_be_changed_before_anything_runs() -> None:
    state = answer(start(Autonomy.CAUTIOUS), call(0, "update_plan"))
    rejected = decide(loop.after_tool(state, done(0, PLAN)), "reject", "No restarts.")
    assert (Phase.MODEL, "") == (rejected.phase, rejected.approved_plan)
    assert "No restarts." in rejected.notes[-1].text
    closed = answer(rejected, call(0, "bash"))
    assert notes.NEEDS_PLAN == sealed(closed).results[0].text
    assert loop.after_tool(answer(closed, call(0, "update_plan")), done(0, PLAN)).ask is not None


@pytest.mark.parametrize(("autonomy", "asks_again"), [(Autonomy.CAUTIOUS, False), (Autonomy.MANUAL, True)])
def test_a_changed_plan_waits_again_only_where_every_change_does(autonomy: Autonomy, asks_again: bool) -> None:
    state = loop.after_tool(answer(start(autonomy), call(0, "update_plan")), done(0, PLAN))
    approved = decide(state, "approve")
    ticked = tuple(item.model_copy(update={"status": PlanItemStatus.DONE}) for item in PLAN)
    going_on = loop.after_tool(answer(approved, call(0, "update_plan")), done(0, ticked))
    assert going_on.ask is None
    changed = loop.after_tool(answer(going_on, call(0, "update_plan")), done(0, (*ticked, PlanItem(title="Three"))))
    assert asks_again is (changed.ask is not None)


def test_a_rollback_that_is_wanted_comes_before_a_question() -> None:
    asked = answer(start(Autonomy.BALANCED), call(0, "bash", Risk.HIGH))
    undone = loop.ask_rollback(asked, Rollback(to_step=0))
    assert (None, Phase.MODEL) == (undone.ask, undone.phase)
    assert [notes.NOT_RUN] == [result.text for result in sealed(undone).results]


def test_the_end_is_written_although_a_step_stands_open() -> None:
    asked = answer(start(Autonomy.BALANCED), call(0, "bash", Risk.HIGH))
    ended = decide(asked, "end")
    assert [notes.NOT_RUN] == [result.text for result in sealed(ended).results]
    assert isinstance(loop.next_action(ended), actions.Seal)
    assert isinstance(loop.next_action(loop.after_seal(ended)), actions.WriteHandoff)
