"""What all endpoints of the server do alike: take a request in, record it, refuse it. The rest is their own."""

import asyncio
from collections.abc import Sequence

from starlette.types import Receive, Scope, Send

from longshift.adapters.scripted_model.connection import Connection, HangUp
from longshift.adapters.scripted_model.errors import ApiError
from longshift.adapters.scripted_model.recording import Recorder, RequestRecord
from longshift.adapters.scripted_model.rules import Rules


class Endpoint:
    """One address of the server, as long as the port is open."""

    def __init__(self, rules: Rules, recorder: Recorder, closing: asyncio.Event, hang_up: HangUp) -> None:
        self._rules = rules
        self._recorder = recorder
        self._closing = closing
        self._hang_up = hang_up

    def reopen(self, closing: asyncio.Event) -> None:
        """Serve again after the port was closed."""
        self._closing = closing

    async def _received(
        self, scope: Scope, receive: Receive, send: Send
    ) -> tuple[Connection, bytes | None, RequestRecord]:
        """A request that has arrived whole, and its record; no body where that is too large."""
        connection = Connection(scope, receive, send, self._closing, self._hang_up)
        body_bytes = await connection.read_body(self._rules.body_limit_bytes)
        return connection, body_bytes, self._recorder.receive(connection.path, connection.headers, body_bytes or b"")

    async def _refused(
        self,
        connection: Connection,
        error: ApiError,
        record: RequestRecord,
        *,
        request_id: str = "",
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        record.status, record.error = error.status, f"{error.type}: {error.message}"
        body = error.body(self._rules.error_style, request_id)
        await connection.respond(error.status, [*error.headers(), *headers], body)
        record.is_complete = True
