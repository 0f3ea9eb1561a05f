"""`GET /v1/sessions/{task_id}/events`: a feed as server-sent events."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from starlette.responses import Response, StreamingResponse

from longshift.intake.http.authority import require_visible
from longshift.intake.http.endpoint import EVENT_STREAM, Call
from longshift.intake.http.feed_events import END, HEARTBEAT, OPENING, Event
from longshift.sessions.view import read_session

_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


async def events(call: Call) -> Response:
    """Follow a session to its end."""
    task_id = call.path("task_id")
    await require_visible(call, task_id)
    view = await read_session(call.services.client, task_id)  # what is wrong is said before the stream begins
    last_id = call.request.headers.get("last-event-id", "").strip()
    if last_id == END and view.closed_at is not None:
        return Response(status_code=204)  # by which a browser knows not to come back
    feed = call.services.feeds.listen(task_id, last_id)
    first = await anext(feed, None)
    return StreamingResponse(_encoded(call, first, feed), media_type=EVENT_STREAM, headers=_HEADERS)


async def _encoded(call: Call, first: Event | None, feed: AsyncGenerator[Event | None]) -> AsyncIterator[bytes]:
    async with aclosing(feed):
        yield OPENING + (first.encoded() if first else b"")
        async for event in feed:
            if event is not None:
                yield event.encoded()
            elif await _is_still_allowed(call):
                yield HEARTBEAT
            else:
                return


async def _is_still_allowed(call: Call) -> bool:
    """A token that was revoked meanwhile ends its streams too, at the next heartbeat."""
    text = call.request.headers.get("authorization", "").partition(" ")[2].strip()
    return await call.services.tokens.find(text) is not None
