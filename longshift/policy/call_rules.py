"""What the rules alone say of a call, before anything runs and before anybody is asked.

What a person has to decide is `asking`'s; what becomes of a `delegate` that may be carried out is `delegating`'s.
"""

from longshift.contracts.agent import AgentState
from longshift.contracts.delegation import VERSION_WITH_SWARMS
from longshift.contracts.model import CallDigest, ToolClass
from longshift.contracts.reviews import Autonomy
from longshift.contracts.swarm_plan import PlanReview
from longshift.contracts.tools import ASK_HUMAN, DELEGATE, FINISH, UPDATE_PLAN
from longshift.policy import delegation_words as words
from longshift.policy import notes

MAY_ALWAYS_RUN = frozenset({UPDATE_PLAN, ASK_HUMAN, FINISH, DELEGATE})
"""What a person decides about these calls, if anything, is not whether they may run."""
PLANS_ARE_REVIEWED = frozenset({Autonomy.CAUTIOUS, Autonomy.MANUAL})


def refusal(state: AgentState, call: CallDigest) -> str:
    """Why a call does not run by the rules alone; empty: it may, or a person decides."""
    if call.rejected:
        return ""
    if call.name == DELEGATE and (text := _delegate_refusal(state, call)):
        return text
    if state.is_sub_agent:
        return _sub_agent_refusal(call)
    if call.name == ASK_HUMAN and state.autonomy is Autonomy.FULL:
        return notes.NOBODY_IS_ASKED
    waits = state.autonomy in PLANS_ARE_REVIEWED and not state.approved_plan
    return notes.NEEDS_PLAN if waits and _changes(state, call) else ""


def finish_refusal(state: AgentState) -> str | None:
    """Why the `finish` of a new answer is not accepted by the rules alone; None: it is to be proved."""
    names = {each.name for each in state.calls if not each.rejected}
    return words.FINISH_WITH_DELEGATE if {DELEGATE, FINISH} <= names else None


def review_of(state: AgentState) -> PlanReview:
    """Who lets the agent's swarms work by their plans."""
    if state.swarm_rules.review is not None:
        return state.swarm_rules.review
    return PlanReview.HUMAN if state.autonomy in PLANS_ARE_REVIEWED else PlanReview.AUTO


def _changes(state: AgentState, call: CallDigest) -> bool:
    """Whether a call changes what a person has not seen a plan for; a swarm's own plan may be shown to one."""
    if call.name == DELEGATE:
        return review_of(state) is not PlanReview.HUMAN
    return call.tool_class is not ToolClass.PURE and call.name not in MAY_ALWAYS_RUN


def _sub_agent_refusal(call: CallDigest) -> str:
    if call.name == ASK_HUMAN:
        return words.NOBODY_IS_ASKED
    return words.NEEDS_PERSON if call.needs_approval else ""


def _delegate_refusal(state: AgentState, call: CallDigest) -> str:
    if state.is_sub_agent:
        return words.SUB_AGENTS_DELEGATE_NOT
    if state.version < VERSION_WITH_SWARMS:
        return words.OLD_AGENT
    if not state.swarm_rules.max_items:
        return words.NO_SUB_AGENTS
    if finish_refusal(state) is not None:
        return words.NOT_WITH_FINISH
    first = next(each.index for each in state.calls if each.name == DELEGATE and not each.rejected)
    return "" if call.index == first else words.ONE_AT_A_TIME
