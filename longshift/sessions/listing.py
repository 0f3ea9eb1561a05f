"""The sessions that the engine lists, newest first."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio.client import Client, RPCError, WorkflowExecution
from temporalio.service import RPCStatusCode

from longshift.contracts import ids, search
from longshift.contracts.session import SessionState
from longshift.sessions import search_keys
from longshift.sessions.view import WORKFLOW_TYPE, listed_state, task_id_of

ANSWER_SECONDS = 15.0
ALL = f"WorkflowType = '{WORKFLOW_TYPE}'"
ENDED_BY_ENGINE = "ExecutionStatus IN ('Terminated', 'TimedOut', 'Failed')"


@dataclass(frozen=True)
class ListedSession:
    """One line of the list; numbers are those of the last time that the session told them."""

    task_id: str
    state: SessionState
    attention: str
    step: int
    tokens: int
    cost_usd: float
    context_fill: float
    repository: str
    tenant: str
    model: str
    started_at: datetime
    closed_at: datetime | None
    started_from: str = ""
    """The session, and the step, that it goes on from, such as `mend@12`."""
    swarm: str = ""
    """How far its latest swarm has come, such as `12/300 merged, 64 at work`."""


async def list_sessions(client: Client, states: frozenset[SessionState], limit: int) -> list[ListedSession]:
    """Sessions in one of `states` (all, when empty).

    Raises:
        RPCError: the engine does not answer.
    """
    try:
        return await _listed(client, query(states), states, limit)
    except RPCError as error:
        # An engine on which no worker has registered the search attributes yet; the state is then told by itself.
        if error.status is not RPCStatusCode.INVALID_ARGUMENT or not states:
            raise
        return await _listed(client, ALL, states, limit)


@dataclass(frozen=True)
class ListedPage:
    """A part of the list."""

    sessions: list[ListedSession]
    next_token: bytes | None
    """What the next page is asked for with; None at the end."""


async def list_page(
    client: Client,
    states: frozenset[SessionState],
    *,
    needs_attention: bool | None = None,
    tenant: str | None = None,
    limit: int,
    page_token: bytes | None = None,
) -> ListedPage:
    """One page of sessions, the newest first. `tenant` has no quotes in it.

    Raises:
        RPCError: the engine does not answer, or the page's token is not of its making.
    """
    text = query(states)
    if needs_attention is not None:
        text += f" AND {search.ATTENTION} {'IS NOT' if needs_attention else 'IS'} NULL"
    if tenant is not None:
        text += f" AND {search.TENANT} = '{tenant}'"
    found = client.list_workflows(
        text, page_size=limit, next_page_token=page_token, rpc_timeout=timedelta(seconds=ANSWER_SECONDS)
    )
    await found.fetch_next_page()
    executions = found.current_page or ()
    return ListedPage([await _session(each) for each in executions], found.next_page_token or None)


def query(states: frozenset[SessionState]) -> str:
    """The visibility query. A session that the engine ended could not note its own end."""
    if not states:
        return ALL
    names = ", ".join(f"'{state.value}'" for state in sorted(states))
    wanted = f"{search.STATE} IN ({names})"
    if SessionState.FAILED in states:
        wanted += f" OR {ENDED_BY_ENGINE}"
    return f"{ALL} AND ({wanted})"


async def _listed(client: Client, text: str, states: frozenset[SessionState], limit: int) -> list[ListedSession]:
    found: list[ListedSession] = []
    async for execution in client.list_workflows(text, rpc_timeout=timedelta(seconds=ANSWER_SECONDS)):
        session = await _session(execution)
        if not states or session.state in states:
            found.append(session)
        if len(found) >= limit:
            break
    return found


async def _session(execution: WorkflowExecution) -> ListedSession:
    told = execution.typed_search_attributes
    return ListedSession(
        task_id=task_id_of(execution),
        state=listed_state(execution),
        attention=told.get(search_keys.ATTENTION) or "",
        step=told.get(search_keys.STEP) or 0,
        tokens=told.get(search_keys.TOKENS) or 0,
        cost_usd=told.get(search_keys.COST_USD) or 0.0,
        context_fill=told.get(search_keys.CONTEXT_FILL) or 0.0,
        repository=told.get(search_keys.REPOSITORY) or "",
        tenant=told.get(search_keys.TENANT) or "",
        model=told.get(search_keys.MODEL) or "",
        started_at=execution.start_time,
        closed_at=execution.close_time,
        swarm=told.get(search_keys.SWARM) or "",
        started_from=await execution.memo_value(ids.STARTED_FROM_MEMO, ""),
    )
