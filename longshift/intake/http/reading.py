"""What is told of sessions and of the queue: `GET` under /v1, apart from events and what lies in the store."""

import structlog
from starlette.responses import Response

from longshift.contracts.errors import EngineError
from longshift.intake.http.answers import Health, ListQuery, QueueAnswer, SessionPage
from longshift.intake.http.authority import require_visible, sees_repository
from longshift.intake.http.documents import answered, document
from longshift.intake.http.endpoint import Call
from longshift.intake.http.problems import RETRY_SECONDS, Problem
from longshift.sessions.listing import list_page
from longshift.sessions.view import read_session

log = structlog.get_logger("longshift.http")


async def list_sessions(call: Call) -> Response:
    """A page of the list."""
    query = call.query
    assert isinstance(query, ListQuery)
    token, pages = call.caller, call.services.pages
    page = await list_page(
        call.services.client,
        frozenset(query.state),
        needs_attention=query.attention,
        tenant=token.tenant,
        limit=query.limit,
        page_token=pages.taken(token.id, query.page_token) if query.page_token else None,
    )
    shown = [each for each in page.sessions if sees_repository(token, each.repository)]
    following = pages.given(token.id, page.next_token) if page.next_token else None
    return answered(SessionPage(sessions=shown, next_page_token=following))


async def status(call: Call) -> Response:
    """One session."""
    task_id = call.path("task_id")
    await require_visible(call, task_id)
    view = await read_session(call.services.client, task_id)
    return answered(await document(call.services.settings, view))


async def queue(call: Call) -> Response:
    """How full the queue is."""
    backlog = call.services.acceptance.backlog
    waiting = await backlog.waiting()
    return answered(QueueAnswer(waiting=waiting, limit=backlog.limit, is_full=waiting >= backlog.limit))


async def health(call: Call) -> Response:
    """This process answers."""
    del call  # the same for all
    return answered(Health(status="ok"))


async def ready(call: Call) -> Response:
    """The engine answers too, so tasks are taken. Why it does not is for the log: anybody may ask here.

    Raises:
        Problem: 503.
    """
    try:
        await call.services.acceptance.backlog.waiting()
    except EngineError as error:
        log.warning("not ready", error=str(error))
        raise Problem(
            503, error.kind, "the engine does not answer", headers={"retry-after": str(RETRY_SECONDS)}
        ) from None
    return answered(Health(status="ready"))
