"""The options that a session is started with, whoever starts it. What it starts with is the caller's."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TypedDict

from temporalio.common import Priority, TypedSearchAttributes, WorkflowIDReusePolicy

from longshift.contracts import ids
from longshift.contracts.session import SessionInput
from longshift.policy.task_identity import task_hash
from workflows import attributes, options


class StartOptions(TypedDict):
    """What `start_workflow` and `start_child_workflow` both take."""

    id: str
    task_queue: str
    id_reuse_policy: WorkflowIDReusePolicy
    task_timeout: timedelta
    memo: Mapping[str, str]
    search_attributes: TypedSearchAttributes
    priority: Priority
    static_summary: str
    static_details: str


def start_options(request: SessionInput) -> StartOptions:
    """One session per task id, known by the hash of its task, at its place in the queue."""
    task, place = request.task, request.place
    return StartOptions(
        id=ids.session_workflow_id(task.id),
        task_queue=ids.CONTROL_QUEUE,
        id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        task_timeout=timedelta(seconds=options.WORKFLOW_TASK_SECONDS),
        memo=_memo(request),
        search_attributes=attributes.of_session(request),
        priority=Priority(
            priority_key=place.priority, fairness_key=place.fairness_key, fairness_weight=place.fairness_weight
        ),
        static_summary=task.title[:200],
        static_details=task.instructions[:4_000],
    )


def _memo(request: SessionInput) -> dict[str, str]:
    start = request.task.start_from
    origin = {ids.STARTED_FROM_MEMO: start.place} if start is not None else {}
    return {ids.TASK_HASH_MEMO: task_hash(request.task), **origin}
