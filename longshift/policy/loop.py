"""The agent loop as a pure state machine: `next_action` says what to do, the `after_…` functions take the outcome.

Everything that moves an `AgentState` lives in this file and in `steps`. A feature becomes a policy function that they
call, an action or an activity; it never becomes a paragraph in here or in the workflow.

    MODEL ──answer──► TOOLS ──results──► [DELEGATE | CHECKS ► VERIFY] ──► the step is closed: MODEL (next step) | ENDED
      │ overflow or little room ► COMPACT ► MODEL      provider down ► WAITING ► back
      │ time or budget used up  ► HANDOFF ► ENDED      a person has to help ► PARKED ► back

What closes a step, its seal, travels with the next model call; `must_seal` says when it has to be written before.
"""

from longshift.contracts.agent import AgentOutcome, AgentState, Phase
from longshift.contracts.checks import ChecksDigest
from longshift.contracts.completion import Verdict
from longshift.contracts.ledger import Extension
from longshift.contracts.model import HandoffDigest, ModelDigest, ModelOutcome
from longshift.contracts.reviews import AskKind, Decision
from longshift.contracts.rollback import ConversationRolledBack, FilesRolledBack, Rollback
from longshift.contracts.session import TimeUsed
from longshift.contracts.slots import SlotGranted
from longshift.contracts.swarm import SwarmReport, SwarmSummary
from longshift.contracts.swarm_plan import PlanDigest
from longshift.contracts.tools import ToolDigest, ToolStatus
from longshift.contracts.transcript import Note, Speaker
from longshift.contracts.verification import VerdictDigest
from longshift.contracts.workspace import CheckpointDigest
from longshift.policy import (
    asking,
    budget,
    calls,
    completion,
    delegating,
    ladder,
    notes,
    proof_notes,
    recall,
    rollback,
    slots,
    standing,
    steps,
    stuck,
    tree_spend,
)
from longshift.policy.actions import (
    Action,
    CallModel,
    Compact,
    Finish,
    Park,
    RollBack,
    RunChecks,
    RunTools,
    Seal,
    Verify,
    Wait,
    WriteHandoff,
)

MAX_OVERFLOWS = 3
"""Overflows in a row that compaction may try to cure before a person is called."""
MAX_NOTES_AT_ONCE = 10
"""Messages that one model call delivers; keeps its input below a few hundred KB."""
VERSION_WITH_CONTEXT = 2
"""Agents of earlier versions end without a note that no model wrote, and do not ask a host for background jobs."""
MAX_HANDOFF_WAITS = 3
"""How often the last hand-off note may wait for the provider before the session ends without one."""

_ALWAYS: dict[Phase, Action] = {
    Phase.COMPACT: Compact(),
    Phase.HANDOFF: WriteHandoff(),
    Phase.VERIFY: Verify(),
    Phase.PARKED: Park(),
}
"""Phases in which there is nothing to choose."""


def next_action(state: AgentState) -> Action:
    """What to do now."""
    if state.unwritten_seal is not None and must_seal(state):
        return Seal(seal=state.unwritten_seal)
    if state.rollback is not None and rollback.is_due(state):
        return RollBack(state.rollback)
    match state.phase:
        case Phase.MODEL:
            return CallModel(notes=state.notes[:MAX_NOTES_AT_ONCE], seal=state.unwritten_seal)
        case Phase.TOOLS:
            return RunTools(calls.batches(calls.unanswered_calls(state)))
        case Phase.CHECKS:
            has_people = state.version >= steps.VERSION_WITH_PEOPLE
            return RunChecks(are_there=completion.has_something_to_run(state) or not has_people)
        case Phase.DELEGATE:
            return delegating.next_action(state)
        case Phase.WAITING:
            return Wait(seconds=state.wait_seconds)
        case Phase.COMPACT | Phase.HANDOFF | Phase.VERIFY | Phase.PARKED:
            return _ALWAYS[state.phase]
        case Phase.ENDED:
            return Finish(report=standing.report(state))


def must_seal(state: AgentState) -> bool:
    """Whether the step before has to be closed by itself: what comes next reads it, or nothing comes for long."""
    needed = state.phase in {Phase.COMPACT, Phase.HANDOFF, Phase.ENDED} or (
        state.phase is Phase.MODEL and (is_held(state) or state.rollback is not None)
    )
    return needed and state.unwritten_seal is not None


def is_held(state: AgentState) -> bool:
    """Whether the agent holds at the next step: a person said so, its host is about to stop, or the fleet's budget is
    used up."""
    return (state.paused or state.suspended or state.fleet_held) and state.rollback is None


def has_ended(state: AgentState) -> bool:
    """Whether nothing is left to do."""
    return state.phase is Phase.ENDED and state.unwritten_seal is None


def after_model(state: AgentState, digest: ModelDigest) -> AgentState:
    """Take the outcome of `CallModel`; whatever it is, the seal that came along has been written."""
    state = budget.charged(state, digest).model_copy(update={"unwritten_seal": None})
    match digest.outcome:
        case ModelOutcome.ANSWERED | ModelOutcome.TRUNCATED:
            return _answered(state.model_copy(update={"notes": state.notes[digest.delivered_notes :]}), digest)
        case ModelOutcome.OVERFLOW:
            return _overflowed(state, digest)
        case ModelOutcome.QUOTA | ModelOutcome.UNAVAILABLE:
            return steps.outwait(state, digest.outcome, digest.detail, digest.retry_after_seconds, Phase.MODEL)
        case ModelOutcome.REFUSED:
            return steps.park(state, "refused", digest.detail)
        case ModelOutcome.MISCONFIGURED:
            return steps.park(state, "configuration", digest.detail)


def _answered(state: AgentState, digest: ModelDigest) -> AgentState:
    answered = state.model_copy(
        update={
            "context_tokens": digest.context_tokens,
            "estimated_tokens": 0,
            "context_bytes": digest.context_bytes,
            "body_limit_bytes": digest.body_limit_bytes,
            "bytes_per_token": digest.bytes_per_token or state.bytes_per_token,
            "window_tokens": digest.window_tokens,
            "needs_room": False,
            "overflow_streak": 0,
            "waits": 0,
            "waited_seconds": 0.0,
            "attention": None,
            "recall": recall.after_calls(state.recall, digest.calls),
            "calls": digest.calls,
            "answers": (),
            "plan_is_shown": False,
            "stop_reason": "truncated" if digest.outcome is ModelOutcome.TRUNCATED else digest.stop_reason,
            "results": (),
            "finish_refused": None,
            "idle_answers": 0 if digest.calls else state.idle_answers + 1,
            "tool_calls": state.tool_calls + len(digest.calls),
            "rejected_calls": state.rejected_calls + sum(call.rejected for call in digest.calls),
            "last_text": digest.text or state.last_text,
        }
    )
    return steps.after_calls(asking.answered(answered))


def _overflowed(state: AgentState, digest: ModelDigest) -> AgentState:
    streak = state.overflow_streak + 1
    state = state.model_copy(
        update={
            "overflow_streak": streak,
            "window_tokens": digest.window_tokens or state.window_tokens,
            "learnt_window_tokens": digest.learnt_window_tokens or state.learnt_window_tokens,
            "body_limit_bytes": digest.body_limit_bytes or state.body_limit_bytes,
            "needs_room": True,
        }
    )
    if streak > MAX_OVERFLOWS or _is_smallest(state):
        return steps.park(state, "overflow", f"the context does not fit even after compaction: {digest.detail}")
    return state.model_copy(update={"phase": Phase.COMPACT})


def _is_smallest(state: AgentState) -> bool:
    """Whether a conversation that does not fit cannot be made smaller: it is a bare opening, with a note at most.

    The first compaction may have cleared results only, or kept the newest rounds; the second has left all of it out.
    """
    if state.step != state.epoch_first_step:
        return False
    return state.step == 1 or state.version < VERSION_WITH_CONTEXT or state.overflow_streak > 2


def decided(state: AgentState, decision: Decision) -> AgentState:
    """A person decided; a word on a question that is not open any more changes nothing."""
    wish = state.ask
    if wish is None or wish.id != decision.ask_id:
        return state
    state = steps.freed(state)
    if decision.option == "end":
        return _ended_by_person(state, decision)
    state = asking.decided(state, wish, decision)
    match wish.kind:
        case AskKind.RISK | AskKind.PLAN | AskKind.QUESTION:
            return steps.after_calls(state)
        case AskKind.SWARM:
            return steps.after_calls(delegating.decided(state, decision))
        case AskKind.VERDICT:
            state, refused = completion.decided(state, decision)
            return steps.closed(state.model_copy(update={"finish_refused": refused}))
        case AskKind.STUCK:
            return steps.ended_or(ladder.decided(state, wish, decision))
        case AskKind.BUDGET:
            raised = budget.decided(state, decision)
            if isinstance(raised, str) and budget.shortage(state):
                return steps.ask(state, budget.wish(state, raised))
            return steps.ended_or(state if isinstance(raised, str) else raised)
        case _:
            return steps.ended_or(state)


def _ended_by_person(state: AgentState, decision: Decision) -> AgentState:
    said = f": {decision.text}" if decision.text else ""
    state = state.model_copy(update={"ending": f"ended by {decision.by or 'a person'}{said}"[:500]})
    if state.calls:
        return steps.closed(state.model_copy(update={"finish_refused": notes.NOT_RUN}))
    return steps.ended_or(state)


def ask_rollback(state: AgentState, wish: Rollback) -> AgentState:
    """Somebody wants steps undone, as soon as none is open; the last wish counts."""
    return state if state.phase is Phase.ENDED else steps.unless_undoing(state.model_copy(update={"rollback": wish}))


def after_rollback(
    state: AgentState, wish: Rollback, files: FilesRolledBack, done: ConversationRolledBack
) -> AgentState:
    """Take the outcome of `RollBack`."""
    return steps.ended_or(rollback.after(state, wish, files, done))


def resume(state: AgentState) -> AgentState:
    """A person resumed, or the wait is over: go on where the agent stopped."""
    if state.phase not in {Phase.PARKED, Phase.WAITING} or (state.ask and state.ask.kind in asking.HOLDING):
        return state
    if state.ask is not None:
        freed = steps.freed(state)
        if state.ask.kind is AskKind.VERDICT and state.calls:
            freed, refused = completion.withdrawn(freed)
            return steps.closed(freed.model_copy(update={"finish_refused": refused}))
        return steps.after_calls(asking.undecided(freed)) if state.calls else steps.ended_or(ladder.settled(freed))
    keep = state.attention if state.phase is Phase.WAITING else None
    streak = 0 if state.phase is Phase.PARKED else state.overflow_streak
    return steps.ended_or(
        state.model_copy(update={"phase": state.resume_phase, "attention": keep, "overflow_streak": streak})
    )


def after_tool(state: AgentState, digest: ToolDigest) -> AgentState:
    """Take the result of one call; the phase moves on with the last."""
    results = (*(result for result in state.results if result.index != digest.index), digest)
    state = state.model_copy(
        update={
            "results": results,
            "plan": digest.plan if digest.plan is not None else state.plan,
            "checkpoint_due": state.checkpoint_due or digest.changes_workspace,
            "unsaved_steps": slots.with_unsaved(state, digest),
            "lost_calls": state.lost_calls + (digest.status is ToolStatus.LOST),
        }
    )
    if state.version >= steps.VERSION_WITH_PEOPLE:
        state = completion.took_result(state, digest)
    return steps.after_calls(ladder.took_plan(state) if digest.plan is not None else state)


def after_checks(state: AgentState, digest: ChecksDigest | None) -> AgentState:
    """Take the outcome of the checks that `finish` asked for; None: there are none, and its claims are all there is."""
    finish = calls.finish_call(state)
    if state.version >= steps.VERSION_WITH_PEOPLE and finish is not None:
        state = completion.with_claims(state, finish)
    if digest is not None:
        refused = None if digest.passed else notes.finish_refused(digest, proposed=bool(state.completion.proposed))
        update = {"checks": digest, "checked_step": state.step, "finish_refused": refused}
        state = state.model_copy(update=update)
    if state.finish_refused is not None or state.version < steps.VERSION_WITH_PEOPLE:
        return steps.closed(state)
    if refused := completion.claims_refusal(state):
        return steps.closed(completion.refused_for_claims(state).model_copy(update={"finish_refused": refused}))
    if state.verifier is None or steps.is_unheard(state):
        return steps.closed(state)
    return state.model_copy(update={"phase": Phase.VERIFY})


def after_verdict(state: AgentState, digest: VerdictDigest) -> AgentState:
    """Take the outcome of `Verify`. Trouble with the provider is waited out, and is never a rejection."""
    state = budget.charged(state, digest)
    match digest.outcome:
        case ModelOutcome.ANSWERED if digest.verdict is not None:
            settled = {"waits": 0, "waited_seconds": 0.0, "attention": None}
            return _judged(completion.took_verdict(state.model_copy(update=settled), digest.verdict), digest.verdict)
        case ModelOutcome.QUOTA | ModelOutcome.UNAVAILABLE:
            alone = state.verifier is not None and state.verifier.model is not None
            asked = state.model_copy(update={"fallback": ()}) if alone else state
            waits = steps.outwait(asked, digest.outcome, digest.detail, digest.retry_after_seconds, Phase.VERIFY)
            return waits.model_copy(update={"fallback": state.fallback}) if alone else waits
        case _:
            return steps.park(state, digest.outcome.value, f"the verifier could not be asked: {digest.detail}")


def _judged(state: AgentState, verdict: Verdict) -> AgentState:
    if verdict.accepted:
        return steps.closed(state)
    wish = completion.verdict_wish(state)
    if wish is not None:
        return steps.ask(state, wish)
    return steps.closed(state.model_copy(update={"finish_refused": completion.last_refusal(state)}))


def after_plan(state: AgentState, plan: PlanDigest) -> AgentState:
    """Take the outcome of `PlanSwarm`."""
    return steps.after_calls(delegating.after_plan(state, plan))


def after_amendment(state: AgentState, plan: PlanDigest) -> AgentState:
    """Take the outcome of `AmendPlan`."""
    return steps.after_calls(delegating.after_amendment(state, plan))


def after_critic(state: AgentState, digest: VerdictDigest) -> AgentState:
    """Take the outcome of `CriticisePlan`. Trouble with the provider is waited out, and is never a rejection."""
    state = budget.charged(state, digest)
    if digest.outcome in {ModelOutcome.QUOTA, ModelOutcome.UNAVAILABLE}:
        waits = steps.outwait(state, digest.outcome, digest.detail, digest.retry_after_seconds, Phase.DELEGATE)
        return steps.after_calls(delegating.given_up(waits)) if waits.ending and waits.calls else waits
    if digest.outcome is not ModelOutcome.ANSWERED or digest.verdict is None:
        return steps.park(state, digest.outcome.value, f"the critic could not be asked: {digest.detail}")
    state = state.model_copy(update={"waits": 0, "waited_seconds": 0.0, "attention": None})
    return steps.after_calls(delegating.after_critic(state, digest.verdict))


def swarm_told(state: AgentState, summary: SwarmSummary) -> AgentState:
    """The swarm at work tells how far it has come, and what was spent."""
    told = tree_spend.told(state, summary)
    return state if told is state else budget.warned(told)


def after_swarm(state: AgentState, report: SwarmReport) -> AgentState:
    """Take the outcome of `RunSwarm`; it is the result of the call."""
    index = state.delegation.index if state.delegation else report.result.index
    return after_tool(delegating.after_swarm(state, report), report.result.model_copy(update={"index": index}))


def after_checkpoint(state: AgentState, digest: CheckpointDigest) -> AgentState:
    """Take the state of the tree."""
    seen = stuck.with_tree(state.stuck, digest.step, digest.tree_hash)
    unsaved = slots.without_saved(state, digest)
    state = completion.with_tree(state, digest.step, digest.tree_hash)
    return state.model_copy(update={"checkpoint": digest, "unsaved_steps": unsaved, "stuck": seen})


def slot_lost(state: AgentState, generation: int) -> AgentState:
    """The slot is gone: what needs the host waits for the next one."""
    return state.model_copy(update={"has_slot": False}) if generation == state.workspace.generation else state


def slot_granted(state: AgentState, granted: SlotGranted) -> AgentState:
    """A slot is there; where the files were made again, the model hears what is missing."""
    if granted.generation < state.workspace.generation:
        return state
    told = slots.told(state, granted.workspace)
    update: dict[str, object] = {"workspace": granted.workspace, "has_slot": True, "suspended": False}
    if granted.workspace.restoration is not None and granted.workspace.life > state.workspace.life:
        update["unsaved_steps"] = ()
        update["completion"] = completion.restored(state, granted.workspace.restoration)
    state = state.model_copy(update=update)
    return take_note(state, told) if told else state


def after_seal(state: AgentState) -> AgentState:
    """The seal is written."""
    return state.model_copy(update={"unwritten_seal": None})


def after_compaction(state: AgentState, digest: HandoffDigest) -> AgentState:
    """Take the outcome of `Compact`."""
    state = budget.charged(state, digest)
    match digest.outcome:
        case ModelOutcome.ANSWERED:
            return steps.ended_or(
                state.model_copy(
                    update={
                        "phase": Phase.MODEL,
                        "epoch": digest.epoch,
                        "epoch_first_step": state.step,
                        "epoch_profile": "",
                        "context_tokens": digest.context_tokens,
                        "estimated_tokens": digest.context_tokens,
                        "context_bytes": digest.context_bytes,
                        "needs_room": False,
                        "compactions": state.compactions + (not digest.cleared),
                        "clearings": state.clearings + digest.cleared,
                        "cleared_step": state.step if digest.cleared else 0,
                        "recall": recall.after_compaction(state.recall, state.step),
                        "waits": 0,
                        "waited_seconds": 0.0,
                        "attention": None,
                        "handoff_note": state.handoff_note if digest.cleared else digest.note,
                    }
                )
            )
        case ModelOutcome.QUOTA | ModelOutcome.UNAVAILABLE:
            return steps.outwait(state, digest.outcome, digest.detail, digest.retry_after_seconds, Phase.COMPACT)
        case _:
            return steps.park(state, digest.outcome.value, f"compaction failed: {digest.detail}")


def after_handoff(state: AgentState, digest: HandoffDigest) -> AgentState:
    """Take the outcome of `WriteHandoff`; without a note the agent still ends, and the report says so."""
    state = budget.charged(state, digest)
    if digest.outcome in {ModelOutcome.QUOTA, ModelOutcome.UNAVAILABLE} and state.waits < MAX_HANDOFF_WAITS:
        return steps.outwait(state, digest.outcome, digest.detail, digest.retry_after_seconds, Phase.HANDOFF)
    written = digest.outcome is ModelOutcome.ANSWERED
    if not written and not state.note_by_runner and state.version >= VERSION_WITH_CONTEXT:
        return state.model_copy(update={"note_by_runner": digest.detail or digest.outcome.value})
    ending = state.ending if written else f"{state.ending}; no hand-off note: {digest.detail}"
    return state.model_copy(
        update={
            "phase": Phase.ENDED,
            "outcome": AgentOutcome.EXPIRED,
            "ending": ending,
            "handoff_note": digest.note if written else "",
            "attention": None,
        }
    )


def take_note(state: AgentState, note: Note) -> AgentState:
    """A person's or the runner's message, delivered with the next model call; the same one twice is one."""
    if note.message_id and any(known.message_id == note.message_id for known in state.notes):
        return state
    return state.model_copy(update={"notes": (*state.notes, note)})


def extended(state: AgentState, more: Extension) -> AgentState:
    """A person gave more of the budget; an agent that holds for it goes on when it is enough."""
    state = budget.extended(state, more)
    if state.ask is None or state.ask.kind is not AskKind.BUDGET or budget.shortage(state):
        return state
    return steps.ended_or(steps.freed(state))


def warn_of_time(state: AgentState, time: TimeUsed) -> AgentState:
    """Most of the active time is used."""
    return budget.warned_of_time(state, time)


def wrap_up(state: AgentState, remaining_seconds: float) -> AgentState:
    """Warn that the end is near; an extended session is warned again."""
    note = Note(speaker=Speaker.RUNNER, text=notes.wrap_up(remaining_seconds), message_id="wrap up")
    return take_note(state, note)


def end(state: AgentState, reason: str) -> AgentState:
    """Time is up: the current step is finished, then the hand-off note is written."""
    state = state.model_copy(update={"ending": state.ending or reason})
    if state.phase in {Phase.PARKED, Phase.WAITING} and state.resume_phase is Phase.MODEL:
        state = state.model_copy(update={"phase": Phase.MODEL, "ask": None})
    if state.phase is Phase.WAITING and state.resume_phase is Phase.VERIFY:
        return steps.closed(state.model_copy(update={"finish_refused": proof_notes.TIME_IS_UP}))
    if state.phase is Phase.WAITING and state.resume_phase is Phase.DELEGATE:
        return steps.after_calls(delegating.given_up(state.model_copy(update={"attention": None})))
    return steps.ended_or(state)


def cancelled(state: AgentState, reason: str, *, is_asking: bool = False) -> AgentState:
    """A person cancelled: an open step is closed as it stands, so that the transcript ends sound.

    `is_asking`: a model call was out, and nobody will tell what it cost.
    """
    if is_asking:
        state = budget.lost_call(state)
    if state.calls:
        state = steps.closed(state.model_copy(update={"finish_refused": notes.NOT_RUN}))
    return state.model_copy(update={"phase": Phase.ENDED, "outcome": AgentOutcome.CANCELLED, "ending": reason})
