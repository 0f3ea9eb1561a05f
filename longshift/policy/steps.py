"""How a step is closed, and how an agent comes to a stand: what the outcomes in `policy.loop` share.

Nothing here knows of actions or activities.
"""

from longshift.contracts.agent import AgentOutcome, AgentState, Phase
from longshift.contracts.attention import Attention
from longshift.contracts.ledger import OnLimit
from longshift.contracts.model import ModelOutcome
from longshift.contracts.reviews import Ask, AskKind
from longshift.contracts.transcript import SealInput
from longshift.policy import (
    asking,
    budget,
    calls,
    completion,
    context,
    delegating,
    handover,
    item_end,
    ladder,
    notes,
    rollback,
    tree_spend,
    waiting,
)

LAST_CALLS_CHARACTERS = 140
VERSION_WITH_PEOPLE = 3
"""Agents of earlier versions are never stuck, ask nobody and hold for no budget."""


def after_calls(state: AgentState) -> AgentState:
    """Run what is left of the calls, then `delegate`, then the checks of a `finish`, then close the step."""
    if (wish := asking.wish(state)) is not None:
        return ask(state, wish)
    if calls.unanswered_calls(state):
        return state.model_copy(update={"phase": Phase.TOOLS})
    if delegating.is_open(state):
        return _delegating(delegating.begun(state))
    return state.model_copy(update={"phase": Phase.CHECKS}) if _is_to_be_proved(state) else closed(state)


def _delegating(state: AgentState) -> AgentState:
    wish = delegating.wish(state, asking.ask_id(state, AskKind.SWARM))
    return state.model_copy(update={"phase": Phase.DELEGATE}) if wish is None else ask(state, wish)


def _is_to_be_proved(state: AgentState) -> bool:
    finish = calls.finish_call(state) if state.finish_refused is None else None
    if finish is None or state.version < VERSION_WITH_PEOPLE:
        return finish is not None and state.has_checks
    return completion.has_something_to_prove(state, finish)


def park(state: AgentState, kind: str, text: str) -> AgentState:
    """Hold the agent for a person; the phase it was in is where it goes on. A sub-agent may have to end instead."""
    if state.is_sub_agent and (ending := item_end.ending(kind, text)):
        return _ended_alone(state, ending)
    back = state.resume_phase if state.phase in {Phase.PARKED, Phase.WAITING} else state.phase
    attention = Attention(kind=kind, text=text[:2_000], since_step=state.step)
    parked = state.model_copy(update={"phase": Phase.PARKED, "resume_phase": back, "attention": attention})
    # Where no step is open it may be the rollback itself that failed.
    return parked if kind == "host" and not state.calls else unless_undoing(parked)


def ask(state: AgentState, wish: Ask) -> AgentState:
    """Hold the agent until a person has decided."""
    parked = park(state, wish.kind.value, "; ".join(wish.evidence) if state.is_sub_agent else wish.question)
    if parked.phase is not Phase.PARKED:
        return parked
    back = Phase.TOOLS if state.calls else parked.resume_phase
    return parked.model_copy(update={"ask": wish, "asks": state.asks + 1, "resume_phase": back})


def _ended_alone(state: AgentState, ending: str) -> AgentState:
    """A sub-agent ends where a person would be asked; a model that refuses is not asked for the note either."""
    refused = ending.startswith(item_end.REFUSED_ENDING)
    update = {"phase": Phase.MODEL, "ending": state.ending or ending, "attention": None}
    update["note_by_runner"] = ending if refused else state.note_by_runner
    state = state.model_copy(update=update)
    return closed(state.model_copy(update={"finish_refused": notes.NOT_RUN})) if state.calls else ended_or(state)


def outwait(
    state: AgentState, outcome: ModelOutcome, detail: str, retry_after_seconds: float | None, back: Phase
) -> AgentState:
    """Let a provider recover, or have the next profile take over, then go on in the phase `back`."""
    state = state.model_copy(update={"phase": back})
    if handover.is_due(state):
        return ended_or(handover.to_next_profile(state, detail))
    kind = "quota" if outcome is ModelOutcome.QUOTA else "provider"
    attention = state.attention or Attention(kind=kind, text=detail, since_step=state.step)
    seconds = handover.within_patience(state, waiting.provider_wait_seconds(outcome, state.waits, retry_after_seconds))
    return unless_undoing(
        state.model_copy(
            update={
                "phase": Phase.WAITING,
                "resume_phase": back,
                "waits": state.waits + 1,
                "waited_seconds": state.waited_seconds + seconds,
                "wait_seconds": seconds,
                "attention": attention,
            }
        )
    )


def freed(state: AgentState) -> AgentState:
    """Back from where a person was asked."""
    return state.model_copy(update={"phase": state.resume_phase, "ask": None, "attention": None})


def unless_undoing(state: AgentState) -> AgentState:
    """Nobody waits before a rollback: a step that stands open is closed as it is."""
    if not rollback.holds_up(state):
        return state
    on = state.model_copy(update={"phase": Phase.MODEL, "ask": None, "attention": None})
    return closed(on.model_copy(update={"finish_refused": notes.NOT_RUN})) if state.calls else on


def closed(state: AgentState) -> AgentState:
    """The step is over: keep what seals it, and open the next one, or end."""
    state = ladder.observed(tree_spend.settled(_heard_out(state)))
    is_done = calls.finish_call(state) is not None and state.finish_refused is None
    seal = SealInput(
        agent=state.agent,
        epoch=state.epoch,
        step=state.step,
        results=calls.sealed_results(state, _accepted(state)),
        notes=notes.of_answer(state),
    )
    added_bytes = context.added_bytes(seal, state.results)
    added_tokens = context.estimate_tokens(added_bytes, state.bytes_per_token)
    state = state.model_copy(
        update={
            "unwritten_seal": seal,
            "step": state.step + 1,
            "last_calls": "; ".join(call.summary or call.name for call in state.calls)[:LAST_CALLS_CHARACTERS],
            "context_tokens": state.context_tokens + added_tokens,
            "estimated_tokens": state.estimated_tokens + added_tokens,
            "context_bytes": state.context_bytes + added_bytes,
            "calls": (),
            "answers": (),
            "results": (),
            "stop_reason": "",
            "finish_refused": None,
            "outcome": AgentOutcome.DONE if is_done else None,
            "phase": Phase.ENDED if is_done else Phase.MODEL,
        }
    )
    return state if is_done else _went_on(state)


def _accepted(state: AgentState) -> str:
    return notes.FINISH_ACCEPTED if state.version < VERSION_WITH_PEOPLE else completion.accepted(state)


def _went_on(state: AgentState) -> AgentState:
    """A step is closed, and another one may follow: what speaks against that?"""
    state = _within_budget(state) if state.version < VERSION_WITH_PEOPLE else budget.warned(state)
    if state.ending or state.rollback is not None or state.version < VERSION_WITH_PEOPLE:
        return ended_or(state)
    state = ladder.climbed(state)
    wish = ladder.wish(state)
    return ended_or(state) if wish is None else ask(state, wish)


def _heard_out(state: AgentState) -> AgentState:
    """What arrived meanwhile and may change what is to do, message or rollback, comes before a `finish` is taken."""
    if not is_unheard(state) or state.finish_refused is not None or calls.finish_call(state) is None:
        return state
    return state.model_copy(update={"finish_refused": notes.FINISH_UNHEARD})


def is_unheard(state: AgentState) -> bool:
    """Whether something waits that may change what is to do, and there is time left to hear it."""
    waits = state.rollback is not None or any(notes.must_be_heard(note) for note in state.notes)
    return waits and not state.ending


def _within_budget(state: AgentState) -> AgentState:
    reason = context.exhausted_budget(state)
    return state.model_copy(update={"ending": reason}) if reason and not state.ending else state


def ended_or(state: AgentState) -> AgentState:
    """In the MODEL phase: hand off when the end has come, ask when the budget has, compact when room is short."""
    if state.phase is not Phase.MODEL:
        return state
    if not state.ending and state.version >= VERSION_WITH_PEOPLE and (reason := budget.exhausted(state)):
        if state.limits.on_limit is OnLimit.ASK and not state.is_sub_agent:
            return ask(state, budget.wish(state))
        ending = item_end.ending(AskKind.BUDGET.value, reason) if state.is_sub_agent else reason
        state = state.model_copy(update={"ending": ending})
    if state.ending:
        return state.model_copy(update={"phase": Phase.HANDOFF})
    is_foreign = bool(state.epoch_profile)  # another profile took over while a step was open
    return state.model_copy(update={"phase": Phase.COMPACT}) if is_foreign or context.should_compact(state) else state
