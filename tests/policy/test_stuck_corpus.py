"""The labelled corpus: thresholds, scenes and loops each alone, and some days; `bench/stuck.py` plays all of it."""

import pytest

from tests.corpus.trace import Trace, judge
from tests.corpus.traces import LONG_DAY_STEPS, LONG_DAYS, WORK, small, work_day

TRACES = list(small())
TUNING = [trace for trace in TRACES if not trace.is_held_out]


@pytest.mark.parametrize("trace", TUNING, ids=[trace.name for trace in TUNING])
def test_a_trace_is_judged_as_its_label_says(trace: Trace) -> None:
    verdict = judge(trace)
    assert ((), frozenset()) == (verdict.early, verdict.missed)


def test_thresholds_are_met_exactly() -> None:
    wrong = [
        trace.name
        for trace in TRACES
        if trace.name.startswith("threshold") and (judge(trace).early or judge(trace).missed)
    ]
    assert [] == wrong


def test_a_day_of_work_of_4000_steps_is_not_flagged() -> None:
    days = (work_day(f"long day {number}", WORK, LONG_DAY_STEPS) for number in range(LONG_DAYS))
    day = next(day for day in days if not day.is_held_out)
    assert len(day.events) >= 4_000
    assert () == judge(day).early


def test_the_corpus_has_both_parts_and_every_name_once() -> None:
    names = [trace.name for trace in TRACES]
    assert len(names) == len(set(names))
    assert 60 < len(TUNING) < len(TRACES) - 60
