"""Who works for the engine at this moment: the workers that poll its queues."""

import asyncio
from datetime import timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client, RPCError

from longshift.cli.invocation import Invocation
from longshift.contracts import ids
from longshift.contracts.errors import EngineError

ANSWER_SECONDS = 5.0
POLL_SECONDS = 0.3


async def workers(client: Client, *, seen_within_seconds: float = 90.0) -> list[str]:
    """The identities of workers that asked for workflow tasks lately.

    Raises:
        RPCError: the engine does not answer.
    """
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=ids.CONTROL_QUEUE),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    )
    answer = await client.workflow_service.describe_task_queue(request, timeout=timedelta(seconds=ANSWER_SECONDS))
    latest = max((poller.last_access_time.ToSeconds() for poller in answer.pollers), default=0)
    return sorted(
        {
            poller.identity
            for poller in answer.pollers
            if latest - poller.last_access_time.ToSeconds() <= seen_within_seconds
        }
    )


async def wait_for_worker(run: Invocation, patience_seconds: float) -> bool:
    """Whether a worker asks for work before the patience is at its end."""
    try:
        async with asyncio.timeout(patience_seconds):
            # It is another process's state: there is no event to wait for.
            while not await _is_there(run):  # noqa: ASYNC110
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        return False
    return True


async def _is_there(run: Invocation) -> bool:
    try:
        return bool(await workers(await run.client()))
    except (RPCError, EngineError):
        return False
