"""The hosts: their slots and when they were last heard of, by their workers' heartbeats, and the sessions they hold.

Heartbeats are what the engine knows in memory: after its restart a host is back with its next one. When a worker last
polled says nothing: one whose slots are all taken does not poll. Where no heartbeat is known, the pollers have to do.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from temporalio.api.enums.v1 import TaskQueueType, WorkerStatus
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.worker.v1 import WorkerHeartbeat
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, ListWorkersRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from longshift.contracts import ids, search
from longshift.host_card import HostCard, read_host_card
from longshift.sessions.search_keys import HOST

ANSWER_SECONDS = 10.0
IDENTITY_PREFIX = "longshift-"
HEARTBEAT_SECONDS = 60.0
"""The SDK's own interval, for workers whose last two heartbeats do not tell it."""
LATE_INTERVALS = 2.0
LATE_SECONDS = 5.0
SESSIONS_SHOWN = 100
SESSIONS_LOOKED_AT = 5_000
_PAGE_WORKERS = 1_000


class HostState(StrEnum):
    """How a host stands."""

    UP = "up"
    DRAINING = "draining"
    """It stops, and takes nothing new."""
    SILENT = "silent"
    """Its heartbeats have stopped."""
    GONE = "gone"
    """Sessions are listed under it, but nothing was heard of it."""


@dataclass(frozen=True)
class Host:
    """One host."""

    host_id: str
    state: HostState
    slots_used: int | None = None
    """None where it is not known."""
    slots: int | None = None
    sub_agent_slots_used: int | None = None
    sub_agent_slots: int | None = None
    sessions: tuple[str, ...] = ()
    """Tasks whose sessions hold a slot here, at most `SESSIONS_SHOWN`."""
    sessions_held: int = 0
    seen_at: datetime | None = None
    started_at: datetime | None = None
    version: str = ""
    """Of Longshift."""
    sdk_version: str = ""


async def list_hosts(client: Client, now: datetime) -> list[Host]:
    """All hosts by name. One that ended in good order and holds nothing is not listed.

    Raises:
        RPCError: the engine does not answer.
    """
    heard = {host.host_id: host for host in await _heard_of(client, now)}
    held = await _held(client)
    unheard = {host_id: Host(host_id, HostState.GONE) for host_id in held if host_id not in heard}
    hosts = [
        replace(host, sessions=tuple(held[host_id][:SESSIONS_SHOWN]), sessions_held=len(held[host_id]))
        for host_id, host in sorted((heard | unheard).items())
    ]
    return [host for host in hosts if host.state is not HostState.GONE or host.sessions]


async def _held(client: Client) -> defaultdict[str, list[str]]:
    """Host → tasks of the sessions that hold a slot there."""
    where = f"WorkflowType = 'Session' AND ExecutionStatus = 'Running' AND {search.HOST} IS NOT NULL"
    wait = timedelta(seconds=ANSWER_SECONDS)
    found: defaultdict[str, list[str]] = defaultdict(list)
    async for row in client.list_workflows(where, limit=SESSIONS_LOOKED_AT, rpc_timeout=wait):
        host_id = row.typed_search_attributes.get(HOST)
        if host_id:
            found[host_id].append(row.id.removeprefix(ids.session_workflow_id("")))
    return found


async def _heard_of(client: Client, now: datetime) -> list[Host]:
    try:
        heartbeats = await _heartbeats(client)
    except RPCError as error:
        if error.status is not RPCStatusCode.UNIMPLEMENTED:
            raise
        heartbeats = []
    if not heartbeats:
        return await _polling(client)
    by_host: defaultdict[str, dict[str, WorkerHeartbeat]] = defaultdict(dict)
    for each in sorted(heartbeats, key=lambda each: each.heartbeat_time.ToNanoseconds()):
        by_host[each.worker_identity.removeprefix(IDENTITY_PREFIX)][each.task_queue] = each
    return [_host(host_id, workers, now) for host_id, workers in by_host.items()]


async def _heartbeats(client: Client) -> list[WorkerHeartbeat]:
    """The last ones of all workers on hosts' queues."""
    wait = timedelta(seconds=ANSWER_SECONDS)
    request = ListWorkersRequest(
        namespace=client.namespace, page_size=_PAGE_WORKERS, query=f"TaskQueue STARTS_WITH '{ids.HOST_QUEUES_PREFIX}'"
    )
    found: list[WorkerHeartbeat] = []
    while True:
        answer = await client.workflow_service.list_workers(request, timeout=wait)
        found += [each.worker_heartbeat for each in answer.workers_info]
        if not answer.next_page_token:
            return found
        request.next_page_token = answer.next_page_token


def _host(host_id: str, workers: Mapping[str, WorkerHeartbeat], now: datetime) -> Host:
    last = max(workers.values(), key=lambda each: each.heartbeat_time.ToNanoseconds())
    seen_at = last.heartbeat_time.ToDatetime(tzinfo=UTC)
    names = [plugin.name for each in workers.values() for plugin in each.plugins]
    card = read_host_card(names) or HostCard(version="", slots=None, sub_agent_slots=None)
    return Host(
        host_id,
        state_of(workers.values(), now),
        slots_used=_used(workers, ids.HOSTS_QUEUE, ids.host_slots_queue(host_id)),
        slots=card.slots,
        sub_agent_slots_used=_used(workers, ids.SUB_AGENT_HOSTS_QUEUE),
        sub_agent_slots=card.sub_agent_slots,
        seen_at=seen_at,
        started_at=last.start_time.ToDatetime(tzinfo=UTC),
        version=card.version,
        sdk_version=last.sdk_version,
    )


def state_of(workers: Collection[WorkerHeartbeat], now: datetime) -> HostState:
    """By the last heartbeat of any; a worker that was told to stop says so in every further one."""
    last = max(workers, key=lambda each: each.heartbeat_time.ToNanoseconds())
    silence = now - last.heartbeat_time.ToDatetime(tzinfo=UTC)
    interval = last.elapsed_since_last_heartbeat.ToTimedelta().total_seconds() or HEARTBEAT_SECONDS
    is_stopping = any(each.status == WorkerStatus.WORKER_STATUS_SHUTTING_DOWN for each in workers)
    if silence.total_seconds() <= LATE_INTERVALS * interval + LATE_SECONDS:
        return HostState.DRAINING if is_stopping else HostState.UP
    return HostState.GONE if is_stopping else HostState.SILENT


def _used(workers: Mapping[str, WorkerHeartbeat], *queues: str) -> int:
    found = (workers.get(queue) for queue in queues)
    return sum(each.activity_task_slots_info.current_used_slots for each in found if each)


async def _polling(client: Client) -> list[Host]:
    """Hosts that asked for a session in the last minutes; they may have ended since."""
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=ids.HOSTS_QUEUE),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
    )
    answer = await client.workflow_service.describe_task_queue(request, timeout=timedelta(seconds=ANSWER_SECONDS))
    return [
        Host(
            each.identity.removeprefix(IDENTITY_PREFIX),
            HostState.UP,
            seen_at=each.last_access_time.ToDatetime(tzinfo=UTC),
        )
        for each in answer.pollers
    ]
