"""Judging checks: exit codes, numbers, medians, goals and baselines."""

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshift.contracts.task import Check, Goal
from longshift.policy.checks import (
    DETAIL_LIMIT_CHARACTERS,
    CheckRun,
    judge,
    judge_baseline,
    last_number,
    newly_edited,
    threshold,
)

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def measure(**goal: float) -> Check:
    return Check(name="speed", run="bench", measure=Goal(**goal), repeats=3)


def runs(*outputs: str) -> list[CheckRun]:
    return [CheckRun(exit_code=0, output=output, duration_seconds=1.0) for output in outputs]


@pytest.mark.parametrize(
    ("output", "number"),
    [
        ("12", 12.0),
        ("mean: 12.5ms", 12.5),
        ("p99 latency 7 ms\n\n", 7.0),
        ("a 1 b 2\nc 3 d -4.5e-3", -0.0045),
        ("total 1,234,567.5 bytes", 1_234_567.5),
        ("pair 1,2", 2.0),
        ("range 3-5", 5.0),
        ("\x1b[32m99.5%\x1b[0m", 99.5),
        (".5", 0.5),
        ("+3.", 3.0),
        ("7\n   \n", 7.0),
        ("12\nno number here", None),
        ("", None),
        ("v2 x86", None),
        ("1e999", None),
        ("nan", None),
    ],
)
def test_last_number_of_last_non_empty_line_counts(output: str, number: float | None) -> None:
    assert number == last_number(output)


@given(st.text(), FINITE)
def test_any_printed_number_is_read_back(before: str, number: float) -> None:
    assert number == last_number(f"{before}\nresult: {number!r} ms")


@given(st.text())
def test_any_output_gives_a_finite_number_or_none(output: str) -> None:
    number = last_number(output)
    assert number is None or math.isfinite(number)


def test_exit_code_zero_passes() -> None:
    result = judge(Check(name="tests", run="pytest"), runs("5 passed"))
    assert (True, "exit code 0\n5 passed", 0) == (result.passed, result.detail, result.exit_code)


@pytest.mark.parametrize(
    ("run", "verdict"),
    [
        (CheckRun(exit_code=3, output="boom"), "exit code 3\nboom"),
        (CheckRun(signal=9), "ended by signal 9"),
        (CheckRun(exit_code=0, timed_out=True), "ended after its time-out of 1800 seconds"),
        (CheckRun(exit_code=0, ended_because="the workspace was released"), "the workspace was released"),
        (CheckRun(), "ended without an exit code"),
    ],
)
def test_anything_but_a_clean_exit_fails(run: CheckRun, verdict: str) -> None:
    result = judge(Check(name="tests", run="pytest"), [run])
    assert (False, verdict) == (result.passed, result.detail)


def test_one_failed_run_of_many_fails() -> None:
    result = judge(measure(at_most=10), [*runs("1"), CheckRun(exit_code=1, output="2")])
    assert (False, None, 1) == (result.passed, result.value, result.exit_code)


def test_no_run_is_not_a_pass() -> None:
    assert not judge(Check(name="tests", run="pytest"), []).passed


def test_median_is_compared_with_the_goal() -> None:
    result = judge(measure(at_most=10), runs("9", "100", "10"))
    assert (True, 10.0) == (result.passed, result.value)
    assert result.detail.startswith("measured 10 (median of 3), goal: at most 10")


@given(st.lists(FINITE, min_size=1, max_size=9), FINITE)
def test_at_most_passes_exactly_when_the_median_is_not_above(values: list[float], limit: float) -> None:
    result = judge(measure(at_most=limit), runs(*(repr(value) for value in values)))
    assert (statistics.median(values) <= limit) == result.passed


@pytest.mark.parametrize(
    ("goal", "value", "passed"),
    [
        ({"at_least": 5.0}, "5", True),
        ({"at_least": 5.0}, "4.99", False),
        ({"at_most_times_baseline": 0.8}, "80", True),
        ({"at_most_times_baseline": 0.8}, "81", False),
        ({"at_least_times_baseline": 2.0}, "200", True),
        ({"at_least_times_baseline": 2.0}, "199", False),
    ],
)
def test_goal_is_applied_to_the_baseline(goal: dict[str, float], value: str, passed: bool) -> None:
    assert passed == judge(measure(**goal), runs(value), baseline=100.0).passed


def test_missing_baseline_fails_and_says_so() -> None:
    result = judge(measure(at_most_times_baseline=0.8), runs("1"), baseline=None)
    assert not result.passed
    assert "there is no baseline" in result.detail


def test_missing_number_fails() -> None:
    result = judge(measure(at_most=1), runs("1", "oops", "1"))
    assert (False, None) == (result.passed, result.value)


def test_threshold_of_absolute_goals_needs_no_baseline() -> None:
    assert ("at most", 1.0) == threshold(Goal(at_most=1), None)
    assert ("at least", 1.0) == threshold(Goal(at_least=1), None)
    assert ("at least", None) == threshold(Goal(at_least_times_baseline=1), None)


def test_files_changed_by_the_check_make_it_red() -> None:
    result = judge(Check(name="lint", run="ruff --fix"), runs("ok"), edited=["src/a.py"])
    assert not result.passed
    assert "src/a.py" in result.detail


def test_earlier_checks_edits_are_not_blamed_on_later_ones() -> None:
    assert ["b"] == newly_edited(["a", "b"], {0: ["a"]})


def test_baseline_is_the_median_before_work() -> None:
    result = judge_baseline(measure(at_most_times_baseline=0.8), runs("3", "1", "2"))
    assert (True, 2.0) == (result.passed, result.value)


def test_failed_baseline_has_no_number() -> None:
    failed = judge_baseline(measure(at_most_times_baseline=0.8), [CheckRun(exit_code=2, output="3")])
    numberless = judge_baseline(measure(at_most_times_baseline=0.8), runs("none"))
    assert [(False, None)] * 2 == [(result.passed, result.value) for result in (failed, numberless)]


@given(st.text(max_size=9_000), st.integers(0, 1), st.lists(st.text(max_size=4_000), max_size=12))
def test_detail_is_never_longer_than_its_limit(output: str, exit_code: int, edited: list[str]) -> None:
    result = judge(Check(name="c", run="c"), [CheckRun(exit_code=exit_code, output=output)], edited=edited)
    assert len(result.detail) <= DETAIL_LIMIT_CHARACTERS


def test_detail_of_a_red_check_keeps_the_end_of_the_output() -> None:
    result = judge(Check(name="c", run="c"), [CheckRun(exit_code=1, output="x" * 5_000 + "END")])
    assert result.detail.endswith("xEND")
