"""What people tell a session: one update each. Whether it fits, the session decides."""

import asyncio
import uuid
from datetime import timedelta
from typing import Any

from temporalio.client import (
    Client,
    RPCError,
    WorkflowUpdateFailedError,
    WorkflowUpdateHandle,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.service import RPCStatusCode

from longshift.contracts import ids
from longshift.sessions.failures import NO_WORKER, SessionRefused, WorkerAbsent, in_words
from longshift.sessions.view import read_session

ANSWER_SECONDS = 20.0


async def tell(client: Client, task_id: str, verb: str, *given: Any, update_id: str = "") -> str:
    """The session's answer. Requests with the same `update_id` are one decision, however often they are sent.

    Raises:
        SessionRefused: the session does not take it now; the message is its own.
        SessionMissing: there is no such session.
        WorkerAbsent: nobody took it.
        RPCError: the engine does not answer.
    """
    handle = client.get_workflow_handle(ids.session_workflow_id(task_id))
    wait = timedelta(seconds=ANSWER_SECONDS)
    try:
        # With an id of its own the request stays one decision, however often the SDK sends it. Its type is partial.
        return await handle.execute_update(  # pyright: ignore[reportUnknownMemberType]
            verb, args=given, id=update_id or uuid.uuid4().hex, result_type=str, rpc_timeout=wait
        )
    except WorkflowUpdateFailedError as error:
        raise SessionRefused(in_words(error.cause)) from None
    except WorkflowUpdateRPCTimeoutOrCancelledError as error:
        if isinstance(error.__cause__, asyncio.CancelledError):  # Ctrl-C, which the SDK takes for a time-out
            raise error.__cause__ from None
        raise WorkerAbsent(
            f"nobody took it within {ANSWER_SECONDS:.0f} seconds, so it counts as not sent: {NO_WORKER}, then try again"
        ) from None
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        view = await read_session(client, task_id)
        raise SessionRefused(f"cannot {verb}: the session is {view.status.state.value}") from None


async def find_told(client: Client, task_id: str, update_id: str) -> str | None:
    """What the session said to an earlier request; None when it has not taken one under this id.

    Raises:
        RPCError: the engine does not answer.
    """
    handle = client.get_workflow_handle(ids.session_workflow_id(task_id))
    update: WorkflowUpdateHandle[str] = handle.get_update_handle(update_id, result_type=str)
    try:
        return await update.result(rpc_timeout=timedelta(seconds=ANSWER_SECONDS))
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return None


async def cancel_later(client: Client, task_id: str, reason: str) -> str:
    """No worker runs: the engine keeps the wish until one does, but no reason. Gives the answer for people.

    Raises:
        RPCError: the engine does not answer.
    """
    await client.get_workflow_handle(ids.session_workflow_id(task_id)).cancel()
    lost = "; the reason is not kept" if reason else ""
    return f"the engine keeps the cancellation for the next worker ({NO_WORKER}){lost}"
