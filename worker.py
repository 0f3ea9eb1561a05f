"""The daemon's composition root: settings → adapters → activities → workers. It decides nothing.

One process takes all roles: workflows with their local bookkeeping, model calls, and this host's workspaces and tools.
Started by `longshift up`, by `longshift worker`, or as `python -m worker`.
"""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import structlog
from temporalio.client import Client
from temporalio.worker import Interceptor, Worker, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.boundary import ErrorBoundary
from activities.ledger import Ledger
from activities.model import Models
from activities.tools import Tools
from activities.workspace import WorkspaceLife
from longshift.adapters.model import LimiterPool, ModelClient
from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.sandbox.none import NoSandbox
from longshift.adapters.store import Transcripts, open_store
from longshift.adapters.tools import Toolbox, find_ripgrep
from longshift.adapters.workspace import CheckpointArchive, Checks, Workspaces
from longshift.connect import connect
from longshift.contracts import ids
from longshift.contracts.errors import LongshiftError
from longshift.process_end import end_process
from longshift.search_attributes import register_search_attributes
from longshift.settings import Settings, load_settings
from longshift.telemetry import ActivityTelemetry, Telemetry, configure_logging
from workflows import ALL

log = structlog.get_logger("longshift.worker")

PASSED_THROUGH = ("longshift.contracts", "longshift.policy", "pydantic", "pydantic_core", "annotated_types")
"""Re-importing these per workflow costs 0.1 s and 1 MB each; that they are pure is proved by the workflow tests."""
HEARTBEAT_SECONDS = 2.0
"""The longest time between two heartbeats that reach the engine; a cancellation arrives with the next one."""
CACHED_WORKFLOWS = 500


def workflow_runner() -> WorkflowRunner:
    """The sandbox of production: pure modules pass through."""
    restrictions = SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH)
    return SandboxedWorkflowRunner(restrictions=restrictions)


@asynccontextmanager
async def workers(settings: Settings, client: Client, telemetry: Telemetry) -> AsyncGenerator[list[Worker]]:
    """All workers of this process, built but not yet polling."""
    store = open_store(settings.store_url)
    transcripts = Transcripts(store)
    data = settings.data_dir
    runner = ProcessRunner(data / "runs", disk_floor_bytes=settings.disk_floor_bytes)
    sandbox = NoSandbox()
    queue = ids.host_queue(settings.host_id)
    archive = CheckpointArchive(store)
    workspaces = Workspaces(data, runner, sandbox, settings.host_id, queue, quick_calls=True, archive=archive)
    toolbox = Toolbox(runner, sandbox, ripgrep=find_ripgrep())
    model_client = ModelClient(key_of=settings.key_of, limiters=LimiterPool())

    ledger = Ledger(store, transcripts)
    models = Models(model_client, store, transcripts, settings.profiles())
    tools = Tools(toolbox, workspaces, transcripts, settings.host_id)
    life = WorkspaceLife(workspaces, Checks(workspaces, runner), store)
    interceptors: list[Interceptor] = [ActivityTelemetry(telemetry), ErrorBoundary()]
    try:
        yield [
            Worker(
                client,
                task_queue=ids.CONTROL_QUEUE,
                workflows=ALL,
                activities=[ledger.open_session, ledger.open_agent, ledger.seal, tools.try_tool],
                workflow_runner=workflow_runner(),
                interceptors=interceptors,
                max_cached_workflows=CACHED_WORKFLOWS,
                no_remote_activities=True,
                graceful_shutdown_timeout=timedelta(seconds=settings.graceful_shutdown_seconds),
            ),
            *(
                Worker(
                    client,
                    task_queue=task_queue,
                    activities=activities,
                    interceptors=interceptors,
                    max_concurrent_activities=slots,
                    max_heartbeat_throttle_interval=timedelta(seconds=HEARTBEAT_SECONDS),
                    default_heartbeat_throttle_interval=timedelta(seconds=HEARTBEAT_SECONDS),
                    graceful_shutdown_timeout=timedelta(seconds=settings.graceful_shutdown_seconds),
                )
                for task_queue, slots, activities in (
                    (ids.MODEL_QUEUE, settings.model_slots, [models.call_model, models.write_handoff]),
                    (ids.HOSTS_QUEUE, settings.tool_slots, [life.prepare_workspace]),
                    (
                        queue,
                        settings.tool_slots,
                        [tools.run_tool, life.checkpoint, life.run_checks, life.deliver, life.release_workspace],
                    ),
                )
            ),
        ]
    finally:
        await model_client.aclose()


async def run_worker(settings: Settings, client: Client, telemetry: Telemetry, stopped: asyncio.Event) -> None:
    """Poll until `stopped`; then let running activities end or hand over within the graceful time."""
    async with workers(settings, client, telemetry) as built, AsyncExitStack() as polling:
        for each in built:
            await polling.enter_async_context(each)
        log.info("worker started", host_id=settings.host_id, sandbox="none", profile=settings.model_profile)
        await stopped.wait()
        log.info("worker stopping", graceful_seconds=settings.graceful_shutdown_seconds)


async def _serve(settings: Settings, telemetry: Telemetry) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if stopped.is_set():
            # A second signal is immediate: commands go on under their supervisors, the next worker re-attaches.
            raise SystemExit(130)
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    client = await connect(settings, runtime=telemetry.runtime, identity=f"longshift-{settings.host_id}")
    await register_search_attributes(client)
    await run_worker(settings, client, telemetry, stopped)


def main() -> int:
    """Run the worker until it is told to stop; returns the exit code."""
    try:
        settings = load_settings()
        configure_logging(settings.log_format, settings.log_level, secrets=settings.secret_values())
        with contextlib.closing(Telemetry.from_settings(settings)) as telemetry:
            asyncio.run(_serve(settings, telemetry))
    except LongshiftError as error:
        sys.stderr.write(f"{error}\n")
        return 3 if error.kind == "engine" else 2
    return 0


if __name__ == "__main__":
    end_process(main())
