"""How much evidence is kept, and how it stays small: what an agent carries must not grow with its life.

Steps lose their summaries first, then their calls are folded into one, then they go. Of what goes, the hashes of
results and of files stay among what was seen.
"""

import hashlib
from collections.abc import Iterable

from longshift.contracts.stuck import CallEvidence, StepEvidence, StuckState

WINDOW_STEPS = 64
KEPT_CALLS = 104
"""Calls that stand for themselves, over all kept steps; older steps with several calls are folded."""
FOLD_CALLS = 16
"""A step with more calls than this is folded from the beginning."""
SUMMARIZED_STEPS = 8
SEEN_HASHES = 256
SMALL_RESULT_BYTES = 256
"""A result up to this size says little: "exit code 0" after one `mkdir` is not that after another."""

_HASH_CHARACTERS = 16
_NAME_CHARACTERS = 24
_SUMMARY_CHARACTERS = 72
_TREE = "t"


def found_by(call: CallEvidence) -> tuple[str, str, str]:
    """What a call brought to light: the tool and its result, and where that is small also what was asked."""
    return call.name, call.signature if call.result_bytes <= SMALL_RESULT_BYTES else "", call.result


def act_of(call: CallEvidence) -> str:
    """What was called and what came of it, comparable."""
    return f"{call.name} {call.signature} {call.result}"


def result_key(call: CallEvidence) -> str:
    """The same, as it is among what was seen."""
    return _digest(found_by(call), 4)


def tree_key(tree: str) -> str:
    """A state of the files among what was seen; no result has the same."""
    return _TREE + _digest((tree,), 4)


def tree_hash(text: str) -> str:
    """A hash of the files as it is kept."""
    return _hash(text)


def results_of(step: StepEvidence) -> tuple[str, ...]:
    """The keys of a step's results; those of a folded one are among what was seen already."""
    return () if step.folded else tuple(result_key(call) for call in step.calls if not call.rejected)


def trimmed(step: StepEvidence) -> StepEvidence:
    """A new step as it is kept: hashes, names and summaries have a length."""
    calls = tuple(_trimmed_call(call) for call in step.calls)
    did = _digest(sorted(act_of(call) for call in calls), 8) if calls else ""
    update = {"calls": calls, "did": did, "tree": _hash(step.tree), "checks": _hash(step.checks)}
    return step.model_copy(update=update)


def kept(state: StuckState, step: StepEvidence) -> StuckState:
    """The evidence with one step more, within its bounds."""
    steps = [*state.steps, step]
    gone = steps[:-WINDOW_STEPS]
    steps = steps[-WINDOW_STEPS:]
    fresh = [key for each in gone for key in _keys(each)]
    for index, folds in enumerate(_folds(steps)):
        if folds:
            fresh += results_of(steps[index])
            steps[index] = folded(steps[index])
    if len(steps) > SUMMARIZED_STEPS:
        steps[-SUMMARIZED_STEPS - 1] = _without_summaries(steps[-SUMMARIZED_STEPS - 1])
    trees = [each.tree for each in gone if each.tree]
    return state.model_copy(
        update={
            "steps": tuple(steps),
            "seen": remembered(state.seen, fresh),
            "tree_before": trees[-1] if trees else state.tree_before,
        }
    )


def remembered(seen: tuple[str, ...], fresh: Iterable[str]) -> tuple[str, ...]:
    """What was seen, with more of it: the latest, each once."""
    new = dict.fromkeys(fresh)
    return (*(key for key in seen if key not in new), *new)[-SEEN_HASHES:] if new else seen


def without_results(seen: tuple[str, ...]) -> tuple[str, ...]:
    """What of it are states of files: a compaction took the results away from the model, to read them again is fair."""
    return tuple(key for key in seen if key.startswith(_TREE))


def settled(state: StuckState) -> StuckState:
    """No steps at all; what they saw is seen."""
    trees = [step.tree for step in state.steps if step.tree]
    return state.model_copy(
        update={
            "steps": (),
            "seen": remembered(state.seen, (key for step in state.steps for key in _keys(step))),
            "tree_before": trees[-1] if trees else state.tree_before,
        }
    )


def folded(step: StepEvidence) -> StepEvidence:
    """The step with one call in the place of several; what they were is told by the step's own hash."""
    if len(step.calls) < 2:
        return step
    calls = step.calls
    one = CallEvidence(
        name=f"{len(calls)} calls",
        signature="",
        result_bytes=sum(call.result_bytes for call in calls),
        failed=all(call.failed or call.rejected for call in calls),
        rejected=all(call.rejected for call in calls),
        changes=any(call.changes for call in calls),
        waits=any(call.waits for call in calls),
        summary=f"{len(calls)} calls, first {calls[0].summary}"[:_SUMMARY_CHARACTERS] if calls[0].summary else "",
    )
    return step.model_copy(update={"calls": (one,), "folded": len(calls)})


def _folds(steps: list[StepEvidence]) -> list[bool]:
    """Which steps are folded now: the last one only if it is large by itself, others from the oldest on."""
    surplus = sum(len(step.calls) for step in steps) - KEPT_CALLS
    folds: list[bool] = []
    for step in steps:
        is_due = len(step.calls) > FOLD_CALLS or (surplus > 0 and len(step.calls) > 1)
        surplus -= len(step.calls) - 1 if is_due else 0
        folds.append(is_due)
    return folds


def _keys(step: StepEvidence) -> tuple[str, ...]:
    return (*results_of(step), *((tree_key(step.tree),) if step.tree else ()))


def _trimmed_call(call: CallEvidence) -> CallEvidence:
    return call.model_copy(
        update={
            "name": call.name[:_NAME_CHARACTERS],
            "signature": _hash(call.signature),
            "result": _hash(call.result),
            "summary": call.summary[:_SUMMARY_CHARACTERS],
        }
    )


def _without_summaries(step: StepEvidence) -> StepEvidence:
    return step.model_copy(update={"calls": tuple(call.model_copy(update={"summary": ""}) for call in step.calls)})


def _hash(text: str) -> str:
    return text if len(text) <= _HASH_CHARACTERS else _digest((text,), _HASH_CHARACTERS // 2)


def _digest(parts: Iterable[str], size_bytes: int) -> str:
    """In hex digits, so of twice the size."""
    text = "\0".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=size_bytes).hexdigest()
