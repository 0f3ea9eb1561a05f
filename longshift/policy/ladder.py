"""What is done about an agent that is stuck: nudge, replan, roll back, escalate, in this order and with patience.

A rung is taken only when signals hold and the agent has had its grace since the one before; it is left again one by
one, after a long calm. What is a signal is `policy.stuck`'s; words are in `policy.notes`, parking in `policy.loop`.
"""

from longshift.contracts.agent import AgentState, News
from longshift.contracts.reviews import Ask, AskKind, Decision
from longshift.contracts.rollback import Rollback
from longshift.contracts.stuck import Rung, RungTaken, Severity, Signal, SignalKind, StuckState
from longshift.contracts.tools import PlanItem, PlanItemStatus
from longshift.contracts.transcript import Note, Speaker
from longshift.policy import asking, evidence, notes, stuck
from longshift.policy.reviews import options_of

RUNGS = (Rung.NONE, Rung.NUDGE, Rung.REPLAN, Rung.ROLLBACK, Rung.ESCALATE)
SAME_PLAN_SHARE = 0.6
"""Of the open lines of a new plan: so many of the failed one's make it the same plan."""
KEPT_RUNGS = 20
KEPT_APPROACHES = 10
KEPT_NEWS = 20
_GRAVITY = {Severity.LOW: 0, Severity.MEDIUM: 1, Severity.HIGH: 2}
_WORSENS = frozenset({SignalKind.OSCILLATION, SignalKind.CHECK_PLATEAU, SignalKind.ERROR_STREAK})
"""Signals under which changed files are no gain."""


def observed(state: AgentState) -> AgentState:
    """The agent with the evidence of the step that is about to be closed."""
    seen = stuck.observed(state.stuck, evidence.of_step(state), state.limits.stuck, recall=state.recall)
    return state.model_copy(update={"stuck": seen.model_copy(update={"spent_tokens": state.usage.total_tokens})})


def climbed(state: AgentState) -> AgentState:
    """The agent after a closed step: one rung further where it has to be, or one back after a long calm."""
    thresholds = state.limits.stuck
    if not thresholds.enabled:
        return state
    here = state.stuck
    if not here.signals:
        return (
            _stepped_down(state) if here.calm_steps >= thresholds.calm_steps and here.rung is not Rung.NONE else state
        )
    signal = max(here.signals, key=lambda each: _GRAVITY[each.severity])
    grace = thresholds.grace_steps if signal.severity is not Severity.HIGH else (thresholds.grace_steps + 1) // 2
    last_step = state.step - 1
    if here.rung is not Rung.NONE and last_step - here.rung_step < grace:
        return state
    return _take(state, _next_rung(state, signal), signal)


def wish(state: AgentState) -> Ask | None:
    """What a person is asked on the last rung."""
    here = state.stuck
    if here.rung is not Rung.ESCALATE or here.rung_step != state.step - 1 or not here.taken:
        return None
    reasons = tuple(f"{_name(signal)}: {' '.join(signal.evidence)}"[:2_000] for signal in here.signals)
    tried = tuple(f"Tried: {taken.rung.value} after step {taken.step}" for taken in here.taken[-4:-1])
    failed = tuple(f"Given up: {approach}" for approach in here.failed_approaches[-3:])
    return Ask(
        id=asking.ask_id(state, AskKind.STUCK),
        kind=AskKind.STUCK,
        question="The agent is stuck, and neither a nudge nor a new plan has helped. What should it do?",
        evidence=(*reasons, *tried, *failed),
        options=options_of(AskKind.STUCK),
        agent=state.agent,
        step=state.step - 1,
    )


def decided(state: AgentState, ask: Ask, decision: Decision) -> AgentState:
    """A person was asked and has spoken: the evidence so far is settled."""
    said = Note(speaker=Speaker.PERSON, text=decision.text, message_id=ask.id)
    return settled(state.model_copy(update={"notes": (*state.notes, said) if decision.text else state.notes}))


def settled(state: AgentState) -> AgentState:
    """What was seen so far counts no more."""
    return state.model_copy(update={"stuck": stuck.answered(state.stuck)})


def took_plan(state: AgentState) -> AgentState:
    """The agent has written a plan: where a new one was demanded, it has to differ from the one that failed."""
    failed = set(state.stuck.replan_from)
    if not failed:
        return state
    new = _open_lines(state.plan)
    same = sum(line in failed for line in new)
    if new and same >= SAME_PLAN_SHARE * len(new):
        return _with_note(state, notes.SAME_PLAN, f"same plan {state.step}")
    return _with(state, replan_from=())


def told(state: AgentState, text: str) -> AgentState:
    """The agent with one more line for people."""
    number = state.news[-1].number + 1 if state.news else 1
    return state.model_copy(update={"news": (*state.news, News(number=number, text=text[:500]))[-KEPT_NEWS:]})


def _next_rung(state: AgentState, signal: Signal) -> Rung:
    if signal.severity is Severity.LOW:
        return Rung.NUDGE
    following = RUNGS[min(RUNGS.index(state.stuck.rung) + 1, len(RUNGS) - 1)]
    if following is Rung.ROLLBACK and _step_before_it_got_worse(state) is None:
        return Rung.ESCALATE
    return following


def _take(state: AgentState, rung: Rung, signal: Signal) -> AgentState:
    step, here = state.step - 1, state.stuck
    if here.rung is rung is Rung.NUDGE and signal.severity is Severity.LOW and here.rung_step:
        return state  # said once; by itself it is worth no more
    taken = RungTaken(rung=rung, step=step, signal=signal)
    state = _with(
        state,
        rung=rung,
        rung_step=step,
        calm_steps=0,
        taken=(*here.taken, taken)[-KEPT_RUNGS:],
        counts={**here.counts, rung.value: here.counts.get(rung.value, 0) + 1},
    )
    state = told(state, f"Stuck ({_name(signal)}) at step {step}: {rung.value}. {' '.join(signal.evidence[:2])}")
    match rung:
        case Rung.NUDGE:
            return _with_note(state, notes.nudge(here.signals), f"nudge {step}")
        case Rung.REPLAN:
            return _replanned(state, signal)
        case Rung.ROLLBACK:
            to_step = _step_before_it_got_worse(state)
            assert to_step is not None  # else the rung is left out
            wish = Rollback(to_step=to_step, reason=notes.undone(signal), by=Speaker.RUNNER)
            return state.model_copy(update={"rollback": wish})
        case _:
            return state


def _replanned(state: AgentState, signal: Signal) -> AgentState:
    failed = _open_lines(state.plan)
    approach = f"{_name(signal)}, steps {signal.first_step} to {signal.last_step}: {' '.join(signal.evidence)}"
    if failed:
        approach = f"{approach} The plan then: {'; '.join(failed)}"
    kept = (*state.stuck.failed_approaches, approach[:500])[-KEPT_APPROACHES:]
    state = _with(state, failed_approaches=kept, replan_from=failed or ("(none)",))
    state = state.model_copy(update={"approved_plan": ""})
    return _with_note(state, notes.replan(state.stuck.signals, kept), f"replan {state.step - 1}")


def _step_before_it_got_worse(state: AgentState) -> int | None:
    """The last good step, where what came after it made the files no better; None: there is nothing to undo."""
    here = state.stuck
    last = state.step - 1
    green = next((each.green for each in reversed(here.steps) if each.green is not None), None)
    if green is not None and green < here.best_green and state.first_step <= here.best_step < last:
        return here.best_step
    begun = [signal.first_step for signal in here.signals if signal.kind in _WORSENS]
    before = max(state.first_step, min(begun, default=last + 1)) - 1
    return before if before < last and _has_changed_files(state, before) else None


def _has_changed_files(state: AgentState, before: int) -> bool:
    """Whether the files after a later step are not those after `before`; what may only have changed them is none."""
    here = state.stuck
    trees = [(0, stuck.tree_hash(state.workspace.base_tree)), (0, here.tree_before)]
    trees += [(each.step, each.tree) for each in here.steps]
    then = [tree for step, tree in trees if tree and step <= before]
    since = {tree for step, tree in trees if tree and step > before}
    return bool(since - set(then[-1:]))


def _stepped_down(state: AgentState) -> AgentState:
    rung = RUNGS[RUNGS.index(state.stuck.rung) - 1]
    return _with(state, rung=rung, rung_step=state.step - 1, calm_steps=0)


def _open_lines(plan: tuple[PlanItem, ...]) -> tuple[str, ...]:
    return tuple(" ".join(item.title.lower().split()) for item in plan if item.status is not PlanItemStatus.DONE)


def _with(state: AgentState, **changes: object) -> AgentState:
    changed: StuckState = state.stuck.model_copy(update=changes)
    return state.model_copy(update={"stuck": changed})


def _with_note(state: AgentState, text: str, message_id: str) -> AgentState:
    note = Note(speaker=Speaker.RUNNER, text=text, message_id=message_id)
    return state.model_copy(update={"notes": (*state.notes, note)})


def _name(signal: Signal) -> str:
    return signal.kind.value.replace("_", " ")
