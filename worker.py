"""The daemon's composition root: settings → adapters → activities → workers. It decides nothing.

One process takes all roles, or those that it is told (`longshift.roles`). Started by `longshift up`, by
`longshift worker`, or as `python -m worker --role host`.
"""

import argparse
import asyncio
import contextlib
import gc
import signal
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypedDict

import structlog
from temporalio.client import Client
from temporalio.worker import Interceptor, Plugin, Worker

from activities.boundary import ErrorBoundary
from activities.delivery import Deliveries
from activities.fleet import Fleets
from activities.gate import Gates
from activities.ledger import Ledger
from activities.merges import Merges
from activities.model import Models
from activities.people import People
from activities.quarantine import Quarantine
from activities.slot_supply import slot_tuner
from activities.slots import Slots
from activities.swarm_plans import SwarmPlans
from activities.tools import NoTools, Tools
from activities.workspace import WorkspaceLife
from activities.worktrees import Worktrees
from longshift.adapters.crashes import CrashJournal
from longshift.adapters.delivery import Delivering, Identity
from longshift.adapters.model import LimiterPool, ModelClient
from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.slots import SlotPool
from longshift.adapters.store import Store, Transcripts, open_store
from longshift.adapters.store.swarm_reports import SwarmReports
from longshift.adapters.tools import Toolbox, find_ripgrep
from longshift.adapters.workspace import CheckpointArchive, Checks, Workspaces
from longshift.adapters.worktrees.making import making_of_sub_agent
from longshift.child_watching import watch_children_by_descriptor
from longshift.connect import connect
from longshift.contracts import ids
from longshift.contracts.activities import ToolActivities
from longshift.contracts.slots import SlotKind
from longshift.health import health_app, listener_on, served
from longshift.host_card import host_card
from longshift.payload_census import require_payload_keys
from longshift.people_posting import POSTS_AT_ONCE, posters
from longshift.process_end import end_process, exit_code_of
from longshift.roles import Role, as_roles
from longshift.sandboxes import make_egress, tried_sandbox
from longshift.search_attributes import register_search_attributes
from longshift.session_keeping import SessionKeeping
from longshift.settings import Settings, load_settings
from longshift.telemetry import ActivityTelemetry, Telemetry, configure_logging, look_up_secrets
from longshift.workflow_runner import workflow_runner
from workflows import ALL

log = structlog.get_logger("longshift.worker")

HEARTBEAT_SECONDS = 2.0
"""The longest time between two heartbeats that reach the engine; a cancellation arrives with the next one."""
CACHED_WORKFLOWS = 500
SLOT_QUEUE_POLLERS = 1
"""Each poller keeps a slot for what it may find, so more would be unfair to other hosts; and what is handed to the
poller of a host that sleeps has to be waited for."""
RETURNING_AT_ONCE = 1_000
"""Sessions that may ask a host for their own slot at a time; whether there is room, the host's pool says."""
DRAIN_MARGIN_SECONDS = 5.0
DELIVERIES_AT_ONCE = 4
YOUNG_OBJECTS = 5_000
"""New objects after which Python looks for cycles among them: with its own 700 it spends five times as long on that."""


class Shared(TypedDict):
    """Options of all workers that have activities."""

    plugins: Sequence[Plugin]

    interceptors: Sequence[Interceptor]
    max_heartbeat_throttle_interval: timedelta
    default_heartbeat_throttle_interval: timedelta


@dataclass(frozen=True)
class Parts:
    """What all workers of a process are made of."""

    settings: Settings
    client: Client
    store: Store
    transcripts: Transcripts
    journal: CrashJournal
    shared: Shared
    graceful: timedelta
    clean: Callable[[str], str]
    """Takes known secrets out of text."""


@dataclass
class Built:
    """The workers of this process, not yet polling."""

    workers: list[Worker] = field(default_factory=list[Worker])
    slot_workers: list[Worker] = field(default_factory=list[Worker])
    """Those among them that hold slots; they stop first."""
    pools: dict[SlotKind, SlotPool] = field(default_factory=dict[SlotKind, SlotPool])
    slots: Slots | None = None
    keeping: SessionKeeping | None = None
    """Of a host: what keeps its sessions within their limits."""
    workspaces: Workspaces | None = None


@asynccontextmanager
async def workers(
    settings: Settings, client: Client, telemetry: Telemetry, roles: frozenset[Role]
) -> AsyncGenerator[Built]:
    """All workers of this process, built but not yet polling."""
    parts = await _parts(settings, client, telemetry)
    built = Built()
    tools: ToolActivities = NoTools()
    model_client = ModelClient(key_of=settings.key_of, limiters=LimiterPool())
    people = AsyncExitStack()
    try:
        if Role.MODEL in roles:
            models = Models(model_client, parts.store, parts.transcripts, settings.profiles())
            calls = [models.call_model, models.write_handoff, models.roll_back_conversation, models.verify]
            calls = [*calls, models.criticise_plan]
            built.workers.append(_worker(parts, ids.MODEL_QUEUE, settings.model_slots, calls))
            deliveries = Deliveries(_delivering(settings, parts.store))
            outgoing = [deliveries.plan_branch, deliveries.publish_branch]
            built.workers.append(_worker(parts, ids.DELIVERY_QUEUE, DELIVERIES_AT_ONCE, outgoing))
            if telling := await people.enter_async_context(posters(settings)):
                built.workers.append(_worker(parts, ids.PEOPLE_QUEUE, POSTS_AT_ONCE, [People(telling).post]))
        if Role.HOST in roles:
            tools = await _add_host(built, parts, quick_calls=Role.CONTROL in roles)
        if Role.CONTROL in roles:
            built.workers.insert(0, _control(parts, tools))
        yield built
    finally:
        if built.workspaces is not None:
            await built.workspaces.close()
        await people.aclose()
        await model_client.aclose()


def _delivering(settings: Settings, store: Store) -> Delivering:
    name, _, mail = settings.delivery_author.removesuffix(">").partition(" <")
    return Delivering(
        store,
        settings.remotes(),
        author=Identity(name, mail),
        user=settings.delivery_user,
        github_api_url=settings.github_api_url,
        folder=settings.data_dir / "outgoing",
    )


async def _parts(settings: Settings, client: Client, telemetry: Telemetry) -> Parts:
    store = open_store(settings.store_url, telemetry.redactor.known_bytes)
    journal = CrashJournal(settings.data_dir / "in-flight")
    for suspect, evidence in (await asyncio.to_thread(journal.open)).items():
        log.warning("suspected of crashing its worker", suspect=suspect, evidence=evidence)
    seconds = timedelta(seconds=HEARTBEAT_SECONDS)
    boundary = ErrorBoundary(clean_result=telemetry.redactor.known, clean_failure=telemetry.redactor.text)
    shared = Shared(
        # Its name travels with each heartbeat: how many slots a host has, nothing else tells.
        plugins=[host_card(settings.host_slots, settings.sub_agent_slots)],
        interceptors=[ActivityTelemetry(telemetry), boundary, Quarantine(journal)],
        max_heartbeat_throttle_interval=seconds,
        default_heartbeat_throttle_interval=seconds,
    )
    graceful = timedelta(seconds=settings.graceful_shutdown_seconds)
    return Parts(settings, client, store, Transcripts(store), journal, shared, graceful, telemetry.redactor.known)


def _control(parts: Parts, tools: ToolActivities) -> Worker:
    ledger, gates = Ledger(parts.store, parts.transcripts), Gates()
    fleets = Fleets(parts.settings.fleet_limits)
    return Worker(
        parts.client,
        task_queue=ids.CONTROL_QUEUE,
        workflows=ALL,
        activities=[
            *(ledger.open_session, ledger.open_agent, ledger.seal, ledger.find_steps),
            *(gates.enter_gate, gates.find_ended, fleets.tell_fleet, tools.try_tool),
        ],
        workflow_runner=workflow_runner(),
        interceptors=parts.shared["interceptors"],
        max_cached_workflows=CACHED_WORKFLOWS,
        no_remote_activities=True,
        graceful_shutdown_timeout=parts.graceful,
    )


def _worker(parts: Parts, queue: str, at_once: int, activities: Sequence[Callable[..., Any]]) -> Worker:
    return Worker(
        parts.client,
        task_queue=queue,
        activities=activities,
        max_concurrent_activities=at_once,
        graceful_shutdown_timeout=parts.graceful,
        **parts.shared,
    )


async def _add_host(built: Built, parts: Parts, *, quick_calls: bool) -> Tools:
    """This host's workspaces, tools and slots."""
    settings = parts.settings
    data, host_id, queue = settings.data_dir, settings.host_id, ids.host_queue(settings.host_id)
    runner = ProcessRunner(data / "runs", disk_floor_bytes=settings.disk_floor_bytes, clean=parts.clean)
    built.keeping = await asyncio.to_thread(SessionKeeping.of, settings, runner)
    egress = make_egress(settings, runner)
    confined, report = await tried_sandbox(settings)
    if report.tried:
        log.info("sandbox tried", sandbox=confined.name, attacks_tried=len(report.tried), stopped=report.stopped)
    else:
        log.warning("commands run unsandboxed, with this user's rights and network", sandbox=confined.name)
    sandbox = built.keeping.around(confined)
    archive = CheckpointArchive(parts.store)
    workspaces = built.workspaces = Workspaces(
        data,
        runner,
        sandbox,
        host_id,
        queue,
        quick_calls,
        egress=egress,
        archive=archive,
        secrets=settings.secret_book,
        clean=parts.clean,
        making_of_sub_agent=making_of_sub_agent,
    )
    toolbox = Toolbox(runner, sandbox, ripgrep=find_ripgrep(), egress=egress, reports=SwarmReports(parts.store))
    tools = Tools(toolbox, workspaces, parts.transcripts, host_id, parts.clean)
    capacities = {SlotKind.SESSION: settings.host_slots, SlotKind.SUB_AGENT: settings.sub_agent_slots}
    built.pools = {kind: SlotPool(capacity) for kind, capacity in capacities.items()}
    life = WorkspaceLife(workspaces, Checks(workspaces, runner), parts.store, built.pools)
    built.slots = Slots(
        built.pools,
        life,
        workspaces,
        host_id=host_id,
        drain_seconds=settings.graceful_shutdown_seconds,
        patience_seconds=settings.host_patience_seconds,
        journal=parts.journal,
    )
    on_host = [
        *(tools.run_tool, tools.list_jobs),
        *(life.checkpoint, life.roll_back_files, life.run_checks),
        *(life.export_diff, life.deliver, life.release_workspace),
        *_of_swarms(parts, workspaces, built.pools[SlotKind.SUB_AGENT]),
    ]
    built.workers.append(_worker(parts, queue, settings.tool_slots, on_host))
    built.slot_workers = list(_slot_workers(parts, built.slots, life, built.pools))
    built.workers += built.slot_workers
    return tools


def _of_swarms(parts: Parts, workspaces: Workspaces, pool: SlotPool) -> list[Callable[..., Any]]:
    """What a host does for the swarms of its sessions, and for items."""
    plans = SwarmPlans(workspaces, parts.store, parts.transcripts, parts.settings.profiles())
    worktrees = Worktrees(workspaces, parts.store, parts.transcripts, pool)
    merges = Merges(workspaces, parts.store, parts.transcripts, parts.clean)
    return [
        *(plans.plan_swarm, plans.amend_plan),
        *(worktrees.open_swarm, worktrees.seal_item, worktrees.discard_worktree, worktrees.sweep_swarm),
        *(merges.merge_items, merges.open_resolver, merges.land_swarm),
    ]


def _slot_workers(
    parts: Parts, slots: Slots, life: WorkspaceLife, pools: dict[SlotKind, SlotPool]
) -> Generator[Worker]:
    """Slots out of the queues of all hosts while there is room, and for sessions that want theirs back."""
    graceful = parts.graceful + timedelta(seconds=DRAIN_MARGIN_SECONDS)
    for queue, kind in ((ids.HOSTS_QUEUE, SlotKind.SESSION), (ids.SUB_AGENT_HOSTS_QUEUE, SlotKind.SUB_AGENT)):
        if pools[kind].capacity:
            yield Worker(
                parts.client,
                task_queue=queue,
                # Sessions from before there were slots ask for their workspace here.
                activities=[slots.hold_slot, life.prepare_workspace],
                tuner=slot_tuner(pools[kind]),
                max_concurrent_activity_task_polls=SLOT_QUEUE_POLLERS,
                graceful_shutdown_timeout=graceful,
                **parts.shared,
            )
    yield Worker(
        parts.client,
        task_queue=ids.host_slots_queue(parts.settings.host_id),
        activities=[slots.hold_slot],
        max_concurrent_activities=RETURNING_AT_ONCE,
        max_concurrent_activity_task_polls=SLOT_QUEUE_POLLERS,
        graceful_shutdown_timeout=graceful,
        **parts.shared,
    )


async def run_worker(
    settings: Settings, client: Client, telemetry: Telemetry, roles: frozenset[Role], stopped: asyncio.Event
) -> None:
    """Poll until `stopped`; then let sessions and running calls end or hand over within the graceful time."""
    async with (
        workers(settings, client, telemetry, roles) as built,
        AsyncExitStack() as health,
        AsyncExitStack() as polling,
    ):
        if settings.health_address:
            listener = listener_on(settings.health_address, "health_address")
            facts = _facts(built, stopped)
            await health.enter_async_context(served(health_app(facts), listener))
        if built.slots is not None:
            await built.slots.keep_places(client)
        if built.keeping is not None:
            await polling.enter_async_context(built.keeping.watchdog.on_watch())
        for each in built.workers:
            await polling.enter_async_context(each)
        log.info(
            "worker started",
            host_id=settings.host_id,
            roles=sorted(roles),
            sandbox=settings.sandbox,
            limits=None if built.keeping is None else built.keeping.name,
            profile=settings.model_profile,
        )
        await stopped.wait()
        log.info("worker stopping", graceful_seconds=settings.graceful_shutdown_seconds)
        # Sessions hold at a step only while their tools still run; then everything else at once.
        await asyncio.gather(*(each.shutdown() for each in built.slot_workers))
        await asyncio.gather(*(each.shutdown() for each in built.workers))


def _facts(built: Built, stopped: asyncio.Event) -> Callable[[], dict[str, bool]]:
    return lambda: {
        "ready": not stopped.is_set() and all(each.is_running for each in built.workers),
        "draining": stopped.is_set(),
    }


async def _serve(settings: Settings, telemetry: Telemetry, roles: frozenset[Role]) -> None:
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
    await require_payload_keys(client, settings.key_ring)
    await register_search_attributes(client)
    await run_worker(settings, client, telemetry, roles, stopped)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the worker until it is told to stop; returns the exit code."""
    parser = argparse.ArgumentParser(prog="worker", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--role", action="append", default=[], metavar="ROLE", help=f"one of {', '.join(Role)}; repeat it; default: all"
    )

    def life() -> None:
        roles = as_roles(parser.parse_args(arguments).role)
        settings = load_settings()
        configure_logging(settings.log_format, settings.log_level, secrets=settings.secret_values)
        look_up_secrets(settings)
        watch_children_by_descriptor()
        gc.set_threshold(YOUNG_OBJECTS)
        with contextlib.closing(Telemetry.from_settings(settings)) as telemetry:
            asyncio.run(_serve(settings, telemetry, roles))

    return exit_code_of(life)


if __name__ == "__main__":
    end_process(main())
