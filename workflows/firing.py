"""One fire of a schedule: it starts the session of that time and lasts as long, so that overlap means the session.

Each fire is a session of its own, and the same fire twice is the same session. The session outlives its firing.
"""

from datetime import datetime

from temporalio import workflow
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import WorkflowAlreadyStartedError

from longshift.contracts import ids
from longshift.contracts.schedules import FiringInput, FiringReport
from workflows.session import Session
from workflows.session_start import start_options

SCHEDULED_AT = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")
"""Set by the engine: when the fire was due, without jitter and whatever delayed it."""


@workflow.defn(name="Firing")
class Firing:
    """Starts a session and waits for its end; a cancel cancels the session."""

    @workflow.run
    async def run(self, request: FiringInput) -> FiringReport:
        """Start this fire's session; one that exists already is not waited for."""
        task_id = ids.fired_task_id(request.schedule, _due_at())
        task = request.session.task.model_copy(update={"id": task_id})
        session = request.session.model_copy(update={"task": task})
        try:
            running = await workflow.start_child_workflow(
                Session.run,
                session,
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                cancellation_type=workflow.ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
                **start_options(session),
            )
        except WorkflowAlreadyStartedError:
            return FiringReport(task_id=task_id)
        workflow.set_current_details(f"session {task_id}")
        status = await running
        return FiringReport(task_id=task_id, state=status.state)


def _due_at() -> datetime:
    info = workflow.info()
    told = info.typed_search_attributes.get(SCHEDULED_AT)
    return told or ids.fired_at(info.workflow_id) or info.start_time
