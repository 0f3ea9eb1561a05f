"""Judging checks: what runs of a declared command prove. Running them, and comparing files, is the adapter's part."""

import math
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from longshift.contracts.checks import CheckResult
from longshift.contracts.task import Check, Goal, TaskSpec

DETAIL_LIMIT_CHARACTERS = 2_000
PASSED_OUTPUT_CHARACTERS = 400
"""The end of the output of a green check: enough to see what ran, little enough to read every time."""
SHOWN_FILES = 10
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_NUMBER = re.compile(
    r"(?<![\w.])[-+]?(?:\d{1,3}(?:,\d{3})+(?![\d,])|\d+)?(?:(?<=\d)\.\d*|(?<!\d)\.\d+)?(?:(?<=[\d.])[eE][-+]?\d+)?"
)


@dataclass(frozen=True, kw_only=True)
class CheckRun:
    """How one run of a check's command ended."""

    exit_code: int | None = None
    signal: int | None = None
    timed_out: bool = False
    ended_because: str = ""
    """Why it was ended from outside, or why its outcome is unknown."""
    output: str = ""
    """The output or its end."""
    duration_seconds: float = 0.0

    @property
    def is_success(self) -> bool:
        """Whether the command ended by itself with exit code 0."""
        return self.exit_code == 0 and not self.timed_out and not self.ended_because


def last_number(output: str) -> float | None:
    """The last number on the last non-empty line; thousands may be grouped by commas, a unit may follow."""
    lines = [line for line in _ESCAPES.sub("", output).splitlines() if line.strip()]
    if not lines:
        return None
    texts = [text for text in _NUMBER.findall(lines[-1]) if any(letter.isdigit() for letter in text)]
    if not texts:
        return None
    value = float(texts[-1].replace(",", ""))
    return value if math.isfinite(value) else None


def measures_alike(task: TaskSpec, other: TaskSpec) -> bool:
    """Whether every number that a task compares with a baseline is measured in the same way by another task."""
    known = {(check.name, check.run, check.repeats) for check in other.checks}
    compared = [check for check in task.checks if check.measure is not None and check.measure.needs_baseline]
    return all((check.name, check.run, check.repeats) in known for check in compared)


def threshold(goal: Goal, baseline: float | None) -> tuple[str, float | None]:
    """The direction (`at most`, `at least`) and the number to reach; no number when its baseline is missing."""
    if goal.at_most is not None:
        return "at most", goal.at_most
    if goal.at_least is not None:
        return "at least", goal.at_least
    if goal.at_most_times_baseline is not None:
        return "at most", None if baseline is None else goal.at_most_times_baseline * baseline
    factor = goal.at_least_times_baseline
    return "at least", None if baseline is None or factor is None else factor * baseline


def judge(
    check: Check, runs: Sequence[CheckRun], *, baseline: float | None = None, edited: Sequence[str] = ()
) -> CheckResult:
    """The verdict over all runs of a check; `edited` are files of the tree that changed while it ran.

    Every run has to succeed, a measurement has to reach its goal, and no file may have changed: otherwise a
    check could pass because of what it did itself.
    """
    failed = next((run for run in runs if not run.is_success), None)
    value: float | None = None
    if not runs:
        passed, verdict = False, "did not run"
    elif failed is not None:
        passed, verdict = False, _failure(failed, check)
    elif check.measure is not None:
        value = _median(runs)
        passed, verdict = _compared(check.measure, value, baseline, len(runs))
    else:
        passed, verdict = True, "exit code 0"
    if edited:
        passed, verdict = False, f"{verdict}, but {_edited(edited)}"
    shown = failed or (runs[-1] if runs else None)
    return CheckResult(
        name=check.name,
        passed=passed,
        detail=_detail(verdict, shown.output if shown is not None else "", passed=passed),
        value=value,
        baseline=baseline if check.measure is not None and check.measure.needs_baseline else None,
        exit_code=shown.exit_code if shown is not None else None,
        duration_seconds=sum(run.duration_seconds for run in runs),
    )


def judge_baseline(check: Check, runs: Sequence[CheckRun]) -> CheckResult:
    """The measurement before work starts: passed means that there is a number to compare with later."""
    failed = next((run for run in runs if not run.is_success), None)
    value = _median(runs) if failed is None else None
    if failed is not None:
        verdict = f"no baseline: {_failure(failed, check)}"
    elif value is None:
        verdict = "no baseline: no number on the last line of the output"
    else:
        verdict = f"baseline {_text(value)}{_of_runs(len(runs))}"
    shown = failed or (runs[-1] if runs else None)
    return CheckResult(
        name=check.name,
        passed=value is not None,
        detail=_detail(verdict, shown.output if shown is not None else "", passed=value is not None),
        value=value,
        exit_code=shown.exit_code if shown is not None else None,
        duration_seconds=sum(run.duration_seconds for run in runs),
    )


def newly_edited(edited: Sequence[str], by_earlier_checks: Mapping[int, Sequence[str]]) -> list[str]:
    """Of the files that differ after a check, those that did not differ before it."""
    known = {name for names in by_earlier_checks.values() for name in names}
    return [name for name in edited if name not in known]


def _median(runs: Sequence[CheckRun]) -> float | None:
    """The median over all runs; nothing when one of them printed no number."""
    values = [last_number(run.output) for run in runs]
    numbers = [value for value in values if value is not None]
    return statistics.median(numbers) if numbers and len(numbers) == len(values) else None


def _compared(goal: Goal, value: float | None, baseline: float | None, count: int) -> tuple[bool, str]:
    direction, limit = threshold(goal, baseline)
    if value is None:
        return False, "exit code 0, but no number on the last line of the output"
    measured = f"measured {_text(value)}{_of_runs(count)}"
    if limit is None:
        return False, f"{measured}, but there is no baseline: the measurement before work started failed"
    from_baseline = f" (baseline {_text(baseline)})" if goal.needs_baseline and baseline is not None else ""
    passed = value <= limit if direction == "at most" else value >= limit
    return passed, f"{measured}, goal: {direction} {_text(limit)}{from_baseline}"


def _failure(run: CheckRun, check: Check) -> str:
    if run.timed_out:
        return f"ended after its time-out of {check.timeout_seconds:g} seconds"
    if run.ended_because:
        return run.ended_because
    if run.signal is not None:
        return f"ended by signal {run.signal}"
    return f"exit code {run.exit_code}" if run.exit_code is not None else "ended without an exit code"


def _edited(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN_FILES} more" if len(names) > SHOWN_FILES else ""
    return (
        f"files changed while it ran ({', '.join(names[:SHOWN_FILES])}{more}): a check may not change what it proves. "
        "They were put back. If a background job of yours writes them, stop it first"
    )


def _detail(verdict: str, output: str, *, passed: bool) -> str:
    verdict = verdict[:DETAIL_LIMIT_CHARACTERS]
    room = min(DETAIL_LIMIT_CHARACTERS - len(verdict) - 1, PASSED_OUTPUT_CHARACTERS if passed else math.inf)
    end = output.strip()
    if len(end) > room:
        end = f"…{end[-int(room - 1) :]}" if room > 1 else ""
    return f"{verdict}\n{end}" if end else verdict


def _of_runs(count: int) -> str:
    return f" (median of {count})" if count > 1 else ""


def _text(value: float) -> str:
    return f"{value:.10g}"
