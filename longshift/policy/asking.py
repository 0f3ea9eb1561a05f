"""When an agent waits for a person before its calls run, and what a decision means for these calls.

What is offered is `policy.reviews`'; parking and going on is `policy.loop`'s.
"""

import hashlib

from longshift.contracts.agent import AgentState, PersonAnswer
from longshift.contracts.completion import ProposedCheck
from longshift.contracts.model import CallDigest, ToolClass
from longshift.contracts.reviews import Ask, AskKind, Autonomy, Decision, Risk
from longshift.contracts.tools import ASK_HUMAN, UPDATE_PLAN, PlanItem
from longshift.contracts.transcript import Note, Speaker
from longshift.policy import call_rules, describe, notes
from longshift.policy.call_rules import MAY_ALWAYS_RUN, PLANS_ARE_REVIEWED
from longshift.policy.calls import NOT_ON_HOST
from longshift.policy.reviews import EVIDENCE_CHARACTERS, EVIDENCE_LINES, options_of

HOLDING = frozenset({AskKind.RISK, AskKind.PLAN, AskKind.BUDGET, AskKind.SWARM, AskKind.DELIVERY})
"""Only a decision ends these questions; a message or a resume leaves them open."""
_ASKED_OF: dict[Autonomy, frozenset[Risk]] = {
    Autonomy.FULL: frozenset(),
    Autonomy.BALANCED: frozenset({Risk.HIGH, Risk.UNKNOWN}),
    Autonomy.CAUTIOUS: frozenset({Risk.HIGH, Risk.UNKNOWN, Risk.MEDIUM}),
    Autonomy.MANUAL: frozenset({Risk.HIGH, Risk.UNKNOWN, Risk.MEDIUM}),
}


def needs_approval(autonomy: Autonomy, name: str, tool_class: ToolClass, risk: Risk) -> bool:
    """Whether a person has to let a call run."""
    if name in MAY_ALWAYS_RUN:
        return False
    return is_asked_about(autonomy, risk) or (autonomy is Autonomy.MANUAL and tool_class is ToolClass.EFFECT)


def is_asked_about(autonomy: Autonomy, risk: Risk) -> bool:
    """Whether what is of this risk waits for a person."""
    return risk in _ASKED_OF[autonomy]


def answered(state: AgentState) -> AgentState:
    """An answer came: what the rules alone decide about its calls is decided."""
    said = [
        PersonAnswer(index=call.index, allowed=False, text=text)
        for call in state.calls
        if (text := call_rules.refusal(state, call))
    ]
    refused = call_rules.finish_refusal(state)
    return state.model_copy(update={"answers": tuple(said), "finish_refused": refused})


def wish(state: AgentState) -> Ask | None:
    """What a person has to decide before the open step goes on; None: nothing.

    Calls come before they run, a plan and a question once everything else in the answer has its result.
    """
    if waiting := _waiting(state):
        count = len(waiting)
        question = "May this call run?" if count == 1 else f"May these {count} calls run?"
        return _ask(state, AskKind.RISK, question, tuple(piece for call in waiting for piece in _shown(call)))
    if _is_open(state):
        return None
    if is_plan_unapproved(state):
        failed = tuple(f"Given up: {approach}" for approach in state.stuck.failed_approaches[-3:])
        return _ask(
            state,
            AskKind.PLAN,
            "May the agent work by this plan?",
            (*_pieces(describe.plan_text(state.plan, state.completion.proposed)), *failed),
        )
    said = {answer.index for answer in state.answers}
    question = next((call for call in state.calls if _asks(call) and call.index not in said), None)
    return None if question is None else _ask(state, AskKind.QUESTION, question.shown, (), question.choices)


def decided(state: AgentState, ask: Ask, decision: Decision) -> AgentState:
    """The calls and the plan after a person's word on them; other kinds of questions change nothing here."""
    match ask.kind:
        case AskKind.RISK:
            allowed = decision.option == "approve"
            text = "" if allowed else notes.not_approved(decision)
            more = [PersonAnswer(index=call.index, allowed=allowed, text=text) for call in _waiting(state)]
            return state.model_copy(update={"answers": (*state.answers, *more)})
        case AskKind.PLAN:
            approved = decision.option == "approve"
            update: dict[str, object] = {"notes": (*state.notes, _about_plan(ask, decision, approved=approved))}
            update["approved_plan"] = (
                plan_hash(state.plan, state.completion.proposed) if approved else state.approved_plan
            )
            update["plan_is_shown"] = True
            return state.model_copy(update=update)
        case AskKind.QUESTION:
            return _replied(state, _words(ask, decision))
        case _:
            return state


def undecided(state: AgentState) -> AgentState:
    """Somebody resumed or wrote instead of answering: an open `ask_human` gets that as its result."""
    return _replied(state, notes.NOT_ANSWERED)


def is_plan_unapproved(state: AgentState) -> bool:
    """Whether the plan that the open step brought waits for a person."""
    is_reviewed = state.autonomy in PLANS_ARE_REVIEWED and not state.is_sub_agent
    if not is_reviewed or state.plan_is_shown or not _brings_plan(state):
        return False
    if state.autonomy is Autonomy.MANUAL:
        return state.approved_plan != plan_hash(state.plan, state.completion.proposed)
    return not state.approved_plan


def plan_hash(plan: tuple[PlanItem, ...], checks: tuple[ProposedCheck, ...] = ()) -> str:
    """Of what a plan says and how it is to be proved, whatever has been done of it (16 hex digits)."""
    lines = [*(item.title for item in plan), *(f"{check.name}\0{check.run}" for check in checks)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _is_open(state: AgentState) -> bool:
    done = {result.index for result in state.results} | {answer.index for answer in state.answers if not answer.allowed}
    return any(not call.rejected and call.name not in NOT_ON_HOST and call.index not in done for call in state.calls)


def _brings_plan(state: AgentState) -> bool:
    done = {result.index for result in state.results}
    return any(call.name == UPDATE_PLAN and call.index in done for call in state.calls)


def _asks(call: CallDigest) -> bool:
    return call.name == ASK_HUMAN and not call.rejected


def _replied(state: AgentState, text: str) -> AgentState:
    said = {answer.index for answer in state.answers}
    indexes = [call.index for call in state.calls if _asks(call) and call.index not in said]
    more = [PersonAnswer(index=index, allowed=False, text=text) for index in indexes[:1]]
    return state.model_copy(update={"answers": (*state.answers, *more)})


def _words(ask: Ask, decision: Decision) -> str:
    label = next((option.label for option in ask.options if option.id == decision.option), decision.option)
    chosen = label if decision.option.startswith("choice-") else ""
    return "\n".join(filter(None, (chosen, decision.text))) or label


def _about_plan(ask: Ask, decision: Decision, *, approved: bool) -> Note:
    said = f"\n{decision.text}" if decision.text else ""
    text = (
        f"The plan is approved.{said}" if approved else f"The plan is not approved. Change it with update_plan.{said}"
    )
    return Note(speaker=Speaker.PERSON, text=text, message_id=ask.id)


def _waiting(state: AgentState) -> list[CallDigest]:
    """The calls that a person has to let run, as many as one question shows."""
    said = {answer.index for answer in state.answers}
    waiting = [call for call in state.calls if call.needs_approval and not call.rejected and call.index not in said]
    lines = [len(_shown(call)) for call in waiting]
    return [call for number, call in enumerate(waiting) if number == 0 or sum(lines[: number + 1]) <= EVIDENCE_LINES]


def _shown(call: CallDigest) -> tuple[str, ...]:
    """All of a call, in as many lines of evidence as it takes."""
    why = f" ({risk_in_words(call)})" if call.risk_reason else ""
    return _pieces(f"{call.name}{why}:\n{call.shown}")


def risk_in_words(call: CallDigest) -> str:
    """Class and reason, such as `high risk: reads secrets`."""
    return f"{call.risk.value} risk: {call.risk_reason}"


def _pieces(text: str) -> tuple[str, ...]:
    """A long text as evidence: whole, in pieces that end with a line where they can."""
    pieces: list[str] = []
    for line in text.splitlines(keepends=True):
        if pieces and len(pieces[-1]) + len(line) <= EVIDENCE_CHARACTERS:
            pieces[-1] += line
        else:
            pieces += [line[at : at + EVIDENCE_CHARACTERS] for at in range(0, len(line), EVIDENCE_CHARACTERS)]
    return tuple(piece.rstrip("\n") for piece in pieces)


def _ask(
    state: AgentState, kind: AskKind, question: str, evidence: tuple[str, ...], choices: tuple[str, ...] = ()
) -> Ask:
    return Ask(
        id=ask_id(state, kind),
        kind=kind,
        question=question,
        evidence=evidence,
        options=options_of(kind, choices),
        agent=state.agent,
        step=state.step,
    )


def ask_id(state: AgentState, kind: AskKind) -> str:
    """The id of the agent's next question; unique within its session."""
    return f"{state.agent.partition('/')[2]}-{state.asks + 1}-{kind.value}"
