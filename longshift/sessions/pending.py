"""What runs in a workflow right now: its pending activities with the progress that their heartbeats carry."""

from datetime import UTC, datetime

from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.client import Client, WorkflowExecutionDescription
from temporalio.exceptions import FailureError

LINE_CHARACTERS = 200


async def pending_lines(client: Client, about: WorkflowExecutionDescription) -> tuple[str, ...]:
    """One line per activity: its name, its last word, for how long it runs, and what went wrong with it before."""
    now = datetime.now(UTC)
    found = about.raw_description.pending_activities
    return tuple([await _line(client, activity, now) for activity in found])


async def _line(client: Client, activity: PendingActivityInfo, now: datetime) -> str:
    parts = [activity.activity_type.name]
    if activity.HasField("heartbeat_details"):
        parts.append(str((await client.data_converter.decode(activity.heartbeat_details.payloads))[0]))
    if activity.HasField("last_started_time"):
        running = now - activity.last_started_time.ToDatetime(tzinfo=UTC)
        parts.append(f"{max(0.0, running.total_seconds()):.0f} s")
    else:
        parts.append("waits for a worker")
    if activity.attempt > 1:
        parts.append(f"attempt {activity.attempt}, after: {await _message(client, activity)}")
    return " · ".join(parts)[:LINE_CHARACTERS]


async def _message(client: Client, activity: PendingActivityInfo) -> str:
    """What the attempt before failed with, which may be encrypted."""
    failure = await client.data_converter.decode_failure(activity.last_failure)
    return failure.message if isinstance(failure, FailureError) else str(failure)
