"""A stand-in for a swarm at work, which only tells of itself, and a session that has one."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Worker

from longshift.contracts import ids
from longshift.contracts.agent import AgentProgress, Phase
from longshift.contracts.model import Usage
from longshift.contracts.reviews import Ask, AskKind
from longshift.contracts.session import AgentStatus
from longshift.contracts.swarm import ItemLine, ItemStatus, SwarmSummary, SwarmTable
from longshift.policy.reviews import options_of
from tests.swarm_store import PLAN_HASH

QUEUE = "telling-swarms"
AGENTS_QUEUE = "telling-agents"
DIFFERENCE = "1 added, 0 struck, 0 edited, 1 as they were\n@@ b (added) @@\n+b\n+  goal: Type b"
PLAN_SHOWN = "goal: Type all modules\n\na\n  goal: Type a"


def a_table(swarm: str) -> SwarmTable:
    """One item is at work, another one has failed."""
    items = (
        ItemLine(item="a", status=ItemStatus.RUNNING, attempt=1, steps=7, usd=0.25, files=2, seconds=95),
        ItemLine(item="b", status=ItemStatus.FAILED, attempt=2, steps=40, reason="it went round in circles"),
    )
    return SwarmTable(summary=a_summary(swarm), items=items, plan_key=ids.plan_key(swarm, PLAN_HASH))


def a_summary(swarm: str) -> SwarmSummary:
    """The same in short."""
    return SwarmSummary(
        swarm=swarm,
        title="Type all modules",
        plan_hash=PLAN_HASH,
        total=2,
        counts={"running": 1, "failed": 1},
        width=8,
        steps=47,
        troubled=("b: failed, it went round in circles",),
        number=3,
    )


def at_work(task_id: str, swarm: str) -> AgentStatus:
    """What the lead tells meanwhile."""
    given = {
        "agent": ids.agent_id(task_id),
        "waiting": False,
        "step": 3,
        "swarm": a_summary(swarm),
        "swarm_at_work": True,
    }
    return AgentStatus.model_validate(given)


def plan_question(task_id: str) -> Ask:
    """The question about a plan that a person has changed once."""
    return Ask(
        id="lead-s1-swarm",
        kind=AskKind.SWARM,
        question=f"May 2 sub-agents work by this plan? Goal: Type all modules. Plan {PLAN_HASH}, 2 items.",
        evidence=(DIFFERENCE, PLAN_SHOWN),
        options=options_of(AskKind.SWARM),
        agent=ids.agent_id(task_id),
        step=1,
    )


@workflow.defn(name="Swarm")
class TellingSwarm:
    """Tells of itself until it is over."""

    def __init__(self) -> None:
        self._swarm = ""

    @workflow.run
    async def run(self, swarm: str) -> None:
        """Wait to be cancelled."""
        self._swarm = swarm
        await workflow.wait_condition(lambda: False)

    @workflow.query
    def table(self) -> SwarmTable:
        """Each item in a line."""
        return a_table(self._swarm)


@workflow.defn(name="Agent")
class TellingAgent:
    """A sub-agent that has closed three steps."""

    @workflow.run
    async def run(self, agent: str) -> None:
        """Wait to be terminated."""
        self._agent = agent
        await workflow.wait_condition(lambda: False)

    @workflow.query
    def progress(self) -> AgentProgress:
        """Where it stands."""
        return AgentProgress(
            agent=self._agent,
            phase=Phase.TOOLS,
            step=24,
            first_step=21,
            epoch=1,
            context_tokens=500,
            window_tokens=1_000,
            usage=Usage(input_tokens=90, output_tokens=10),
            cost_usd=0.5,
            tool_calls=3,
            compactions=0,
            runs=1,
        )


@asynccontextmanager
async def telling_agent(client: Client, agent: str) -> AsyncGenerator[None]:
    """It is at work."""
    name = ids.agent_workflow_id(agent)
    async with Worker(client, task_queue=AGENTS_QUEUE, workflows=[TellingAgent]):
        handle = await client.start_workflow(TellingAgent.run, agent, id=name, task_queue=AGENTS_QUEUE)
        yield
        await handle.terminate()


@asynccontextmanager
async def telling_swarm(client: Client, swarm: str) -> AsyncGenerator[None]:
    """It is at work."""
    async with Worker(client, task_queue=QUEUE, workflows=[TellingSwarm]):
        handle = await client.start_workflow(TellingSwarm.run, swarm, id=ids.swarm_workflow_id(swarm), task_queue=QUEUE)
        yield
        await handle.terminate()
