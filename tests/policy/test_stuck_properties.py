"""Properties of the signals that an agent is stuck, over any evidence."""

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from longshift.contracts.agent import Recall
from longshift.contracts.stuck import (
    CallEvidence,
    Rung,
    SignalKind,
    StepEvidence,
    StuckState,
    StuckThresholds,
)
from longshift.policy import stuck
from longshift.policy.stuck import cycles, keeping
from tests.corpus.recorder import Recorder
from tests.corpus.trace import play

DEFAULTS = StuckThresholds()

_text = st.sampled_from(["", "a", "b", "c", "f" * 16, "e" * 64, "\udc80"])
_calls = st.builds(
    CallEvidence,
    name=st.sampled_from(["bash", "read_file", "", "x" * 300]),
    signature=_text,
    result=_text,
    result_bytes=st.sampled_from([0, 10, 300, 10**9]),
    failed=st.booleans(),
    rejected=st.booleans(),
    changes=st.booleans(),
    waits=st.sampled_from([False, False, False, True]),
    summary=st.sampled_from(["", "bash: ls", "git bisect bad", "x" * 500, "two\nlines"]),
)
_step: dict[str, Any] = {
    "calls": st.lists(_calls, max_size=4).map(tuple),
    "tree": _text,
    "green": st.sampled_from([None, None, 0, 1, 5]),
    "checks": _text,
    "finish_refused": st.booleans(),
    "plan_done": st.integers(0, 4),
    "compacted": st.booleans(),
}
_steps = st.lists(st.builds(StepEvidence, step=st.just(0), **_step), max_size=80)
_recalls = st.builds(
    Recall,
    recent_steps=st.lists(st.integers(0, 100), max_size=10).map(lambda steps: tuple(sorted(steps))),
    reads_since=st.integers(0, 100),
    repeated_since=st.integers(0, 100),
)
_thresholds = st.builds(
    StuckThresholds,
    repeats=st.integers(2, 50),
    cycle_repeats=st.integers(2, 50),
    errors=st.integers(2, 60),
    returns=st.integers(2, 50),
    stale_steps=st.integers(4, 60),
    plateau=st.integers(2, 50),
    refused_finishes=st.integers(2, 50),
)
_interventions = st.sampled_from(["", "", "", "", "tree", "forgotten", "answered", "rung"])


@settings(max_examples=25, deadline=None)
@given(_steps, _thresholds, _recalls, st.data())
def test_any_evidence_is_taken_and_what_is_kept_is_bounded(
    steps: list[StepEvidence], thresholds: StuckThresholds, recall: Recall, data: st.DataObject
) -> None:
    state = StuckState()
    for number, step in enumerate(steps, 1):
        state = stuck.observed(state, step.model_copy(update={"step": number}), thresholds, recall=recall)
        match data.draw(_interventions):
            case "tree":
                state = stuck.with_tree(state, data.draw(st.integers(0, number)), data.draw(_text))
            case "forgotten":
                state = stuck.forgotten(state, data.draw(st.integers(0, number)))
            case "answered":
                state = stuck.answered(state)
            case "rung":
                state = state.model_copy(update={"rung": data.draw(st.sampled_from(Rung))})
            case _:
                pass
        assert len(state.steps) <= keeping.WINDOW_STEPS
        assert len(state.seen) <= keeping.SEEN_HASHES
        assert sum(len(step.calls) for step in state.steps) <= keeping.KEPT_CALLS
        assert all(len(signal.evidence) <= 5 and signal.first_step <= signal.last_step for signal in state.signals)
        assert len({signal.kind for signal in state.signals}) == len(state.signals)


@settings(max_examples=25, deadline=None)
@given(st.integers(20, 140), st.integers(1, 5), st.sampled_from([2, 600]), st.booleans())
def test_a_batch_of_distinct_calls_with_distinct_results_is_never_flagged(
    count: int, calls: int, size: int, changes: bool
) -> None:
    state = StuckState()
    for number in range(1, count + 1):
        made = tuple(
            CallEvidence(name="bash", signature=f"s{number}.{i}", result=f"r{number}.{i}", result_bytes=size)
            for i in range(calls)
        )
        state = stuck.observed(state, StepEvidence(step=number, calls=made), DEFAULTS, recall=Recall())
        state = stuck.with_tree(state, number, f"t{number}" if changes else "t")
        assert () == state.signals


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(0, 80), st.integers(1, 4), st.integers(0, 2**32), st.booleans())
def test_any_short_cycle_is_found_whatever_came_before(
    length: int, before: int, calls: int, seed: int, fails: bool
) -> None:
    r = Recorder(random.Random(seed))
    for _ in range(before):
        r.step(*(r.read(f"{r.rng.randrange(30)}.md") for _ in range(r.rng.randint(0, 3))))
    cycle = [[r.fresh("path") for _ in range(calls)] for _ in range(length)]
    for _ in range(DEFAULTS.repeats if length == 1 else DEFAULTS.cycle_repeats):
        for paths in cycle:
            r.step(*(r.pytest(path, ("test",)) if fails else r.read(path) for path in paths))
    found = {each.signal.kind for each in play(r.events, DEFAULTS) if each.step == r.number}
    assert SignalKind.REPETITION in found


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 8), st.sets(st.integers(0, 30), max_size=12))
def test_texts_in_between_do_not_hide_a_cycle(length: int, texts: set[int]) -> None:
    r = Recorder(random.Random(length))
    place = 0
    for _ in range(DEFAULTS.repeats if length == 1 else DEFAULTS.cycle_repeats):
        for path in range(length):
            if place in texts:
                r.step()
            r.step(r.read(f"{path}.md"))
            place += 1
    assert SignalKind.REPETITION in {each.signal.kind for each in play(r.events, DEFAULTS)}


@settings(deadline=None)
@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=40))
def test_overlaps_are_those_that_a_plain_count_finds(sequence: list[str]) -> None:
    def common(shift: int) -> int:
        count = 0
        while count + shift < len(sequence) and sequence[-1 - count] == sequence[-1 - count - shift]:
            count += 1
        return count

    assert [common(shift) for shift in range(len(sequence))] == cycles.overlaps(sequence)


@settings(deadline=None)
@given(st.lists(st.sampled_from("abcd"), max_size=12), st.lists(st.sampled_from("abcd"), min_size=1, max_size=9))
def test_the_shortest_cycle_at_the_end_is_found(before: list[str], block: list[str]) -> None:
    cycle = cycles.at_end([*before, *block * 3], lambda _: 3)
    assert cycle is not None
    assert cycle.length <= len(block)
    assert len(block) % cycle.length == 0 or cycle.length * cycle.times < 3 * len(block)
