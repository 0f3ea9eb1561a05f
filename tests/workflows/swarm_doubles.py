# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""A swarm that does what a test tells it, and activities around plans that play a script."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ApplicationError

from longshift.contracts import ids
from longshift.contracts.completion import Verdict
from longshift.contracts.ledger import Extension, Spend
from longshift.contracts.model import CallDigest, ModelDigest, ModelOutcome, ToolClass, Usage
from longshift.contracts.swarm import ItemNote, ItemWord, SwarmReport, SwarmSummary
from longshift.contracts.swarm_activities import (
    AmendPlanInput,
    CriticisePlanInput,
    PlanSwarmInput,
    SwarmModelActivities,
    SwarmPlanActivities,
)
from longshift.contracts.swarm_plan import ItemRow, PlanDigest
from longshift.contracts.swarm_start import SwarmStart
from longshift.contracts.tools import DELEGATE, ToolDigest, ToolStatus
from longshift.contracts.verification import VerdictDigest
from longshift.contracts.workspace import Workspace
from workflows import ALL

PLAN = PlanDigest(
    key="plan", hash="aa11", title="Annotate all", rows=(ItemRow(id="one"), ItemRow(id="two")), shown=("one", "two")
)
AMENDED = PLAN.model_copy(update={"hash": "bb22", "rows": PLAN.rows[:1], "changes": ("- two",)})
DELEGATES = ModelDigest(
    outcome=ModelOutcome.ANSWERED,
    calls=(
        CallDigest(index=0, call_id="c0", name=DELEGATE, tool_class=ToolClass.EFFECT, arguments_hash="0", summary="d"),
    ),
    usage=Usage(input_tokens=10, output_tokens=5),
    window_tokens=100_000,
)


@workflow.defn(name="Swarm")
class ToldSwarm:
    """Notes what it hears; a test says what it tells and when it ends."""

    @workflow.init
    def __init__(self, start: SwarmStart) -> None:
        self._start = start
        self._heard: list[str] = []
        self._over: SwarmReport | None = None
        self._fails = ""

    @workflow.run
    async def run(self, start: SwarmStart) -> SwarmReport:
        await workflow.wait_condition(lambda: self._over is not None or bool(self._fails))
        await workflow.wait_condition(workflow.all_handlers_finished)
        if self._over is None:
            raise ApplicationError(self._fails)
        return self._over

    @workflow.signal
    async def tell(self, summary: SwarmSummary) -> None:
        agent = workflow.get_external_workflow_handle(ids.agent_workflow_id(self._start.lead))
        await agent.signal("swarm_progress", summary)

    @workflow.signal
    def over(self, report: SwarmReport) -> None:
        self._over = report

    @workflow.signal
    def fail(self, why: str) -> None:
        self._fails = why

    @workflow.signal
    def deliver_note(self, note: ItemNote) -> None:
        self._heard.append(f"note {note.item or 'all'}: {note.note.text}")

    @workflow.signal
    def strike(self, word: ItemWord) -> None:
        self._heard.append(f"strike {word.item}: {word.reason}")

    @workflow.signal
    def set_paused(self, paused: bool) -> None:
        self._heard.append(f"paused {paused}")

    @workflow.signal
    def hold_for_fleet(self, held: bool) -> None:
        self._heard.append(f"fleet {held}")

    @workflow.signal
    def extend(self, more: Extension) -> None:
        self._heard.append(f"extend {more.tokens}")

    @workflow.signal
    def wake(self) -> None:
        self._heard.append("wake")

    @workflow.signal
    def end(self, reason: str) -> None:
        self._heard.append(f"end {reason}")

    @workflow.signal
    def wrap_up(self, seconds: float) -> None:
        self._heard.append("wrap up")

    @workflow.signal
    def workspace_granted(self, workspace: Workspace) -> None:
        self._heard.append(f"granted {workspace.generation}")

    @workflow.signal
    def workspace_lost(self, generation: int) -> None:
        self._heard.append(f"lost {generation}")

    @workflow.query
    def heard(self) -> list[str]:
        return self._heard

    @workflow.query
    def begun_with(self) -> SwarmStart:
        return self._start


WORKFLOWS: tuple[type, ...] = (*(each for each in ALL if each.__name__ != "Swarm"), ToldSwarm)


@dataclass
class Planning(SwarmPlanActivities, SwarmModelActivities):
    """What becomes of plans: one after the other, the last again and again."""

    plans: list[PlanDigest] = field(default_factory=lambda: [PLAN])
    amendments: list[PlanDigest] = field(default_factory=lambda: [AMENDED])
    verdicts: list[bool] = field(default_factory=lambda: [True])
    asked: list[PlanSwarmInput | AmendPlanInput | CriticisePlanInput] = field(
        default_factory=list[PlanSwarmInput | AmendPlanInput | CriticisePlanInput]
    )

    @activity.defn
    async def plan_swarm(self, request: PlanSwarmInput) -> PlanDigest:
        self.asked.append(request)
        return self.plans.pop(0) if len(self.plans) > 1 else self.plans[0]

    @activity.defn
    async def amend_plan(self, request: AmendPlanInput) -> PlanDigest:
        self.asked.append(request)
        return self.amendments.pop(0) if len(self.amendments) > 1 else self.amendments[0]

    @activity.defn
    async def criticise_plan(self, request: CriticisePlanInput) -> VerdictDigest:
        self.asked.append(request)
        accepted = self.verdicts.pop(0) if len(self.verdicts) > 1 else self.verdicts[0]
        verdict = Verdict(step=request.step, accepted=accepted, reasons=() if accepted else ("too many",))
        return VerdictDigest(outcome=ModelOutcome.ANSWERED, verdict=verdict, cost_usd=0.25)

    @property
    def activities(self) -> Sequence[Callable[..., Any]]:
        return (self.plan_swarm, self.amend_plan, self.criticise_plan)


@dataclass(frozen=True)
class SwarmAtWork:
    """The swarm of a session under test."""

    handle: WorkflowHandle[ToldSwarm, SwarmReport]
    name: str

    def summary(self, number: int, tokens: int, **fields: Any) -> SwarmSummary:
        """What it may tell."""
        spent = Spend(usage=Usage(input_tokens=tokens), usd=tokens / 1_000)
        given: dict[str, Any] = {"swarm": self.name, "number": number, "total": 2, "spent": spent, "steps": 4, **fields}
        return SwarmSummary.model_validate(given)

    async def tell(self, number: int, tokens: int, **fields: Any) -> None:
        """Have it tell its agent how far it has come."""
        await self.handle.signal(ToldSwarm.tell, self.summary(number, tokens, **fields))

    async def over(self, tokens: int = 0) -> None:
        """Have it report."""
        result = ToolDigest(index=0, status=ToolStatus.OK, changes_workspace=True, result_bytes=4)
        summary = self.summary(1_000, tokens, counts={"merged": 2})
        await self.handle.signal(ToldSwarm.over, SwarmReport(summary=summary, result=result))

    async def heard(self) -> list[str]:
        """What it was told so far."""
        return await self.handle.query(ToldSwarm.heard)


def swarm_of(client: Client, task_id: str, number: int = 1) -> SwarmAtWork:
    """A session's swarm."""
    name = ids.swarm_id(ids.agent_id(task_id), number)
    return SwarmAtWork(client.get_workflow_handle_for(ToldSwarm.run, ids.swarm_workflow_id(name)), name)
