"""One session as the engine and its workflows tell it, with the best that is known when no worker answers."""

import contextlib
import functools
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import ValidationError
from temporalio.client import (
    Client,
    RPCError,
    WorkflowExecution,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowQueryFailedError,
)
from temporalio.service import RPCStatusCode

from longshift.adapters.engine import read_address
from longshift.adapters.store import Store
from longshift.contracts import ids
from longshift.contracts.agent import AgentProgress
from longshift.contracts.attention import Attention
from longshift.contracts.errors import StoreError
from longshift.contracts.session import SessionState, SessionStatus
from longshift.contracts.task import Budget, TaskSpec
from longshift.policy.reviews import PASSES_BY_ITSELF
from longshift.sessions import search_keys
from longshift.sessions.failures import NO_WORKER, SessionMissing, WorkerAbsent, in_words
from longshift.sessions.pending import pending_lines
from longshift.settings import Settings

T = TypeVar("T")

BY_THEMSELVES = PASSES_BY_ITSELF
"""Kinds of attention that pass without a person."""

ANSWER_SECONDS = 5.0
"""A worker that has to replay a session answers within a second or two."""
WORKFLOW_TYPE = "Session"
_SILENT = frozenset(
    {
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.FAILED_PRECONDITION,
        RPCStatusCode.NOT_FOUND,
    }
)
"""How a query fails when there is an engine, but no worker, or no agent yet."""
_ENDED_BY_ENGINE = {
    WorkflowExecutionStatus.TERMINATED: SessionState.FAILED,
    WorkflowExecutionStatus.TIMED_OUT: SessionState.FAILED,
    WorkflowExecutionStatus.FAILED: SessionState.FAILED,
    WorkflowExecutionStatus.CANCELED: SessionState.CANCELLED,
}
"""A session that ends by itself always completes; one that was ended could not note its end."""


@dataclass(frozen=True)
class SessionView:
    """What is known of a session at one moment."""

    status: SessionStatus
    progress: AgentProgress | None = None
    """The current agent's own words; None when it has none or nobody answers."""
    started_at: datetime | None = None
    closed_at: datetime | None = None
    run_id: str = ""
    doing: tuple[str, ...] = ()
    """What runs right now, a line each."""
    remark: str = ""
    """Why the rest is not the session's own answer."""
    requeue_of: str = ""
    """The task that this one is another try of."""
    started_from: str = ""
    """The session, and the step, that this one goes on from."""

    def document(self, url: str) -> dict[str, Any]:
        """The JSON form."""
        return {
            "status": self.status,
            "progress": self.progress,
            "doing": self.doing,
            "started_at": self.started_at,
            "closed_at": self.closed_at,
            "url": url,
            "remark": self.remark,
            "requeue_of": self.requeue_of,
            "started_from": self.started_from,
        }


async def read_session(client: Client, task_id: str) -> SessionView:
    """The session of a task.

    Raises:
        SessionMissing: there is none.
        RPCError: the engine does not answer.
    """
    workflow_id = ids.session_workflow_id(task_id)
    handle = client.get_workflow_handle(workflow_id, result_type=SessionStatus)
    try:
        about = await handle.describe(rpc_timeout=timedelta(seconds=ANSWER_SECONDS))
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND and not error.message.startswith("Namespace "):
            raise SessionMissing(
                f"no session has the id {task_id!r}; `longshift list` shows the ones there are"
            ) from None
        raise
    view = functools.partial(
        _view,
        about,
        requeue_of=await about.memo_value(ids.REQUEUE_OF_MEMO, ""),
        started_from=await about.memo_value(ids.STARTED_FROM_MEMO, ""),
    )
    known = _known(task_id, await _title(about), about)
    if about.status is not WorkflowExecutionStatus.RUNNING:
        try:
            return view(await handle.result())
        except WorkflowFailureError as error:
            name = about.status.name.lower().replace("_", " ") if about.status else "ended"
            reason = f"{name} in the engine: {in_words(error.cause)}"
            return view(known.model_copy(update={"reason": reason}))
    try:
        status = await ask(client, workflow_id, "status", SessionStatus)
    except WorkerAbsent as error:
        return view(known, remark=f"{error}; this is what the engine knows")
    progress, doing = None, await pending_lines(client, about)
    if status.agent and not any(report.agent == status.agent for report in status.agents):
        with contextlib.suppress(WorkerAbsent):  # an agent that starts or ends just now
            agent = ids.agent_workflow_id(status.agent)
            progress = await ask(client, agent, "progress", AgentProgress)
            about_agent = await client.get_workflow_handle(agent).describe(
                rpc_timeout=timedelta(seconds=ANSWER_SECONDS)
            )
            doing += await pending_lines(client, about_agent)
    return view(status, progress=progress, doing=doing)


async def read_status(client: Client, task_id: str) -> SessionStatus:
    """The session's own answer alone.

    Raises:
        WorkerAbsent: nobody gives one.
        RPCError: the engine does not answer.
    """
    return await ask(client, ids.session_workflow_id(task_id), "status", SessionStatus)


def web_url(settings: Settings, view: SessionView | None = None) -> str:
    """The page of a session in the embedded engine's Web UI, or its list; empty where there is none."""
    address = None if settings.uses_external_engine else read_address(settings.data_dir)
    if address is None or not address.ui_url:
        return ""
    page = f"{address.ui_url}/namespaces/{address.namespace}/workflows"
    if view is None:
        return page
    workflow_id = quote(ids.session_workflow_id(view.status.task_id), safe="")
    return f"{page}/{workflow_id}" + (f"/{view.run_id}/history" if view.run_id else "")


def listed_state(execution: WorkflowExecution) -> SessionState:
    """The state by the search attribute; for sessions that the engine itself ended, by how it did."""
    if execution.status is not None and execution.status in _ENDED_BY_ENGINE:
        return _ENDED_BY_ENGINE[execution.status]
    found = execution.typed_search_attributes.get(search_keys.STATE)
    return SessionState(found) if found in set(SessionState) else SessionState.QUEUED


def task_id_of(execution: WorkflowExecution) -> str:
    """The task whose session this is."""
    return task_id_of_workflow(execution.id)


def task_id_of_workflow(workflow_id: str) -> str:
    """The task of a session's workflow id."""
    return workflow_id.removeprefix(ids.session_workflow_id(""))


async def budget_of(store: Store, task_id: str) -> Budget | None:
    """The task's limits; None where the store cannot be read from here."""
    try:
        body = await store.find(ids.task_key(task_id))
        return TaskSpec.model_validate_json(body).budget if body else None
    except (StoreError, ValidationError):  # a task that another release wrote is shown without its limits
        return None


async def ask(client: Client, workflow_id: str, query: str, answer: type[T]) -> T:
    """A query's answer.

    Raises:
        WorkerAbsent: nobody gives one; the message says why.
        RPCError: the engine does not answer.
    """
    handle = client.get_workflow_handle(workflow_id)
    try:
        return await handle.query(query, result_type=answer, rpc_timeout=timedelta(seconds=ANSWER_SECONDS))
    except WorkflowQueryFailedError as error:
        raise WorkerAbsent(f"the worker cannot answer: {error}") from None
    except RPCError as error:
        if error.status in _SILENT:
            raise WorkerAbsent(NO_WORKER) from None
        raise


async def _title(about: WorkflowExecutionDescription) -> str:
    return await about.static_summary() or task_id_of(about)


def _known(task_id: str, title: str, about: WorkflowExecution) -> SessionStatus:
    found = about.typed_search_attributes
    kind = found.get(search_keys.ATTENTION)
    return SessionStatus(
        task_id=task_id,
        title=title,
        state=listed_state(about),
        profile=found.get(search_keys.MODEL) or "",
        attention=Attention(kind=kind, text="see the Web UI, or ask again when a worker runs") if kind else None,
    )


def _view(about: WorkflowExecution, status: SessionStatus, **more: Any) -> SessionView:
    return SessionView(
        status=status, started_at=about.start_time, closed_at=about.close_time, run_id=about.run_id, **more
    )
