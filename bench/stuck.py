"""How well signals of being stuck tell loops from work, and what looking for them costs.

The corpus is that of `tests/corpus`. No rule or threshold was chosen by its held-out part, and the first figures are of
that part alone. A trace counts as a false alarm if there is any signal where nothing is stuck, the beginning of a stuck
trace included; as found, if all kinds of its label are found by the step that the label names.
`python -m bench.stuck [--json]`
"""

import argparse
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from bench.rig import tell
from longshift.contracts.agent import Recall
from longshift.contracts.stuck import CallEvidence, StepEvidence, StuckState, StuckThresholds
from longshift.policy import stuck
from tests.corpus.trace import Trace, Verdict, judge
from tests.corpus.traces import LONG_DAY_STEPS, corpus

LATE_STEPS = 500
PARALLEL_CALLS = 16


@dataclass(frozen=True)
class Judged:
    """A verdict and what it took, in milliseconds of processor time."""

    verdict: Verdict
    taken_ms: float

    @property
    def steps(self) -> int:
        """Of the trace."""
        return len(self.verdict.trace.events)


def judged(trace: Trace) -> Judged:
    """Play a trace against the clock of this process: others on the machine do not count."""
    started = time.process_time()
    verdict = judge(trace)
    return Judged(verdict, (time.process_time() - started) * 1_000)


def figures(results: list[Judged], prefix: str = "") -> dict[str, object]:
    """How well and how fast, over some traces."""
    verdicts = [each.verdict for each in results]
    labelled = [each for each in verdicts if each.trace.expected]
    found = sum(not each.missed for each in labelled)
    false_alarms = [each.trace.name for each in verdicts if each.early]
    delays = sorted(each.first - each.trace.stuck_from + 1 for each in labelled if not each.missed)
    return {
        f"{prefix}traces": len(results),
        f"{prefix}stuck_traces": len(labelled),
        f"{prefix}steps": sum(each.steps for each in results),
        f"{prefix}precision": round(found / max(1, found + len(false_alarms)), 4),
        f"{prefix}recall": round(found / max(1, len(labelled)), 4),
        f"{prefix}false_alarms": false_alarms,
        f"{prefix}missed": [each.trace.name for each in labelled if each.missed],
        f"{prefix}steps_until_found": delays[len(delays) // 2] if delays else 0,
        f"{prefix}ms_per_step": round(sum(each.taken_ms for each in results) / sum(each.steps for each in results), 3),
    }


def kinds(results: Iterable[Judged]) -> dict[str, str]:
    """Kind of signal → found of expected."""
    expected: Counter[str] = Counter()
    found: Counter[str] = Counter()
    for each in results:
        expected.update(kind.value for kind in each.verdict.trace.expected)
        found.update(kind.value for kind in each.verdict.trace.expected - each.verdict.missed)
    return {kind: f"{found[kind]} of {expected[kind]}" for kind in sorted(expected)}


def late_cost(calls: int, steps: int = LONG_DAY_STEPS) -> dict[str, float]:
    """Milliseconds per step after `steps` steps that are all different, and the largest state in bytes of JSON."""
    state, recall, thresholds = StuckState(), Recall(), StuckThresholds()
    taken, largest = 0.0, 0
    for number in range(1, steps + 1):
        evidence = tuple(
            CallEvidence(
                name="bash",
                signature=f"{number * 100 + index:016x}",
                result=f"{number:08x}{index:08x}",
                result_bytes=5_000,
                failed=number % 3 == 0,
                changes=True,
                summary=f"bash: {'x' * 110}",
            )
            for index in range(calls)
        )
        started = time.process_time()
        state = stuck.observed(
            state, StepEvidence(step=number, calls=evidence, tokens=60_000), thresholds, recall=recall
        )
        state = stuck.with_tree(state, number, f"{number:016x}")
        taken += time.process_time() - started if number > steps - LATE_STEPS else 0.0
        if number % 100 == 0:
            largest = max(largest, len(state.model_dump_json()))
    return {"ms": round(taken * 1_000 / LATE_STEPS, 3), "bytes": largest}


def measure() -> dict[str, object]:
    """Everything."""
    results = [judged(trace) for trace in corpus()]
    held_out = [each for each in results if each.verdict.trace.is_held_out]
    tuning = [each for each in results if not each.verdict.trace.is_held_out]
    single, parallel = late_cost(1), late_cost(PARALLEL_CALLS)
    return {
        **figures(held_out),
        "by_kind": kinds(held_out),
        **figures(tuning, "tuning_"),
        "ms_per_step_at_4000": single["ms"],
        "ms_per_step_at_4000_parallel": parallel["ms"],
        "state_bytes": single["bytes"],
        "state_bytes_parallel": parallel["bytes"],
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    tell(measure(), as_json=options.json)


if __name__ == "__main__":
    main()
