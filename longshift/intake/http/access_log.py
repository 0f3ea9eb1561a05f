"""One line per request, and its id in the answer. Headers, queries and bodies are not logged: they may hold secrets."""

import re
import time
import uuid

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.get_logger("longshift.http")

REQUEST_ID = "x-request-id"
_USABLE = re.compile(r"[A-Za-z0-9._:-]{1,100}")
QUIET = ("/healthz", "/readyz")
"""Asked every few seconds: only failures are worth a line."""


class AccessLog:
    """Wraps the whole application, so what it answers to broken requests is logged too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID, "")
        request_id = given if _USABLE.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        started, status, sent_bytes = time.monotonic(), 0, 0

        async def send_with_id(message: Message) -> None:
            nonlocal status, sent_bytes
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID] = request_id
            else:
                sent_bytes += len(message.get("body", b""))
            await send(message)

        try:
            with structlog.contextvars.bound_contextvars(request_id=request_id):
                await self._app(scope, receive, send_with_id)
        finally:
            if scope["path"] not in QUIET or status >= 400 or not status:
                self._note(scope, status, time.monotonic() - started, sent_bytes)

    def _note(self, scope: Scope, status: int, seconds: float, sent_bytes: int) -> None:
        client = scope.get("client")
        log.info(
            "request",
            method=scope["method"],
            path=scope.get("raw_path", b"").decode("ascii", "replace").partition("?")[0][:500],
            status=status or 500,  # no answer: the boundary around this one gives it
            seconds=round(seconds, 3),
            sent_bytes=sent_bytes,
            client=client[0] if client else None,
            request_id=scope["state"]["request_id"],
            **scope["state"].get("log", {}),
        )
