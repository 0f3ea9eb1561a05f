"""What to merge next, what to prove, and whose work is mended or dropped. Nothing is merged or run here.

All that is ready when the last proof has ended is the next batch, in an order that respects `depends_on` and
`merge_after`. A red batch is halved until a culprit is alone. What does not fit, or is red alone, goes to one
sub-agent; its work takes the item's place in the queue. What cannot be mended is dropped.

A conflict with work that is not proved itself decides nothing: the item comes first in the next batch, and only what
does not fit to the green state is mended. A red check decides nothing about a single item before it has said so twice,
once together with others where all those turned out green: one unsteady test would cost a sub-agent, or the work.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from longshift.contracts.checks import ChecksDigest
from longshift.contracts.ids import resolver_item
from longshift.contracts.reconciling import FILES_SHOWN, Mending, Part, Reconciling, Trial
from longshift.contracts.swarm import ItemEnd, ItemStatus
from longshift.contracts.swarm_activities import Merge, MergeDigest
from longshift.contracts.swarm_plan import ItemRow
from longshift.policy.merge_order import fitting, ordered

REASON_CHARACTERS = 200
REDS_BEFORE_BLAME = 2
RED_SHOWN = 5
RED_CHARACTERS = 1_000


@dataclass(frozen=True)
class MergeBatch:
    """Merge these, in this order, on the state `onto`; what comes of it is the state `number`."""

    onto: int
    merges: tuple[Merge, ...]
    number: int


@dataclass(frozen=True)
class CheckBatch:
    """Run the checks on the state `number`, as the run `step`."""

    number: int
    step: int


@dataclass(frozen=True)
class Settled:
    """Nothing more happens to an item."""

    item: str
    status: ItemStatus
    reason: str = ""


Outcome = tuple[Reconciling, tuple[Settled, ...]]


def sealed(state: Reconciling, merge: Merge) -> Reconciling:
    """An item's work is in the store. Told twice, it counts once."""
    known = {each.item for each in (*state.merged, *state.queue, *_on_trial(state))} | set(state.out)
    if merge.item in known or any(each.merge.item == merge.item for each in state.mending):
        return state
    return state.model_copy(update={"queue": (*state.queue, merge)})


def next_action(state: Reconciling, rows: Sequence[ItemRow]) -> tuple[Reconciling, MergeBatch | CheckBatch | None]:
    """What to do now; the state has the trial that begins with it. Asked again, the answer is the same."""
    if state.trial is None:
        state = _begun(state, rows)
    trial = state.trial
    if trial is None:
        return state, None
    if trial.left:
        return state, MergeBatch(trial.at, trial.left, state.numbers + 1)
    return state, CheckBatch(trial.at, state.checks + 1)


def after_merge(state: Reconciling, digest: MergeDigest, rows: Sequence[ItemRow]) -> Outcome:
    """What the `MergeBatch` that was asked for came to."""
    state = state.model_copy(update={"numbers": state.numbers + 1})
    trial = state.trial
    if trial is None:
        return state, ()
    merged = (*trial.merged, *(each for each in trial.left if each.item in digest.merged))
    rest = tuple(each for each in trial.left if each.item not in digest.merged)
    misfit = next((each for each in rest if each.item == digest.conflict), None)
    taken = {each.item for each in merged}
    left = fitting([each for each in rest if each is not misfit], rows, _settled(state) | taken)
    waiting = tuple(each for each in rest if each is not misfit and each not in left)
    is_spoilt = trial.is_spoilt or any(item in state.out for item in digest.merged)
    part = trial.part if left == rest else Part(merges=trial.part.merges)
    update = {"part": part, "left": left, "merged": merged, "at": digest.number, "is_spoilt": is_spoilt}
    state = _put_back(state.model_copy(update={"trial": trial.model_copy(update=update)}), waiting)
    settled: tuple[Settled, ...] = ()
    if misfit is not None and digest.failure:
        state, settled = _dropped(state, misfit.item, digest.failure)
    elif misfit is not None and digest.number != trial.onto:
        state = _put_back(state, (misfit,), first=True)
    elif misfit is not None:
        state, settled = _mended(state, Mending(merge=misfit, number=0, onto=trial.onto, files=digest.conflict_files))
    return _without_empty_trial(state), settled


def after_checks(state: Reconciling, digest: ChecksDigest) -> Outcome:
    """What the `CheckBatch` that was asked for came to."""
    step = state.checks + 1
    state = state.model_copy(update={"checks": step})
    trial = state.trial
    if trial is None:
        return state, ()
    if trial.is_spoilt:
        kept = Part(merges=tuple(each for each in trial.merged if each.item not in state.out))
        return state.model_copy(update={"trial": None, "parts": (kept, *_unknown(state.parts))}), ()
    if digest.passed:
        return _green(state.model_copy(update={"proof": in_short(digest)}), trial)
    if len(trial.merged) > 1:
        halves = _halves(trial.merged)
        return state.model_copy(update={"trial": None, "parts": (*halves, *_unknown(state.parts))}), ()
    reds = trial.reds + 1
    if reds + trial.part.is_known_red < REDS_BEFORE_BLAME:
        return state.model_copy(update={"trial": trial.model_copy(update={"reds": reds})}), ()
    state = state.model_copy(update={"trial": None, "parts": _unknown(state.parts)})
    alone, evidence = next(iter(trial.merged)), in_short(digest)
    return _mended(state, Mending(merge=alone, number=0, onto=trial.onto, red_checks_step=step, evidence=evidence))


def in_short(digest: ChecksDigest) -> ChecksDigest:
    """A digest to carry along: of the red checks the end of what they printed, of the green ones their names."""
    red = [each for each in digest.results if not each.passed][:RED_SHOWN]
    green = [each.model_copy(update={"detail": ""}) for each in digest.results if each.passed]
    return digest.model_copy(
        update={
            "results": (*(each.model_copy(update={"detail": each.detail[-RED_CHARACTERS:]}) for each in red), *green),
            "protected_changes": digest.protected_changes[:FILES_SHOWN],
            "out_of_scope": digest.out_of_scope[:FILES_SHOWN],
        }
    )


def after_opening(state: Reconciling, item: str) -> Reconciling:
    """The task of the sub-agent that mends an item is written."""
    mending = tuple(
        each.model_copy(update={"is_open": True}) if each.merge.item == item else each for each in state.mending
    )
    return state.model_copy(update={"mending": mending})


def after_resolver(state: Reconciling, item: str, end: ItemEnd) -> Outcome:
    """The sub-agent that mends an item is done: its work is merged instead of the item's, or there is none."""
    found = next((each for each in state.mending if each.merge.item == item and not each.is_done), None)
    if found is None:
        return state, ()
    done = found.model_copy(update={"is_done": True, "evidence": None})
    state = state.model_copy(update={"mending": tuple(done if each is found else each for each in state.mending)})
    if end.failure is None:
        merge = Merge(item=item, attempt=end.attempt, by=resolver_item(item, found.number))
        return _put_back(state, (merge,), first=True), ()
    if state.tried.get(item, 0) < state.resolvers:
        return _put_back(state, (found.merge,), first=True), ()
    why = f"{_why(found)}, and the sub-agent that was to mend it ended with: {end.reason or end.failure.value}"
    return _dropped(state, item, why)


def drop(state: Reconciling, item: str) -> Reconciling:
    """Nothing of an item is to be merged, for a reason outside; what is in the green state stays there."""
    if item in state.out or any(each.item == item for each in state.merged):
        return state
    state = _released(state, {item})
    trial = state.trial
    if trial is not None:
        left = tuple(each for each in trial.left if each.item != item)
        is_spoilt = trial.is_spoilt or any(each.item == item for each in trial.merged)
        trial = trial.model_copy(update={"left": left, "is_spoilt": is_spoilt})
    kept = tuple(part.model_copy(update={"merges": _without(part.merges, item)}) for part in state.parts)
    if kept != state.parts:
        kept = tuple(part.model_copy(update={"is_rest": False, "is_known_red": False}) for part in kept)
    return state.model_copy(
        update={
            "out": (*state.out, item),
            "queue": _without(state.queue, item),
            "clashed": tuple(each for each in state.clashed if each != item),
            "trial": trial if trial is not None and (trial.left or trial.merged) else None,
            "parts": kept,
        }
    )


def _begun(state: Reconciling, rows: Sequence[ItemRow]) -> Reconciling:
    """The next trial, if anything is ready: what is left of a red batch, else all that is in the queue."""
    while state.parts:
        part, parts = state.parts[0], state.parts[1:]
        fit = fitting(part.merges, rows, _settled(state))
        if fit != part.merges:
            waiting = tuple(each for each in part.merges if each not in fit)
            state, parts = _put_back(state, waiting), _unknown(parts)
            part = Part(merges=fit)
        if part.is_known_red and len(fit) > 1:
            state = state.model_copy(update={"parts": (*_halves(fit), *parts)})
            continue
        state = state.model_copy(update={"parts": parts})
        if fit:
            return _tried(state, part)
    free = [each for each in state.queue if each.item not in state.held]
    ready = ordered(free, rows, _settled(state), first=state.clashed)
    if not ready:
        return state
    names = {each.item for each in ready}
    state = state.model_copy(
        update={
            "queue": tuple(each for each in state.queue if each.item not in names),
            "clashed": tuple(each for each in state.clashed if each not in names),
        }
    )
    return _tried(state, Part(merges=ready))


def _tried(state: Reconciling, part: Part) -> Reconciling:
    trial = Trial(part=part, onto=state.integrated, at=state.integrated, left=part.merges)
    return state.model_copy(update={"trial": trial})


def _without_empty_trial(state: Reconciling) -> Reconciling:
    if state.trial is None or state.trial.left or state.trial.merged:
        return state
    return state.model_copy(update={"trial": None, "parts": _unknown(state.parts)})


def _green(state: Reconciling, trial: Trial) -> Outcome:
    parts = state.parts
    if parts and parts[0].is_rest and trial.merged == trial.part.merges:
        parts = (Part(merges=parts[0].merges, is_known_red=True), *parts[1:])
    else:
        parts = _unknown(parts)
    merged = (*state.merged, *trial.merged)
    state = state.model_copy(update={"integrated": trial.at, "merged": merged, "trial": None, "parts": parts})
    state = _released(state, {each.item for each in trial.merged})
    return state, tuple(Settled(each.item, ItemStatus.MERGED) for each in trial.merged)


def _halves(merges: tuple[Merge, ...]) -> tuple[Part, Part]:
    middle = (len(merges) + 1) // 2
    return Part(merges=merges[:middle]), Part(merges=merges[middle:], is_rest=True)


def _unknown(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """The parts when the one before them did not come out as it went in: nothing is known of the first any more."""
    return (Part(merges=parts[0].merges), *parts[1:]) if parts else ()


def _mended(state: Reconciling, mending: Mending) -> Outcome:
    """Give an item to a sub-agent, or drop it where it has had enough of them."""
    item = mending.merge.item
    number = state.tried.get(item, 0) + 1
    if number > state.resolvers:
        return _dropped(state, item, _why(mending))
    files = mending.files[:FILES_SHOWN]
    others = tuple(each for each in state.mending if each.merge.item != item)
    other = next((each.merge.item for each in others if set(each.files) & set(files)), None)
    if other is not None:
        state = _put_back(state, (mending.merge,), first=True)
        return state.model_copy(update={"held": {**state.held, item: other}}), ()
    mending = mending.model_copy(update={"number": number, "files": files})
    update = {"mending": (*others, mending), "tried": {**state.tried, item: number}}
    return state.model_copy(update=update), ()


def _why(mending: Mending) -> str:
    """Why an item could not be merged as it was."""
    if mending.files:
        what = f"does not fit to what was merged before it, in {', '.join(mending.files[:5])}"
    else:
        red = [each.name for each in mending.evidence.results if not each.passed] if mending.evidence else []
        what = f"makes the checks red ({', '.join(red)})" if red else "makes the checks red"
    whose = f"what {mending.merge.by} made of it" if mending.merge.by else "its work"
    return f"{whose} {what}"


def _dropped(state: Reconciling, item: str, reason: str) -> Outcome:
    return drop(state, item), (Settled(item, ItemStatus.DROPPED, reason[:REASON_CHARACTERS]),)


def _released(state: Reconciling, items: Collection[str]) -> Reconciling:
    """These items are settled: what waited for one of them may be tried."""
    held = {item: by for item, by in state.held.items() if by not in items and item not in items}
    freed = (item for item in state.held if item not in held and item not in state.clashed)
    mending = tuple(each for each in state.mending if each.merge.item not in items)
    return state.model_copy(update={"mending": mending, "held": held, "clashed": (*state.clashed, *freed)})


def _put_back(state: Reconciling, merges: tuple[Merge, ...], *, first: bool = False) -> Reconciling:
    names = tuple(each.item for each in merges if each.item not in state.clashed) if first else ()
    return state.model_copy(update={"queue": (*merges, *state.queue), "clashed": (*state.clashed, *names)})


def _settled(state: Reconciling) -> set[str]:
    return {*(each.item for each in state.merged), *state.out}


def _on_trial(state: Reconciling) -> tuple[Merge, ...]:
    trial = (*state.trial.left, *state.trial.merged) if state.trial is not None else ()
    return (*trial, *(each for part in state.parts for each in part.merges))


def _without(merges: tuple[Merge, ...], item: str) -> tuple[Merge, ...]:
    return tuple(each for each in merges if each.item != item)
