"""The one table of time-outs, heartbeats, retries and queues. No activity is scheduled with anything else.

A worker that dies is noticed after the heartbeat time-out of what it was doing. No policy is left at the engine's
default of unlimited attempts; when the attempts are used up the agent parks and a person is told.
"""

from datetime import timedelta
from typing import TypedDict

from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType

from longshift.contracts import ids
from longshift.policy.slots import SILENCE_SECONDS


class RemoteOptions(TypedDict):
    """Options of a remote activity."""

    task_queue: str
    start_to_close_timeout: timedelta
    heartbeat_timeout: timedelta
    retry_policy: RetryPolicy
    cancellation_type: ActivityCancellationType


class LocalOptions(TypedDict):
    """Options of a local activity."""

    start_to_close_timeout: timedelta
    retry_policy: RetryPolicy


WORKFLOW_TASK_SECONDS = 10
"""How long one workflow task may take; a worker that dies within one is noticed after it."""

_BRIEF = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=10), maximum_attempts=5)
_PATIENT = RetryPolicy(
    initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=30), maximum_attempts=100
)
_UNTIL_SILENT = RetryPolicy(
    initial_interval=timedelta(seconds=1),
    maximum_interval=timedelta(seconds=10),
    maximum_attempts=100,
    non_retryable_error_types=["TemporalTimeout:Heartbeat", "TemporalTimeout:StartToClose"],
)

LEDGER = LocalOptions(start_to_close_timeout=timedelta(seconds=20), retry_policy=_BRIEF)
"""Bookkeeping in the store."""

TRY_TOOL = LocalOptions(start_to_close_timeout=timedelta(seconds=8), retry_policy=RetryPolicy(maximum_attempts=1))
"""A quick call waits for a second at most; whatever goes wrong with it is left to `run_tool`."""

MODEL = RemoteOptions(
    task_queue=ids.MODEL_QUEUE,
    start_to_close_timeout=timedelta(hours=2),
    heartbeat_timeout=timedelta(seconds=15),
    retry_policy=_PATIENT,
    cancellation_type=ActivityCancellationType.TRY_CANCEL,
)
"""One model call, with its own patience for a provider's trouble inside."""

PREPARE = RemoteOptions(
    task_queue=ids.HOSTS_QUEUE,
    start_to_close_timeout=timedelta(hours=13),
    heartbeat_timeout=timedelta(seconds=15),
    retry_policy=_PATIENT,
    cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
)
"""Source and setup of a workspace."""


def hold_slot(queue: str) -> RemoteOptions:
    """A slot, for as long as it is held. A host that fell silent has lost it: the session decides where to go on."""
    return RemoteOptions(
        task_queue=queue,
        start_to_close_timeout=timedelta(days=60),
        heartbeat_timeout=timedelta(seconds=SILENCE_SECONDS),
        retry_policy=_UNTIL_SILENT,
        cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    )


def run_tool(host_queue: str) -> RemoteOptions:
    """A tool call of any length: the longest command may take twelve hours."""
    return _on_host(host_queue, timedelta(hours=13))


def run_checks(host_queue: str) -> RemoteOptions:
    """All declared checks, each with its own limit."""
    return _on_host(host_queue, timedelta(hours=24))


def integration(host_queue: str) -> RemoteOptions:
    """Merges, and the landing of what was merged; where the integration has to be made first, that may run a setup."""
    return _on_host(host_queue, timedelta(hours=13))


def housekeeping(host_queue: str) -> RemoteOptions:
    """Checkpoints, delivery, release; for swarms the plan, the base, seals, and the removal of worktrees."""
    return _on_host(host_queue, timedelta(minutes=30))


def _on_host(host_queue: str, limit: timedelta) -> RemoteOptions:
    return RemoteOptions(
        task_queue=host_queue,
        start_to_close_timeout=limit,
        heartbeat_timeout=timedelta(seconds=10),
        retry_policy=_PATIENT,
        cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    )


DELIVERY = RemoteOptions(
    task_queue=ids.DELIVERY_QUEUE,
    start_to_close_timeout=timedelta(hours=2),
    heartbeat_timeout=timedelta(seconds=30),
    retry_policy=RetryPolicy(
        initial_interval=timedelta(seconds=2), maximum_interval=timedelta(seconds=60), maximum_attempts=10
    ),
    cancellation_type=ActivityCancellationType.TRY_CANCEL,
)
"""A branch and its pull request: some five minutes of attempts, then people are asked."""

PEOPLE = RemoteOptions(
    task_queue=ids.PEOPLE_QUEUE,
    start_to_close_timeout=timedelta(minutes=4),
    heartbeat_timeout=timedelta(seconds=30),
    retry_policy=RetryPolicy(
        initial_interval=timedelta(seconds=2), maximum_interval=timedelta(seconds=60), maximum_attempts=15
    ),
    cancellation_type=ActivityCancellationType.TRY_CANCEL,
)
"""One message to people: some ten minutes of attempts. Then `workflows.bulletin` looks what is the newest to say, and
begins again, for as long as it takes."""
