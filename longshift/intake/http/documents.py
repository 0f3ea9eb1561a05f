"""A session as the API tells it."""

import asyncio

from pydantic import BaseModel
from starlette.responses import Response

from longshift.contracts.session import AgentStatus, SessionState
from longshift.intake.http.answers import SessionDocument
from longshift.policy.session import progress
from longshift.sessions.view import BY_THEMSELVES, SessionView, web_url
from longshift.settings import Settings


def answered(value: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A value as an answer."""
    return Response(value.model_dump_json(), status, headers, media_type="application/json")


def needs_person(view: SessionView) -> bool:
    """Whether the session stands still until somebody does something."""
    status = view.status
    if status.state is not SessionState.WAITING:
        return status.state is SessionState.PAUSED
    return status.attention is not None and status.attention.kind not in BY_THEMSELVES


async def document(settings: Settings, view: SessionView) -> SessionDocument:
    """Everything that is known of a session."""
    status, now = view.status, view.progress
    at_work = AgentStatus(
        agent=now.agent if now else "",
        waiting=False,
        step=now.step - now.first_step + 1 if now else 0,
        tokens=now.usage.total_tokens if now else 0,
        cost_usd=now.cost_usd if now else 0.0,
    )
    totals = progress(status.agents, at_work)
    return SessionDocument(
        task_id=status.task_id,
        status=status,
        progress=now,
        step=totals.step,
        tokens=totals.tokens,
        cost_usd=totals.cost_usd,
        next_action=now.next_action if now else "",
        doing=list(view.doing),
        needs_person=needs_person(view),
        started_at=view.started_at,
        closed_at=view.closed_at,
        url=await asyncio.to_thread(web_url, settings, view),
        remark=view.remark,
        started_from=view.started_from,
    )
