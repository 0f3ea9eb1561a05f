"""What becomes of a `delegate` call: a plan, somebody's word on it, a swarm, a result.

    PLAN ──► [CRITIC | PERSON ⇄ AMEND] ──► RUN ──► the swarm's result is the call's
      └ refused ──────┴──────────────────────────► the reasons are the call's result

Nothing is carried out but a plan whose hash was approved, by the rules, a critic or a person. Parking, waiting and
closing steps is `policy.loop`'s and `steps`'; what a swarm spent is in `tree_spend`.
"""

from longshift.contracts import ids
from longshift.contracts.agent import AgentState, PersonAnswer
from longshift.contracts.attention import Attention
from longshift.contracts.completion import Verdict
from longshift.contracts.delegation import Delegation, DelegationStage
from longshift.contracts.reviews import Ask, AskKind, Autonomy, Decision
from longshift.contracts.swarm import ItemStatus, SwarmReport
from longshift.contracts.swarm_plan import PlanDigest, PlanReview
from longshift.policy import call_rules, calls, ladder, swarm_allowance, tree_spend
from longshift.policy import delegation_words as words
from longshift.policy.actions import AmendPlan, CriticisePlan, Delegating, PlanSwarm, RunSwarm
from longshift.policy.reviews import (
    AMEND,
    APPROVE,
    EVIDENCE_CHARACTERS,
    EVIDENCE_LINES,
    QUESTION_CHARACTERS,
    options_of,
)

MAX_REJECTIONS = 2
"""So many plans in a row may a critic reject; the next one is a person's to judge."""
MIN_SILENCE_SECONDS = 10.0
MAX_SILENCE_SECONDS = 300.0
_AT_WORK = frozenset({ItemStatus.RUNNING, ItemStatus.SEALED})


def is_open(state: AgentState) -> bool:
    """Whether the answer's `delegate` has no result yet."""
    return calls.delegate_call(state) is not None


def begun(state: AgentState) -> AgentState:
    """The agent with its open `delegate` call taken up; one that is taken up already stays as it is."""
    call = calls.delegate_call(state)
    if call is None or (state.delegation is not None and state.delegation.index == call.index):
        return state
    number = state.delegations + 1
    delegation = Delegation(number=number, swarm=ids.swarm_id(state.agent, number), index=call.index)
    return state.model_copy(update={"delegation": delegation, "delegations": number})


def next_action(state: AgentState) -> Delegating:
    """What the open call needs now; a person is asked by `wish`."""
    match state.delegation.stage if state.delegation else DelegationStage.PLAN:
        case DelegationStage.AMEND:
            return AmendPlan()
        case DelegationStage.CRITIC:
            return CriticisePlan()
        case DelegationStage.RUN:
            return RunSwarm()
        case DelegationStage.PLAN | DelegationStage.PERSON:
            return PlanSwarm()


def wish(state: AgentState, ask_id: str) -> Ask | None:
    """What a person has to decide about the plan; None: nothing."""
    here = state.delegation
    if here is None or here.stage is not DelegationStage.PERSON or here.plan is None:
        return None
    most = swarm_allowance.allowance(state)
    question = words.question(here.plan, most, not_taken=here.not_taken, rejections=state.plan_rejections)
    return Ask(
        id=ask_id,
        kind=AskKind.SWARM,
        question=question[:QUESTION_CHARACTERS],
        evidence=words.evidence(here.plan, here.not_taken, EVIDENCE_LINES, EVIDENCE_CHARACTERS, state.task_id),
        options=options_of(AskKind.SWARM),
        agent=state.agent,
        step=state.step,
    )


def after_plan(state: AgentState, plan: PlanDigest) -> AgentState:
    """Take a plan that was made of the call's arguments."""
    if plan.refused:
        return answered(state, plan.refused)
    if stop := _stop(state):
        return answered(state, stop)
    state = _with(state, plan=plan)
    review = call_rules.review_of(state)
    if review is PlanReview.AUTO:
        return _approved(state)
    if review is PlanReview.HUMAN:
        return _with(state, stage=DelegationStage.PERSON)
    if state.plan_rejections < MAX_REJECTIONS:
        return _with(state, stage=DelegationStage.CRITIC)
    if state.autonomy is Autonomy.FULL:
        return answered(state, words.WITHOUT_SUB_AGENTS.format(count=state.plan_rejections))
    return _with(state, stage=DelegationStage.PERSON)


def after_critic(state: AgentState, verdict: Verdict) -> AgentState:
    """Take the critic's word."""
    if verdict.accepted:
        return _approved(state)
    state = state.model_copy(update={"plan_rejections": state.plan_rejections + 1})
    return answered(state, words.rejected(verdict))


def after_amendment(state: AgentState, plan: PlanDigest) -> AgentState:
    """Take the plan as a person changed it; where that cannot be, they are asked once more about the one before."""
    if stop := _stop(state):
        return answered(state, stop)
    if plan.refused:
        return _with(state, stage=DelegationStage.PERSON, not_taken=plan.refused)
    by = state.delegation.amended_by if state.delegation else ""
    state = _with(state, stage=DelegationStage.PERSON, plan=plan, not_taken="")
    return ladder.told(state, f"The plan for {_count(plan)} is now {plan.hash}, changed by {by or 'a person'}")


def decided(state: AgentState, decision: Decision) -> AgentState:
    """A person's word on the plan that the question showed."""
    here = state.delegation
    if here is None or here.plan is None or here.stage is not DelegationStage.PERSON:
        return state
    match decision.option:
        case _ if decision.option == APPROVE:
            return _approved(state, by=decision.by)
        case _ if decision.option == AMEND:
            more = {"amendment": decision.text, "amended_by": decision.by, "not_taken": ""}
            return _with(state, stage=DelegationStage.AMEND, **more)
        case _:
            return answered(state, words.not_approved(decision))


def after_swarm(state: AgentState, report: SwarmReport) -> AgentState:
    """The swarm is over; its result is taken like any call's, by the loop."""
    settled = report.summary.counts
    parts = ", ".join(f"{count} {status}" for status, count in settled.items() if count)
    why = f" ({report.reason})" if report.reason else ""
    state = ladder.told(state, f"Swarm {report.summary.swarm} is over{why}: {parts or 'nothing was done'}")
    return tree_spend.settled(state, report.summary)


def given_up(state: AgentState) -> AgentState:
    """The session comes to its end before the plan is carried out."""
    return answered(state, words.TIME_IS_UP)


def answered(state: AgentState, text: str) -> AgentState:
    """The call has come to nothing, and hears why."""
    here = state.delegation
    assert here is not None  # nothing is planned without one
    said = PersonAnswer(index=here.index, allowed=False, text=text)
    return tree_spend.settled(state.model_copy(update={"answers": (*state.answers, said)}))


def heard_for_item(state: AgentState, item: str) -> AgentState:
    """A person spoke to an item, or with an empty name to all; they hear where there is nobody of that name."""
    here = state.delegation
    if here is None or here.stage is not DelegationStage.RUN or here.plan is None:
        return ladder.told(state, f"A word for {item or 'all items'} went nowhere: no swarm is at work any more")
    if not item or any(row.id == item for row in here.plan.rows):
        return state
    return ladder.told(state, f"A word for {item} went nowhere: {here.swarm} has no item of this name")


def is_at_work(state: AgentState) -> bool:
    """Whether the agent's plan is being carried out."""
    return state.delegation is not None and state.delegation.stage is DelegationStage.RUN


def tell_after_seconds(age_seconds: float) -> float:
    """How long after its last word the session hears of a swarm again: soon at first, seldom in a long job.

    An agent and its session do not continue as new while a swarm is at work, so that each word costs history for good;
    at this pace 24 hours are some 550 words.
    """
    return min(MAX_SILENCE_SECONDS, max(MIN_SILENCE_SECONDS, age_seconds / 60))


def is_held_up(state: AgentState) -> bool:
    """Whether nothing of the swarm at work goes on: all items that are begun wait for something outside."""
    now = tree_spend.current(state)
    if now is None or not now.counts.get(ItemStatus.WAITING, 0):
        return False
    return not any(now.counts.get(status, 0) for status in _AT_WORK)


def trouble(state: AgentState) -> Attention | None:
    """What holds items of the swarm at work up."""
    now = tree_spend.current(state)
    if now is None or not (now.needs_person or is_held_up(state)):
        return None
    kind = "configuration" if now.needs_person else "provider"
    text = now.waiting_for or "sub-agents wait for something outside"
    return Attention(kind=kind, text=text[:QUESTION_CHARACTERS], since_step=state.step)


def _stop(state: AgentState) -> str:
    """What speaks against carrying any plan out now."""
    if state.ending:
        return words.TIME_IS_UP
    numbers = swarm_allowance.nothing_left(state)
    return words.nothing_left(numbers) if numbers else ""


def _approved(state: AgentState, by: str = "") -> AgentState:
    if stop := _stop(state):
        return answered(state, stop)
    plan = state.delegation.plan if state.delegation else None
    assert plan is not None  # it was just reviewed
    who = f", approved by {by}" if by else ""
    told = f"A plan for {_count(plan)} is carried out: {plan.title} ({plan.hash}{who})"
    state = state.model_copy(update={"plan_rejections": 0})
    return ladder.told(_with(state, stage=DelegationStage.RUN, approved_hash=plan.hash, approved_by=by), told)


def _count(plan: PlanDigest) -> str:
    return f"{len(plan.rows)} sub-agent{'' if len(plan.rows) == 1 else 's'}"


def _with(state: AgentState, **changes: object) -> AgentState:
    assert state.delegation is not None  # what is planned is open
    return state.model_copy(update={"delegation": state.delegation.model_copy(update=changes)})
