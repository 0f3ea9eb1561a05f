"""Sessions at the gate of their key: brought there, and looked after where they do not tell of their end."""

import asyncio

from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from longshift.contracts import ids
from longshift.contracts.activities import GateActivities
from longshift.contracts.gate import EndedSessions, EnterGateInput, FindEndedInput, GateState


class Gates(GateActivities):
    """Talks to the engine through the worker's own client."""

    @activity.defn
    async def enter_gate(self, request: EnterGateInput) -> None:
        """Signal the gate of the key, and open it for the first."""
        await activity.client().start_workflow(
            "Gate",
            GateState(limit=request.entry.limit),
            id=ids.gate_workflow_id(request.key),
            task_queue=ids.CONTROL_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal="enter",
            start_signal_args=[request.entry],
            static_summary=f"at most {request.entry.limit} of {request.key}"[:200],
        )

    @activity.defn
    async def find_ended(self, request: FindEndedInput) -> EndedSessions:
        """Which of the sessions run no more."""
        client = activity.client()
        running = await asyncio.gather(*(is_running(client, session) for session in request.sessions))
        pairs = zip(request.sessions, running, strict=True)
        return EndedSessions(sessions=tuple(session for session, is_running in pairs if not is_running))


async def is_running(client: Client, session: str) -> bool:
    """Whether the session with this workflow id has not ended."""
    try:
        description = await client.get_workflow_handle(session).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return description.status is WorkflowExecutionStatus.RUNNING
