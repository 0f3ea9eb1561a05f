"""An agent that delegates, for the tests of its policy."""

from typing import Any

from hypothesis import strategies as st

from longshift.contracts.agent import AgentLimits, AgentState
from longshift.contracts.completion import Verdict
from longshift.contracts.delegation import VERSION_WITH_SWARMS, Delegation, DelegationStage
from longshift.contracts.ledger import Allowance, Spend
from longshift.contracts.model import CallDigest, ModelDigest, ModelOutcome, ToolClass, Usage
from longshift.contracts.reviews import Autonomy, Decision
from longshift.contracts.stuck import StuckThresholds
from longshift.contracts.swarm import SwarmReport, SwarmSummary
from longshift.contracts.swarm_plan import ItemRow, PlanDigest, SwarmRules
from longshift.contracts.tools import TOOL_CLASSES, ToolDigest, ToolStatus
from longshift.contracts.transcript import SealedResult
from longshift.contracts.verification import VerdictDigest
from longshift.contracts.workspace import Workspace
from longshift.policy import actions, loop

WORKSPACE = Workspace(workspace_id="mend", host_id="h", host_queue="q", root="/w")
PLAN = PlanDigest(
    key="swarms/mend.swarm1/plan-aa11.json",
    hash="aa11",
    title="Annotate all modules",
    rows=(ItemRow(id="one"), ItemRow(id="two", depends_on=("one",))),
    shown=("Goal: annotate all modules", "one: annotate one", "two: annotate two"),
)
AMENDED = PLAN.model_copy(update={"hash": "bb22", "rows": PLAN.rows[:1], "changes": ("- two: annotate two",)})
REFUSED = PlanDigest(refused="items[1].depends_on: no item is named 'three'; name one of: one, two")


def lead(**fields: object) -> AgentState:
    """An agent at its third step."""
    limits = {
        "stuck": StuckThresholds(enabled=False),
        **{k: fields.pop(k) for k in ("tokens", "usd", "steps") if k in fields},
    }
    own = Allowance.model_validate({name: limits.get(name) for name in ("tokens", "usd", "steps")})
    given: dict[str, object] = {
        "version": VERSION_WITH_SWARMS,
        "agent": "mend/lead",
        "task_id": "mend",
        "profile": "p",
        "workspace": WORKSPACE,
        "step": 3,
        "limits": AgentLimits.model_validate({**limits, "own": own}),
        **fields,
    }
    return AgentState.model_validate(given)


def call(index: int, name: str = "delegate", **fields: object) -> CallDigest:
    given: dict[str, object] = {
        "index": index,
        "call_id": f"c{index}",
        "name": name,
        "tool_class": TOOL_CLASSES.get(name, ToolClass.EFFECT),
        "arguments_hash": f"{index}",
        **fields,
    }
    return CallDigest.model_validate(given)


def answer(state: AgentState, *calls: CallDigest, **fields: object) -> AgentState:
    """The model calls these tools."""
    given: dict[str, object] = {
        "outcome": ModelOutcome.ANSWERED,
        "calls": calls,
        "context_tokens": 100,
        "window_tokens": 1_000_000,
        **fields,
    }
    return loop.after_model(state, ModelDigest.model_validate(given))


def delegated(state: AgentState | None = None) -> AgentState:
    """The model has called `delegate`."""
    return answer(lead() if state is None else state, call(0))


def with_review(review: str, autonomy: Autonomy = Autonomy.BALANCED, **fields: object) -> AgentState:
    return lead(swarm_rules=SwarmRules.model_validate({"review": review}), autonomy=autonomy, **fields)


def asked(state: AgentState | None = None) -> AgentState:
    """A person is asked about the plan."""
    return loop.after_plan(delegated(with_review("human") if state is None else state), PLAN)


def running(state: AgentState | None = None) -> AgentState:
    """The swarm is at work."""
    return loop.after_plan(delegated(state), PLAN)


def decide(state: AgentState, option: str, text: str = "") -> AgentState:
    assert state.ask is not None
    return loop.decided(state, Decision(ask_id=state.ask.id, option=option, text=text, by="Ada"))


def done(index: int, **fields: object) -> ToolDigest:
    return ToolDigest.model_validate({"index": index, "status": ToolStatus.OK, **fields})


def spent(tokens: int, usd: float = 0.0) -> Spend:
    return Spend(usage=Usage(input_tokens=tokens), usd=usd)


def summary(number: int, tokens: int = 0, *, swarm: str = "mend.swarm1", **fields: Any) -> SwarmSummary:
    """What a swarm tells."""
    given: dict[str, object] = {
        "swarm": swarm,
        "title": PLAN.title,
        "total": 2,
        "number": number,
        "spent": spent(tokens, tokens / 1_000),
        "costs": {"p": spent(tokens, tokens / 1_000)},
        "steps": tokens // 10,
        **fields,
    }
    return SwarmSummary.model_validate(given)


def report(tokens: int = 0, **fields: Any) -> SwarmReport:
    """How a swarm ends."""
    result = done(0, changes_workspace=True, result_bytes=100)
    return SwarmReport(summary=summary(1_000, tokens, counts={"merged": 2}, **fields), result=result)


def any_outcome(state: AgentState, action: actions.Delegating, data: st.DataObject) -> AgentState:
    """Any outcome of an action about an open call, taken."""
    match action:
        case actions.PlanSwarm():
            return loop.after_plan(state, data.draw(st.sampled_from([PLAN, REFUSED])))
        case actions.AmendPlan():
            return loop.after_amendment(state, data.draw(st.sampled_from([AMENDED, REFUSED])))
        case actions.CriticisePlan():
            outcome = data.draw(st.sampled_from(list(ModelOutcome)))
            verdict = Verdict(step=state.step, accepted=data.draw(st.booleans()))
            said = verdict if outcome is ModelOutcome.ANSWERED else None
            return loop.after_critic(state, VerdictDigest(outcome=outcome, verdict=said))
        case actions.RunSwarm():
            assert state.delegation is not None
            told = loop.swarm_told(state, summary(1, 50, swarm=state.delegation.swarm))
            return loop.after_swarm(told, report(60, swarm=state.delegation.swarm))


def opened(state: AgentState) -> Delegation:
    """The call that is open."""
    assert state.delegation is not None
    return state.delegation


def stage(state: AgentState) -> DelegationStage:
    return opened(state).stage


def results(state: AgentState) -> tuple[SealedResult, ...]:
    """What the calls of the step that was closed last are told."""
    assert state.unwritten_seal is not None
    return state.unwritten_seal.results


def is_asking_model(state: AgentState) -> bool:
    """The step is closed, and the next one begins."""
    return isinstance(loop.next_action(state), actions.CallModel)
