"""What counts as stuck, what does not, and how evidence is kept."""

import random
from collections.abc import Sequence

import pytest

from longshift.contracts.agent import Recall
from longshift.contracts.stuck import (
    CallEvidence,
    Rung,
    Severity,
    Signal,
    SignalKind,
    StepEvidence,
    StuckState,
    StuckThresholds,
)
from longshift.policy import stuck
from longshift.policy.stuck import keeping
from longshift.policy.stuck.signals import SIGNALS
from tests.corpus.recorder import Recorder, lines
from tests.corpus.trace import Event, play

DEFAULTS = StuckThresholds()


@pytest.fixture
def r() -> Recorder:
    """An agent at its first step."""
    return Recorder(random.Random(1))


def kinds(events: Sequence[Event], state: StuckState | None = None) -> set[SignalKind]:
    """All that is heard while an agent works."""
    return {each.signal.kind for each in play(events, DEFAULTS, state)}


def after(events: Sequence[Event], thresholds: StuckThresholds = DEFAULTS) -> StuckState:
    """The state in the end, all checkpoints told."""
    state = StuckState()
    for event in events:
        state = stuck.observed(state, event.step, thresholds, recall=event.recall)
        state = stuck.with_tree(state, event.step.step, event.tree)
    return state


def only(events: Sequence[Event]) -> Signal:
    """The one signal in the end."""
    (signal,) = after(events).signals
    return signal


def test_every_kind_of_signal_has_somebody_who_looks_for_it() -> None:
    assert set(SignalKind) == set(SIGNALS)


def test_a_repetition_says_which_steps_what_and_how_often(r: Recorder) -> None:
    r.step(r.edit("src/a.py"))
    for _ in range(4):
        r.step(r.pytest("tests", ("test_a",)))
    signal = only(r.events)
    assert (SignalKind.REPETITION, Severity.MEDIUM, 2, 5) == (
        signal.kind,
        signal.severity,
        signal.first_step,
        signal.last_step,
    )
    assert "Steps 2 to 5: the same step 4 times in a row." == signal.evidence[0]
    assert "It consists of `bash: pytest -q tests`." == signal.evidence[1]
    assert "Every call of them failed." in signal.evidence[2]
    assert "The files took no new state in these steps." == signal.evidence[3]


def test_twice_as_often_as_needed_is_grave(r: Recorder) -> None:
    for _ in range(8):
        r.step(r.read("a.py"))
    assert Severity.HIGH is only(r.events).severity


def test_after_a_rung_half_as_many_repeats_are_enough(r: Recorder) -> None:
    for _ in range(2):
        r.step(r.read("a.py"))
    assert set() == kinds(r.events)
    assert {SignalKind.REPETITION} == kinds(r.events, StuckState(rung=Rung.NUDGE))


def test_a_time_in_the_output_does_not_hide_a_loop(r: Recorder) -> None:
    for _ in range(4):
        r.step(r.bash("date; ls", f"{r.clock()}\na.py"))
    assert {SignalKind.REPETITION} == kinds(r.events)


def test_a_result_that_differs_is_news(r: Recorder) -> None:
    for left in range(20, 0, -1):
        r.step(r.bash("queue --length", f"{left} jobs left"))
    assert set() == kinds(r.events)


def test_looking_at_a_job_that_still_runs_is_never_stuck(r: Recorder) -> None:
    for _ in range(400):
        r.step(r.poll("job-1", "compiling"))
    assert set() == kinds(r.events)


def test_a_retry_after_an_edit_is_no_repetition(r: Recorder) -> None:
    for _ in range(5):
        r.step(r.edit("a.py"))
        r.step(r.pytest("tests", ("test_a",)))
    assert set() == kinds(r.events)


def test_a_command_that_moves_the_files_on_each_time_is_work(r: Recorder) -> None:
    for _ in range(30):
        r.change("state")
        r.step(r.bash("./next.sh", "ok"))
    assert set() == kinds(r.events)


@pytest.mark.parametrize("command", ["mkdir -p out/{}", "mv a{} b", "./load --part {}"])
def test_a_batch_of_commands_that_say_nothing_is_work(r: Recorder, command: str) -> None:
    for number in range(60):
        r.step(r.bash(command.format(number)))
    assert set() == kinds(r.events)


def test_the_order_of_calls_within_an_answer_does_not_hide_a_loop(r: Recorder) -> None:
    for turn in range(4):
        calls = [r.read("a.py"), r.read("b.py")]
        r.step(*(calls if turn % 2 else reversed(calls)))
    assert {SignalKind.REPETITION} == kinds(r.events)


def test_three_answers_with_the_same_calls_are_not_a_cycle_of_calls(r: Recorder) -> None:
    for _ in range(3):
        r.step(r.read("a.py"), r.read("b.py"))
    assert set() == kinds(r.events)


def test_the_same_calls_together_and_apart_are_a_cycle(r: Recorder) -> None:
    r.step(r.read("a.py"), r.read("b.py"))
    r.step(r.read("a.py"))
    r.step(r.read("b.py"))
    r.step(r.read("a.py"), r.read("b.py"))
    assert {SignalKind.REPETITION} == kinds(r.events)


def test_other_tools_with_equal_arguments_are_other_calls() -> None:
    state = StuckState()
    for number in range(1, 9):
        call = CallEvidence(name=f"tool_{number}", signature="of no arguments", rejected=number > 6)
        state = stuck.observed(state, StepEvidence(step=number, calls=(call,)), DEFAULTS, recall=Recall())
    assert () == state.signals


def test_many_equal_calls_in_one_answer_are_no_repetition(r: Recorder) -> None:
    r.step(*(r.read("a.py") for _ in range(10)))
    assert set() == kinds(r.events)


def test_errors_that_move_the_files_on_are_no_streak(r: Recorder) -> None:
    for _ in range(20):
        r.change("a.py")
        r.step(r.bash(r.fresh("sed && pytest"), lines(r.fresh("failure"), 5), failed=True))
    assert set() == kinds(r.events)


def test_a_changed_failure_is_movement(r: Recorder) -> None:
    for number in range(20):
        r.step(r.edit("a.py"))
        r.step(r.pytest("tests", (f"test_{number // 5}",)))
    assert set() == kinds(r.events)


def test_bisecting_wants_the_same_failure(r: Recorder) -> None:
    for number in range(12):
        r.change("a.py")
        r.step(r.bash("git bisect bad", f"Bisecting: {number} revisions left"))
        r.step(r.pytest("tests", ("test_a",)))
    assert set() == kinds(r.events)


def test_putting_changes_aside_and_back_is_no_oscillation(r: Recorder) -> None:
    clean = "clean"
    r.step(r.write("a.py", clean))
    for _ in range(4):
        r.step(r.edit("a.py"))
        mine = r.files["a.py"]
        r.change("a.py", clean)
        r.step(r.bash("git stash", r.fresh("saved")))
        r.change("a.py", mine)
        r.step(r.bash("git stash pop", r.fresh("dropped")))
    assert set() == kinds(r.events)


def test_attempts_that_are_all_undone_are_worth_a_nudge_only(r: Recorder) -> None:
    r.step(r.write("a.py", "good"))
    for _ in range(4):
        r.step(r.edit("a.py"))
        r.step(r.write("a.py", "good"))
    r.step(r.read("b.py"))
    assert (SignalKind.OSCILLATION, Severity.LOW) == (only(r.events).kind, only(r.events).severity)


def test_finishes_are_counted_however_much_lies_between(r: Recorder) -> None:
    for _ in range(4):
        r.finish("suite", 1)
        for _ in range(100):
            r.step(r.edit(r.fresh("docs")))
    assert SignalKind.FALSE_COMPLETION in kinds(r.events)


def test_a_finish_with_other_checks_red_begins_anew(r: Recorder) -> None:
    for number in range(12):
        r.finish(f"check {number // 3}", 1)
        r.step(r.edit("a.py"))
    assert set() == kinds(r.events)


def test_reading_again_after_a_compaction_while_files_move_is_no_thrash() -> None:
    recall = Recall(recent_steps=(1,), reads_since=30, repeated_since=30)
    state = stuck.observed(StuckState(progress_step=5), StepEvidence(step=6), DEFAULTS, recall=recall)
    assert () == state.signals


def test_nothing_is_signalled_where_the_detector_is_off(r: Recorder) -> None:
    for _ in range(10):
        r.step(r.read("a.py"))
    state = after(r.events, StuckThresholds(enabled=False))
    assert ((), 10) == (state.signals, len(state.steps))


def test_an_agent_that_begins_at_a_late_step_is_not_idle() -> None:
    state = stuck.observed(StuckState(), StepEvidence(step=3_000), DEFAULTS, recall=Recall())
    assert ((), 2_999, 1) == (state.signals, state.progress_step, state.idle)


def test_progress_is_a_new_state_a_green_check_or_a_line_of_the_plan(r: Recorder) -> None:
    r.step(r.edit("a.py", "one"))
    r.step(r.edit("a.py", "two"))
    r.step(r.edit("a.py", "one"))
    assert 2 == after(r.events).progress_step
    r.step(r.read("a.py"), green=3)
    assert (4, 3, 4) == (after(r.events).progress_step, after(r.events).best_green, after(r.events).best_step)
    r.step(r.read("a.py"), green=3)
    assert 4 == after(r.events).progress_step
    r.step(r.plan())
    assert 6 == after(r.events).progress_step


def test_a_tree_may_be_told_late_and_for_an_earlier_step(r: Recorder) -> None:
    for path in ("a.py", "b.py", "c.py"):
        r.step(r.read(path))
    state = stuck.with_tree(after(r.events), 2, "tree")
    assert (["", "tree", ""], 2) == ([step.tree for step in state.steps], state.progress_step)
    assert state == stuck.with_tree(state, 99, "other")


def test_steps_without_a_signal_are_counted(r: Recorder) -> None:
    for path in "abc":
        r.step(r.read(path))
    assert 3 == after(r.events).calm_steps
    for _ in range(4):
        r.step(r.read("d"))
    assert 0 == after(r.events).calm_steps


def test_steps_that_were_undone_do_not_count(r: Recorder) -> None:
    r.step(r.edit("a.py"))
    r.step(r.read("a.py"), green=2)
    for _ in range(4):
        r.finish("suite", 5)
    state = after(r.events).model_copy(update={"rung": Rung.ROLLBACK, "failed_approaches": ("by hand",)})
    back = stuck.forgotten(state, 2)
    assert ([1, 2], ()) == ([step.step for step in back.steps], back.signals)
    assert (2, 2, 2) == (back.progress_step, back.best_green, back.best_step)
    assert () == back.streaks
    assert (Rung.ROLLBACK, ("by hand",)) == (back.rung, back.failed_approaches)
    assert {SignalKind.FALSE_COMPLETION, SignalKind.REPETITION} == {signal.kind for signal in state.signals}
    again = stuck.observed(back, r.events[-1].step.model_copy(update={"step": 7}), DEFAULTS, recall=Recall())
    assert () == again.signals


def test_a_rollback_does_not_make_an_agent_idle(r: Recorder) -> None:
    r.step(r.edit("a.py"))
    for number in range(100):
        r.step(r.read(f"{number}.md"))
    back = stuck.forgotten(after(r.events), 40)
    assert back.idle <= 40


def test_advice_settles_the_evidence_and_keeps_what_was_seen(r: Recorder) -> None:
    for number in range(16):
        r.step(r.read(f"{number}.md"))
    state = stuck.answered(after(r.events).model_copy(update={"rung": Rung.ESCALATE, "signals": ()}))
    assert ((), (), Rung.NONE, 16, 0) == (state.steps, state.signals, state.rung, state.progress_step, state.idle)
    again = stuck.observed(state, r.events[3].step.model_copy(update={"step": 17}), DEFAULTS, recall=Recall())
    assert again.steps[-1].stale


def test_what_a_compaction_took_away_may_be_read_again(r: Recorder) -> None:
    for number in range(3):
        r.step(r.read(f"{number}.md"))
    r.compact()
    r.step(r.read("1.md"))
    r.step(r.read("1.md"))
    assert [False, True] == [step.stale for step in after(r.events).steps[-2:]]


def test_many_calls_are_folded_into_one_that_is_still_comparable(r: Recorder) -> None:
    for _ in range(4):
        r.step(*(r.read(f"{number}.md") for number in range(keeping.FOLD_CALLS + 1)))
    state = after(r.events)
    assert [keeping.FOLD_CALLS + 1] * 4 == [step.folded for step in state.steps]
    assert {SignalKind.REPETITION} == {signal.kind for signal in state.signals}


def test_what_folded_steps_gave_is_still_known(r: Recorder) -> None:
    r.step(*(r.read(f"{number}.md") for number in range(40)))
    r.step(r.read("7.md"))
    assert after(r.events).steps[-1].stale


def test_a_state_of_the_files_is_known_after_its_step_is_gone(r: Recorder) -> None:
    r.step(r.edit("a.py", "one"))
    r.step(r.edit("a.py", "two"))
    for number in range(keeping.WINDOW_STEPS):
        r.step(r.read(f"{number}.md"))
    r.step(r.edit("a.py", "one"))
    state = after(r.events)
    assert (2, keeping.WINDOW_STEPS) == (state.progress_step, len(state.steps))


def test_what_an_agent_carries_stays_below_30_kb() -> None:
    state = StuckState()
    for number in range(1, 400):
        calls = tuple(
            CallEvidence(
                name="a" * 64,
                signature=f"{number * 16 + index:064x}",
                result=f"{number:032x}{index:032x}",
                result_bytes=30_000,
                failed=True,
                changes=True,
                summary="x" * 120,
            )
            for index in range(2 if number % 2 else 16)
        )
        step = StepEvidence(
            step=4_000 + number,
            calls=calls,
            green=3,
            checks=f"{number // 60:064x}",
            finish_refused=True,
            plan_done=number,
            tokens=250_000,
            compacted=number == 200,
        )
        recall = Recall(recent_steps=tuple(range(4_000 + number - 10, 4_000 + number)))
        state = stuck.with_tree(stuck.observed(state, step, DEFAULTS, recall=recall), step.step, f"{number % 7:064x}")
    evidence = state.model_copy(update={"signals": ()})
    assert len(evidence.model_dump_json().encode()) < 30_000
    assert len(state.model_dump_json().encode()) < 36_000
    assert keeping.WINDOW_STEPS == len(state.steps)


def test_evidence_that_was_carried_goes_on_as_if_it_had_not_been(r: Recorder) -> None:
    for _ in range(3):
        r.step(r.read("a.py"), r.read("b.py"))
    state = after(r.events)
    carried = StuckState.model_validate_json(state.model_dump_json())
    assert state == carried


def test_sentences_have_a_length_and_one_line(r: Recorder) -> None:
    for _ in range(6):
        r.step(*(r.rejected("bash", f"{number} \n {'x' * 400}") for number in range(9)))
    for signal in after(r.events).signals:
        assert len(signal.evidence) <= 5
        assert all(len(sentence) <= 300 and "\n" not in sentence for sentence in signal.evidence)
