"""What moves a `StuckState` by evidence: a step, a state of the files, a rollback, a person's advice.

The fields of the ladder (rung, rungs taken, failed approaches) are only read here, but for the rung after advice.
"""

from longshift.contracts.agent import Recall
from longshift.contracts.stuck import Rung, StepEvidence, StuckState, StuckThresholds
from longshift.policy.stuck import keeping, novelty, signals, streaks
from longshift.policy.stuck.window import Window, moves_of, waits


def observed(state: StuckState, step: StepEvidence, thresholds: StuckThresholds, *, recall: Recall) -> StuckState:
    """The state after a closed step: its evidence kept, progress noted, and the signals that hold now."""
    step = keeping.trimmed(step)
    tree = step.tree
    seen = keeping.without_results(state.seen) if step.compacted else state.seen
    step = step.model_copy(update={"stale": novelty.is_stale(state, step), "tree": ""})
    after = keeping.kept(state.model_copy(update={"seen": seen, "streaks": streaks.after_step(state, step)}), step)
    after = _with_progress(state, after, step)
    if tree:
        after = with_tree(after, step.step, tree)
    window = Window(after, thresholds, recall, moves_of(after))
    found = signals.found(window) if thresholds.enabled else ()
    return after.model_copy(update={"signals": found, "calm_steps": 0 if found else state.calm_steps + 1})


def with_tree(state: StuckState, step: int, tree_hash: str) -> StuckState:
    """A checkpoint tells the files' hash after `step`; nothing changes where the step is no longer kept.

    Signals are looked for when the next step closes.
    """
    if not tree_hash or all(each.step != step for each in state.steps):
        return state
    tree = keeping.tree_hash(tree_hash)
    known = {state.tree_before, *(each.tree for each in state.steps)}
    is_new = tree not in known and keeping.tree_key(tree) not in state.seen
    steps = tuple(each.model_copy(update={"tree": tree}) if each.step == step else each for each in state.steps)
    after = state.model_copy(update={"steps": steps})
    return _progressed(after, step) if is_new and step > state.progress_step else after


def forgotten(state: StuckState, after_step: int) -> StuckState:
    """Steps after `after_step` were undone: their evidence does not count. What the ladder keeps stays."""
    steps = tuple(step for step in state.steps if step.step <= after_step)
    undone = state.steps[len(steps) :]
    update: dict[str, object] = {
        "steps": steps,
        "streaks": streaks.forgotten(state.streaks, after_step),
        "progress_step": min(state.progress_step, after_step),
        "idle": max(0, state.idle - sum(not waits(step) for step in undone)),
        "signals": (),
    }
    if state.best_step > after_step:
        best = max((step.green for step in steps if step.green is not None), default=-1)
        first = next((step.step for step in steps if step.green == best), 0)
        update |= {"best_green": best, "best_step": first}
    return state.model_copy(update=update)


def answered(state: StuckState) -> StuckState:
    """A person has given advice: the evidence so far is settled, and the ladder stands on no rung."""
    last = state.steps[-1].step if state.steps else state.progress_step
    update = {
        "streaks": (),
        "progress_step": max(last, state.progress_step),
        "idle": 0,
        "signals": (),
        "rung": Rung.NONE,
        "calm_steps": 0,
    }
    return keeping.settled(state).model_copy(update=update)


def _with_progress(before: StuckState, after: StuckState, step: StepEvidence) -> StuckState:
    """What checks and plan say of progress; where nothing was seen yet, an agent begins just before the step."""
    is_first = not before.steps and before.progress_step == 0
    update: dict[str, object] = {
        "idle": before.idle + (not waits(step)),
        "progress_step": step.step - 1 if is_first else before.progress_step,
    }
    is_greener = step.green is not None and step.green > before.best_green
    if is_greener:
        update |= {"best_green": step.green, "best_step": step.step}
    after = after.model_copy(update=update)
    is_done = bool(before.steps) and step.plan_done > before.steps[-1].plan_done
    return _progressed(after, step.step) if is_done or (is_greener and step.green) else after


def _progressed(state: StuckState, step: int) -> StuckState:
    idle = sum(each.step > step and not waits(each) for each in state.steps)
    return state.model_copy(update={"progress_step": step, "idle": idle})
