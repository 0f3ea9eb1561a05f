"""What goes on from another session: what is missing of its files, what it costs, and when it has to make room."""

import pytest

from longshift.contracts import ids
from longshift.contracts.agent import AgentLimits, AgentState, Phase
from longshift.contracts.model import ModelDigest, ModelOutcome
from longshift.contracts.slots import SlotGranted
from longshift.contracts.task import StartFrom, TaskSpec
from longshift.contracts.tools import PlanItem, PlanItemStatus
from longshift.contracts.workspace import Restoration, Workspace
from longshift.policy import context, describe, loop, standing, starting
from longshift.policy.checks import measures_alike
from longshift.policy.record_note import record_note
from longshift.policy.starting import Worked
from longshift.policy.task_identity import task_hash

ROOT = Workspace(workspace_id="t", host_id="h", host_queue="q", root="/w")
FORK = AgentState(
    agent="f/lead", task_id="f", profile="p", workspace=ROOT, first_step=13, step=13, epoch_first_step=13, version=2
)


def wrote(step: int) -> Worked:
    return Worked(step, wrote=True, ran=False)


def ran(step: int) -> Worked:
    return Worked(step, wrote=False, ran=True)


def read(step: int) -> Worked:
    return Worked(step, wrote=False, ran=False)


@pytest.mark.parametrize(
    ("steps", "saved", "is_settled", "missing"),
    [
        ([wrote(1), ran(2), read(3)], 2, True, ()),
        ([wrote(1), ran(2), read(3)], 1, True, ()),
        ([wrote(1), ran(2), wrote(3), read(4), ran(5)], 1, True, (3, 5)),
        ([wrote(1), ran(2)], 0, True, (1, 2)),
        ([wrote(1), ran(2)], 1, False, (2,)),
        ([wrote(1), ran(2), read(3)], 1, False, ()),
        ([], 0, False, ()),
    ],
)
def test_only_what_left_no_checkpoint_for_certain_is_missing(
    steps: list[Worked], saved: int, is_settled: bool, missing: tuple[int, ...]
) -> None:
    assert missing == starting.missing_changes(steps, saved, is_settled=is_settled)


def test_a_fork_s_budget_begins_anew_and_its_report_counts_its_own_steps() -> None:
    limited = FORK.model_copy(update={"limits": AgentLimits(steps=2)})
    used = [context.exhausted_budget(limited.model_copy(update={"step": step})) for step in (13, 14, 15)]
    assert ["", "", "budget.steps: 2 steps used"] == used
    report = standing.report(limited.model_copy(update={"step": 15}))
    assert (2, 14) == (report.steps, report.last_step)


def test_a_fork_that_does_not_fit_is_compacted_at_its_first_step() -> None:
    too_long = ModelDigest(outcome=ModelOutcome.OVERFLOW, window_tokens=1_000)
    assert Phase.COMPACT is loop.after_model(FORK, too_long).phase
    assert Phase.PARKED is loop.after_model(FORK.model_copy(update={"step": 1, "epoch_first_step": 1}), too_long).phase


@pytest.mark.parametrize(
    ("restoration", "words"),
    [
        (Restoration(step=12, session="old", agent="old/lead"), ("as you found it", "missing: 13, 14")),
        (Restoration(step=0, session="old", agent="old/lead"), ("from its source", "missing: 13, 14")),
        (Restoration(step=13, agent="f/lead"), ("after step 13", "missing: 14")),
        (Restoration(step=40, agent="f/lead-1"), ("as you found it", "missing: 13, 14")),
    ],
)
def test_steps_of_another_agent_are_not_taken_for_its_own_when_a_host_is_lost(
    restoration: Restoration, words: tuple[str, str]
) -> None:
    state = FORK.model_copy(update={"step": 15, "unsaved_steps": (13, 14)})
    workspace = ROOT.model_copy(update={"generation": 2, "life": 2, "restoration": restoration})
    (note,) = loop.slot_granted(state, SlotGranted(generation=2, workspace=workspace)).notes
    assert (True, True) == (words[0] in note.text, words[1] in note.text)


def test_a_plan_comes_back_from_its_text() -> None:
    plan = (
        PlanItem(title="look", status=PlanItemStatus.DONE),
        PlanItem(title="mend\n- both", status=PlanItemStatus.IN_PROGRESS),
        PlanItem(title="- [x"),
    )
    assert plan == describe.plan_of_text(describe.plan_text(plan))
    assert () == describe.plan_of_text("")


def test_a_note_made_of_the_record_keeps_the_one_before_it() -> None:
    note = record_note([], "it was down", "the start " + "x" * 30_000)
    assert (True, True) == ("The note from before" in note, "the start" in note)
    assert len(note) < 21_000


def a_task(**fields: object) -> TaskSpec:
    return TaskSpec.model_validate({"id": "t", "title": "T", "instructions": "Do it.", **fields})


def test_a_task_keeps_the_hash_it_had_before_there_was_this_field() -> None:
    assert task_hash(a_task()) == task_hash(a_task(start_from=None))
    assert task_hash(a_task()) != task_hash(a_task(start_from={"session": "old"}))


@pytest.mark.parametrize(
    ("start", "complaint"),
    [
        ({"session": "t"}, "start_from.session: is this task's own id"),
        ({"session": "old", "shift": 2}, "start_from.shift: needs start_from.step"),
        ({"session": "a/b"}, "should match pattern"),
        ({"session": "old", "step": 0}, "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_gone_on_from_is_refused(start: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        a_task(start_from=start)


def test_a_place_is_short() -> None:
    starts = [StartFrom(session="old"), StartFrom(session="old", step=3), StartFrom(session="old", step=3, shift=2)]
    assert ["old", "old@3", "old@3 of lead-2"] == [start.place for start in starts]


def test_ids_of_what_goes_on_are_derived() -> None:
    assert ["mend.c2", "mend.c3", "mend.f12"] == [
        ids.continued_task_id("mend"),
        ids.continued_task_id("mend.c2"),
        ids.forked_task_id("mend", 12),
    ]
    assert all(map(ids.is_task_id, (ids.continued_task_id("x" * 100), ids.forked_task_id("x" * 100, 4000))))
    assert [1, 2, 1] == [ids.shift_of_agent(agent) for agent in ("t-3/lead", "t/lead-2", "t/lead")]


@pytest.mark.parametrize(("run", "alike"), [("bench", True), ("bench --fast", False)])
def test_a_baseline_is_taken_over_where_it_is_measured_alike(run: str, alike: bool) -> None:
    measured = {"name": "speed", "measure": {"at_most_times_baseline": 0.8}}
    before, after = (a_task(checks=[{**measured, "run": command}]) for command in ("bench", run))
    assert alike is measures_alike(after, before)
