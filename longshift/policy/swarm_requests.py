"""What an agent asks of activities about an open `delegate` call, and what it starts its swarm with."""

from longshift.contracts.agent import AgentState
from longshift.contracts.delegation import Delegation
from longshift.contracts.swarm_activities import AmendPlanInput, CriticisePlanInput, PlanSwarmInput
from longshift.contracts.swarm_plan import PlanDigest
from longshift.contracts.swarm_start import SwarmStart
from longshift.contracts.workspace import Workspace
from longshift.policy import swarm_allowance


def plan(state: AgentState, workspace: Workspace) -> PlanSwarmInput:
    """A plan of the call's arguments."""
    here = _open(state)
    return PlanSwarmInput(
        workspace=workspace,
        agent=state.agent,
        task_id=state.task_id,
        swarm=here.swarm,
        epoch=state.epoch,
        step=state.step,
        index=here.index,
        rules=state.swarm_rules,
    )


def amendment(state: AgentState, workspace: Workspace) -> AmendPlanInput:
    """The plan as a person wants it."""
    here = _open(state)
    return AmendPlanInput(
        workspace=workspace,
        task_id=state.task_id,
        swarm=here.swarm,
        plan_hash=_planned(here).hash,
        text=here.amendment,
    )


def criticism(state: AgentState) -> CriticisePlanInput:
    """A critic's word on the plan."""
    here = _open(state)
    return CriticisePlanInput(
        agent=state.agent,
        task_id=state.task_id,
        swarm=here.swarm,
        plan_hash=_planned(here).hash,
        profile=state.profile,
        step=state.step,
        round=state.plan_rejections + 1,
    )


def start(state: AgentState, workspace: Workspace) -> SwarmStart:
    """The swarm that carries the approved plan out."""
    here = _open(state)
    approved = _planned(here)
    assert approved.hash == here.approved_hash  # nothing else is ever carried out
    return SwarmStart(
        swarm=here.swarm,
        session=state.task_id,
        lead=state.agent,
        step=state.step,
        index=here.index,
        epoch=state.epoch,
        plan=approved.model_copy(update={"shown": (), "changes": ()}),
        workspace=workspace,
        allowance=swarm_allowance.allowance(state),
        profile=state.profile,
        fallback=state.fallback,
        limits=state.limits,
        place=state.place,
        width=min(state.swarm_rules.width or state.limits.swarm_width, state.limits.swarm_width),
        attempts=state.swarm_rules.attempts,
        host_patience_seconds=state.host_patience_seconds,
        paused=state.paused,
        fleet_held=state.fleet_held,
        lead_steps=state.step - state.first_step,
        autonomy=state.autonomy,
    )


def _open(state: AgentState) -> Delegation:
    assert state.delegation is not None  # asked only where a call is open
    return state.delegation


def _planned(here: Delegation) -> PlanDigest:
    assert here.plan is not None  # what is reviewed or carried out was planned
    return here.plan
