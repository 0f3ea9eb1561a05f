"""Undoing steps: when it comes, what is refused, what the agent is and hears afterwards."""

import pytest

from longshift.contracts.agent import AgentState, Phase, Recall
from longshift.contracts.attention import Attention
from longshift.contracts.checks import ChecksDigest
from longshift.contracts.model import CallDigest, ModelDigest, ModelOutcome, ToolClass
from longshift.contracts.rollback import ConversationRolledBack, FilesRolledBack, Rollback, StepsFound
from longshift.contracts.session import STEER_MAX_CHARACTERS, SessionState, SessionStatus
from longshift.contracts.slots import SlotGranted
from longshift.contracts.tools import PlanItem, ToolDigest, ToolStatus
from longshift.contracts.transcript import Note, SealInput, Speaker
from longshift.contracts.workspace import CheckpointDigest, Restoration, Workspace
from longshift.policy import actions, describe, handover, loop, notes, recall, rollback, steps
from longshift.policy.session import refuse_rollback

WORKSPACE = Workspace(workspace_id="t", host_id="h", host_queue="q", root="/w")
WISH = Rollback(to_step=3, reason="use the other parser", request_id="r1")
CHECKPOINT = CheckpointDigest(step=7, tree_hash="t3", commit="c", archived=True, back_to_step=3)
FILES = FilesRolledBack(checkpoint=CHECKPOINT, recorded_step=3)
DONE = ConversationRolledBack(
    epoch=4, first_step=1, context_tokens=500, context_bytes=1_500, plan=(PlanItem(title="as it was"),)
)


def agent(**fields: object) -> AgentState:
    """An agent that has made 7 steps."""
    given = {"agent": "t/lead", "task_id": "t", "profile": "p", "workspace": WORKSPACE, "step": 8, "epoch": 3}
    return AgentState.model_validate({**given, "window_tokens": 1_000, **fields})


def call(name: str = "bash") -> CallDigest:
    return CallDigest(index=0, call_id="c", name=name, tool_class=ToolClass.EFFECT, arguments_hash="0")


SEAL = SealInput(agent="t/lead", epoch=3, step=7)


@pytest.mark.parametrize("phase", [Phase.MODEL, Phase.COMPACT, Phase.HANDOFF])
@pytest.mark.parametrize("held", [{}, {"paused": True}, {"suspended": True}])
def test_between_two_steps_it_comes_before_anything_else(phase: Phase, held: dict[str, bool]) -> None:
    state = loop.ask_rollback(agent(phase=phase, unwritten_seal=SEAL, **held), WISH)
    assert not loop.is_held(state)
    assert actions.Seal(SEAL) == loop.next_action(state)
    assert actions.RollBack(WISH) == loop.next_action(loop.after_seal(state))


@pytest.mark.parametrize("phase", [Phase.TOOLS, Phase.CHECKS])
def test_a_running_step_is_finished_first(phase: Phase) -> None:
    state = agent(phase=phase, calls=(call("finish" if phase is Phase.CHECKS else "bash"),), has_checks=True)
    asked = loop.ask_rollback(state, WISH)
    assert loop.next_action(state) == loop.next_action(asked)


def test_it_comes_when_the_running_step_is_over() -> None:
    state = loop.ask_rollback(agent(phase=Phase.TOOLS, calls=(call(),)), WISH)
    state = loop.after_seal(loop.after_tool(state, ToolDigest(index=0, status=ToolStatus.OK)))
    assert (9, actions.RollBack(WISH)) == (state.step, loop.next_action(state))


def test_a_finish_that_is_to_be_undone_is_not_taken() -> None:
    state = loop.ask_rollback(agent(phase=Phase.CHECKS, calls=(call("finish"),), has_checks=True), WISH)
    state = loop.after_checks(state, ChecksDigest(passed=True, results=()))
    assert Phase.MODEL is state.phase
    assert actions.RollBack(WISH) == loop.next_action(loop.after_seal(state))


@pytest.mark.parametrize("phase", [Phase.PARKED, Phase.WAITING])
def test_who_waits_does_it_at_once(phase: Phase) -> None:
    waiting = agent(phase=phase, attention=Attention(kind="provider", text="down"))
    state = loop.ask_rollback(waiting, WISH)
    assert (actions.RollBack(WISH), None) == (loop.next_action(state), state.attention)


def test_a_step_that_waits_for_a_person_is_closed_as_it_stands() -> None:
    parked = steps.park(agent(phase=Phase.TOOLS, calls=(call(),)), "host", "disk full")
    state = loop.ask_rollback(parked, WISH)
    assert state.unwritten_seal is not None
    assert [notes.NOT_RUN] == [line.text for line in state.unwritten_seal.results]
    assert actions.RollBack(WISH) == loop.next_action(loop.after_seal(state))
    same = steps.park(loop.ask_rollback(agent(phase=Phase.TOOLS, calls=(call(),)), WISH), "host", "disk full")
    assert state == same


@pytest.mark.parametrize("outcome", [ModelOutcome.UNAVAILABLE, ModelOutcome.MISCONFIGURED, ModelOutcome.REFUSED])
def test_a_provider_that_fails_meanwhile_does_not_hold_it_up(outcome: ModelOutcome) -> None:
    state = loop.after_model(loop.ask_rollback(agent(), WISH), ModelDigest(outcome=outcome))
    assert actions.RollBack(WISH) == loop.next_action(state)


def test_a_rollback_that_fails_waits_for_a_person_and_is_tried_again() -> None:
    state = steps.park(loop.ask_rollback(agent(), WISH), "host", "disk full")
    assert actions.Park() == loop.next_action(state)
    assert actions.RollBack(WISH) == loop.next_action(loop.resume(state))
    other = Rollback(to_step=1)
    assert actions.RollBack(other) == loop.next_action(loop.ask_rollback(state, other))


def test_the_last_wish_counts_also_when_it_comes_while_one_is_done() -> None:
    state = loop.ask_rollback(loop.ask_rollback(agent(), Rollback(to_step=5)), WISH)
    assert actions.RollBack(WISH) == loop.next_action(state)
    other = Rollback(to_step=1)
    state = loop.after_rollback(loop.ask_rollback(state, other), WISH, FILES, DONE)
    assert actions.RollBack(other) == loop.next_action(state)


def test_an_agent_that_has_ended_undoes_nothing() -> None:
    assert agent(phase=Phase.ENDED) == loop.ask_rollback(agent(phase=Phase.ENDED), WISH)


def rolled_back(state: AgentState, wish: Rollback = WISH, **done: object) -> AgentState:
    return loop.after_rollback(loop.ask_rollback(state, wish), wish, FILES, DONE.model_copy(update=done))


def test_the_agent_goes_on_in_a_new_epoch_and_counts_on() -> None:
    state = rolled_back(
        agent(
            plan=(PlanItem(title="of later"),),
            checks=ChecksDigest(passed=True, results=()),
            context_tokens=900,
            idle_answers=2,
            cleared_step=6,
            cost_usd=1.5,
            compactions=2,
        )
    )
    assert (8, 4, 1, 500, 500, 1_500) == (
        state.step,
        state.epoch,
        state.epoch_first_step,
        state.context_tokens,
        state.estimated_tokens,
        state.context_bytes,
    )
    assert (None, DONE.plan, None, 0, 0) == (
        state.rollback,
        state.plan,
        state.checks,
        state.idle_answers,
        state.cleared_step,
    )
    assert (1.5, 2, 1, "to step 3, after step 7, by a person") == (
        state.cost_usd,
        state.compactions,
        state.rollbacks,
        state.last_rollback,
    )
    assert isinstance(loop.next_action(state), actions.CallModel)


def test_a_context_that_is_nearly_full_again_is_compacted_first_and_one_that_cannot_be_is_not() -> None:
    assert Phase.COMPACT is rolled_back(agent(), context_tokens=990).phase
    assert Phase.MODEL is rolled_back(agent(), context_tokens=990, first_step=8).phase


def test_an_overflow_right_afterwards_is_cured_by_a_compaction() -> None:
    state = loop.after_model(rolled_back(agent()), ModelDigest(outcome=ModelOutcome.OVERFLOW))
    assert Phase.COMPACT is state.phase


def test_an_agent_whose_time_is_up_writes_its_note_on_what_is_left() -> None:
    state = loop.ask_rollback(loop.end(agent(), "time"), WISH)
    assert actions.RollBack(WISH) == loop.next_action(state)
    assert actions.WriteHandoff() == loop.next_action(loop.after_rollback(state, WISH, FILES, DONE))


def test_a_pause_holds_afterwards() -> None:
    assert loop.is_held(rolled_back(agent(paused=True)))


def test_the_model_hears_what_is_undone_by_whom_and_what_the_person_says() -> None:
    state = rolled_back(agent(notes=(Note(speaker=Speaker.PERSON, text="hurry"),)))
    told, reason, earlier = state.notes
    assert (Speaker.RUNNER, Speaker.PERSON, "use the other parser", "r1", "hurry") == (
        told.speaker,
        reason.speaker,
        reason.text,
        reason.message_id,
        earlier.text,
    )
    assert "A person rolled this session back to the state after step 3: steps 4 to 7 are undone." in told.text
    assert "files at /w are those after step 3 again." in told.text
    assert "Background jobs were ended" in told.text
    assert "the next one is step 8" in told.text


def test_the_runners_own_reason_stands_in_its_own_note() -> None:
    state = rolled_back(agent(), Rollback(to_step=0, by=Speaker.RUNNER, reason="the tree got worse"))
    (told,) = state.notes
    assert "The runner rolled this session back to its beginning: steps 1 to 7 are undone." in told.text
    assert "files at /w are as they were at the beginning again." in told.text
    assert "The reason: the tree got worse" in told.text


def test_files_that_were_recorded_earlier_are_said_to_be() -> None:
    files = FILES.model_copy(update={"recorded_step": 2, "remarks": ("A checkpoint was damaged.",)})
    state = loop.after_rollback(loop.ask_rollback(agent(), WISH), WISH, files, DONE)
    assert "after step 3 again (recorded after step 2)." in state.notes[0].text
    assert "A checkpoint was damaged." in state.notes[0].text


def test_what_people_said_in_undone_steps_is_said_again() -> None:
    said = Note(speaker=Speaker.PERSON, text="use tabs", message_id="s1")
    state = rolled_back(agent(), people=(said,))
    assert ["use tabs", "use the other parser"] == [note.text for note in state.notes[1:]]
    assert "it still holds" in state.notes[0].text


def test_the_word_on_the_files_comes_after_older_ones() -> None:
    moved = Note(speaker=Speaker.RUNNER, text="moved", message_id=f"{notes.MOVED} 2")
    hurry = Note(speaker=Speaker.PERSON, text="hurry")
    state = rolled_back(agent(notes=(hurry, moved)), Rollback(to_step=3))
    assert ["moved", state.notes[1].text, "hurry"] == [note.text for note in state.notes]
    assert state.notes[1].text.startswith("A person rolled")


def test_a_host_that_takes_over_afterwards_has_the_files_of_the_step_gone_back_to() -> None:
    state = loop.after_checkpoint(agent(unsaved_steps=(6, 7)), CHECKPOINT)
    restoration = Restoration(step=7, from_generation=1, tree_hash="t3")
    workspace = WORKSPACE.model_copy(update={"generation": 2, "life": 2, "restoration": restoration})
    state = loop.slot_granted(state, SlotGranted(generation=2, workspace=workspace))
    assert "Its files are those after step 3." in state.notes[0].text
    assert "No change of yours is missing." in state.notes[0].text


def test_what_was_read_in_undone_steps_is_no_evidence() -> None:
    known = Recall(recent_steps=(3, 6), known_reads=("a",), reads=("b",), reads_since=4, repeated_since=2)
    assert Recall(recent_steps=(3, 6), known_reads=("a",)) == recall.after_rollback(known, 6)
    assert Recall(recent_steps=(3,)) == recall.after_rollback(known, 5)


def test_what_was_to_be_handed_over_to_another_profile_is_so_by_the_rollback() -> None:
    state = handover.to_next_profile(agent(fallback=("other",)), "down")
    assert Phase.COMPACT is state.phase
    after = rolled_back(state)
    assert ("", Phase.MODEL) == (after.epoch_profile, after.phase)


@pytest.mark.parametrize(
    ("found", "to_step", "refusal"),
    [
        (StepsFound(last=7, tip=7), 6, ""),
        (StepsFound(last=7, tip=7), 0, ""),
        (StepsFound(last=7, tip=7), 7, "to_step: nothing to undo, as step 7 is the last one; choose an earlier step"),
        (StepsFound(last=7, tip=7), 8, "to_step: there is no step 8 yet; steps 0 (the beginning) to 7 are there"),
        (StepsFound(last=7, tip=3), 7, ""),
        (StepsFound(last=7, tip=3), 3, "to_step: nothing to undo, as step 3 is the last one; choose an earlier step"),
        (StepsFound(first=6, last=7, tip=7), 5, ""),
        (
            StepsFound(first=6, last=7, tip=7),
            4,
            "to_step: step 4 is another session's; this one begins after step 5, or choose a later",
        ),
        (StepsFound(), 1, "to_step: there is no step 1 yet; no step has been made yet"),
        (StepsFound(), 0, "to_step: nothing to undo, as step 0 is the last one; choose an earlier step"),
    ],
)
def test_a_refusal_names_the_field_and_the_remedy(found: StepsFound, to_step: int, refusal: str) -> None:
    assert refusal == rollback.refusal(found, to_step)


def session(state: SessionState) -> SessionStatus:
    return SessionStatus(task_id="t", title="T", state=state, profile="p")


@pytest.mark.parametrize(
    ("state", "wish", "has_agent", "refusal"),
    [
        (SessionState.RUNNING, WISH, True, ""),
        (SessionState.PAUSED, WISH, True, ""),
        (SessionState.WAITING, WISH, True, ""),
        (SessionState.QUEUED, WISH, False, "no agent is at work"),
        (SessionState.DONE, WISH, True, "cannot roll back: the session is done"),
        (SessionState.DELIVERING, WISH, True, "cannot roll back: the session is delivering"),
        (SessionState.RUNNING, Rollback(to_step=-1), True, "to_step: -1 is below 0"),
        (SessionState.RUNNING, Rollback(to_step=0, reason="x" * (STEER_MAX_CHARACTERS + 1)), True, "reason: 20001"),
    ],
)
def test_what_a_session_refuses(state: SessionState, wish: Rollback, has_agent: bool, refusal: str) -> None:
    assert refusal in refuse_rollback(session(state), wish, has_agent, 0)
    assert bool(refusal) == bool(refuse_rollback(session(state), wish, has_agent, 0))


NAMES = [
    "step 9 of t/lead",
    "step 7 of t/lead: back to step 3",
    "step 7 of t/lead",
    "checkpoint",
    "step 3",
    "step 2",
    "base",
]


@pytest.mark.parametrize(
    ("to_step", "found"),
    [(9, (0, 9)), (8, (1, 7)), (7, (2, 7)), (6, (4, 3)), (3, (4, 3)), (2, (5, 2)), (1, None)],
)
def test_the_newest_checkpoint_of_a_step_is_not_the_rollback_after_it(
    to_step: int, found: tuple[int, int] | None
) -> None:
    assert found == rollback.newest_of(NAMES, "t/lead", to_step)


def test_of_two_rollbacks_after_one_step_the_later_one_counts() -> None:
    names = ["step 7: back to step 5", "step 7: back to step 3", "step 7"]
    assert (0, 7) == rollback.newest_of(names, "t/lead", 8)


def test_before_the_first_step_of_an_agent_the_files_are_those_that_another_one_left() -> None:
    names = ["step 2 of t/lead-2", "step 9 of t/lead", "step 1 of t/lead"]
    assert (1, 0) == rollback.newest_of(names, "t/lead-2", 1)
    assert (0, 2) == rollback.newest_of(names, "t/lead-2", 5)


@pytest.mark.parametrize("back_to_step", [None, 3])
def test_a_checkpoint_is_found_by_the_name_that_it_was_given(back_to_step: int | None) -> None:
    name = rollback.checkpoint_name(7, "t/lead-2", back_to_step)
    assert (0, 7) == rollback.newest_of([name], "t/lead-2", 8)
    assert (None if back_to_step else (0, 7)) == rollback.newest_of([name], "t/lead-2", 7)


def test_people_see_what_comes_next() -> None:
    state = loop.ask_rollback(agent(), WISH)
    assert "roll back to step 3" == describe.next_action(state)
    assert "wait for a slot" == describe.next_action(state.model_copy(update={"has_slot": False}))
