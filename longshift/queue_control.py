"""The engine's own controls of the queue: paused or not, how fast it is worked off, whose turns count more.

They are the configuration of the task queue that hosts take sessions from, kept by the engine: they hold for all hosts,
within a second, and through restarts. A session that has its host already is not held up. What waits is counted in
`queue_census`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import RateLimit, TaskQueue, TaskQueueConfig
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, UpdateTaskQueueConfigRequest
from temporalio.client import Client

from longshift.contracts import ids

ANSWER_SECONDS = 10.0
REASON_MAX_CHARACTERS = 900
"""The engine takes 1,000, and the rate to go back to stands there too."""
_OPEN = "no limit"
_PAUSED = re.compile(rf"(?s)(.*)\[then (?:([0-9.e+-]+)/s|{_OPEN})\]")
"""The reason of a pause, as it is kept: what a person said, and the rate to go back to."""


@dataclass(frozen=True)
class QueueControl:
    """The controls in force."""

    is_paused: bool = False
    rate_per_second: float | None = None
    """Sessions that leave the queue per second, over all hosts, or will when it is no longer paused; None: no limit."""
    reason: str = ""
    by: str = ""
    """Who changed it last."""
    since: datetime | None = None
    weights: Mapping[str, float] | None = None
    """Fairness key → weight, instead of what its tasks say."""


async def read_control(client: Client) -> QueueControl:
    """The controls in force.

    Raises:
        RPCError: the engine does not answer.
    """
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=ids.HOSTS_QUEUE),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
        report_config=True,
    )
    wait = timedelta(seconds=ANSWER_SECONDS)
    return _read((await client.workflow_service.describe_task_queue(request, timeout=wait)).config)


async def pause(client: Client, *, by: str, reason: str = "") -> QueueControl:
    """Let no session out of the queue; raises as `read_control` does."""
    return await _pause(client, by, reason, (await read_control(client)).rate_per_second)


async def resume(client: Client, *, by: str) -> QueueControl:
    """Go on, at the rate from before the pause; raises as `read_control` does."""
    before = await read_control(client)
    return await _set_rate(client, before.rate_per_second, by, "") if before.is_paused else before


async def set_rate(client: Client, rate_per_second: float | None, *, by: str, reason: str = "") -> QueueControl:
    """Limit how many sessions leave the queue per second; a queue that is paused keeps it for later.

    Raises as `read_control` does.
    """
    before = await read_control(client)
    if before.is_paused:
        return await _pause(client, by, reason or before.reason, rate_per_second)
    return await _set_rate(client, rate_per_second, by, reason)


async def set_weight(client: Client, key: str, weight: float | None, *, by: str) -> QueueControl:
    """Let a fairness key's turns count otherwise than its tasks say, from the next task on; None: as they say.

    Raises as `read_control` does.
    """
    request = _request(client, by)
    if weight is None:
        request.unset_fairness_weight_overrides.append(key)
    else:
        request.set_fairness_weight_overrides[key] = weight
    return await _update(client, request)


async def _pause(client: Client, by: str, reason: str, then: float | None) -> QueueControl:
    told = f"{reason} [then {_OPEN if then is None else f'{then!r}/s'}]".lstrip()
    return await _set_rate(client, 0.0, by, told)


async def _set_rate(client: Client, rate_per_second: float | None, by: str, reason: str) -> QueueControl:
    request = _request(client, by)
    request.update_queue_rate_limit.reason = reason
    # Present but without a rate: no limit.
    request.update_queue_rate_limit.SetInParent()
    if rate_per_second is not None:
        request.update_queue_rate_limit.rate_limit.CopyFrom(RateLimit(requests_per_second=rate_per_second))
    return await _update(client, request)


def _request(client: Client, by: str) -> UpdateTaskQueueConfigRequest:
    return UpdateTaskQueueConfigRequest(
        namespace=client.namespace,
        identity=by,
        task_queue=ids.HOSTS_QUEUE,
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
    )


async def _update(client: Client, request: UpdateTaskQueueConfigRequest) -> QueueControl:
    wait = timedelta(seconds=ANSWER_SECONDS)
    return _read((await client.workflow_service.update_task_queue_config(request, timeout=wait)).config)


def _read(config: TaskQueueConfig) -> QueueControl:
    limit, told = config.queue_rate_limit, config.queue_rate_limit.metadata
    rate = _decimal(limit.rate_limit.requests_per_second) if limit.HasField("rate_limit") else None
    is_paused = rate == 0
    found = _PAUSED.fullmatch(told.reason) if is_paused else None
    return QueueControl(
        is_paused=is_paused,
        rate_per_second=(float(found[2]) if found and found[2] else None) if is_paused else rate,
        reason=found[1].strip() if found else told.reason,
        by=told.update_identity,
        since=told.update_time.ToDatetime(tzinfo=UTC) if told.HasField("update_time") else None,
        weights={key: _decimal(weight) for key, weight in sorted(config.fairness_weight_overrides.items())},
    )


def _decimal(number: float) -> float:
    """As a person gave it: the engine keeps fewer digits than would be shown."""
    return float(f"{number:.6g}")
