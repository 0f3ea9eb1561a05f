# The vendors' types are partial.
# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false
"""Connections of all our HTTP servers, where uvicorn's own are too patient or too talkative.

A head that is not complete in time ends its connection: uvicorn waits for ever, and a few thousand such connections are
all that a server takes. What is no HTTP, in the middle of a request or of an answer, ends its connection too, and is
worth one line, not a traceback each.
"""

import asyncio
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 15.0
"""From the connection, or from the answer before, and from a head's first bytes."""


class Connection(H11Protocol):
    """One connection."""

    head_seconds = HEAD_SECONDS

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The first head is waited for."""
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._end_wait()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Part of a head begins the wait, its end ends it."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._end_wait()
        elif self._head_timer is None:
            self._wait_for_head()

    def on_response_complete(self) -> None:
        """The next head may have begun while the answer was made."""
        super().on_response_complete()
        if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0] and self._head_timer is None:
            self._wait_for_head()

    def send_400_response(self, msg: str) -> None:
        """What came is no HTTP. Whoever still works on an answer has nobody to send it to."""
        # whatever its type says, there is none before the first request
        if self.cycle is not None and not self.cycle.response_complete:  # pyright: ignore[reportUnnecessaryComparison]
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:  # an answer has begun
            self.transport.close()

    def _wait_for_head(self) -> None:
        self._head_timer = self.loop.call_later(self.head_seconds, self._give_up)

    def _end_wait(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._head_timer = None
        if self.conn.their_state is h11.IDLE:
            self.transport.close()


def http_server(
    app: ASGIApp, *, most_connections: int, head_seconds: float = HEAD_SECONDS, **options: Any
) -> uvicorn.Server:
    """A server of an application that says nothing of itself; ready to be started, with no loop or signals of its own.

    `options` are further ones of `uvicorn.Config`.
    """
    config = uvicorn.Config(
        app,
        http=type("Connection", (Connection,), {"head_seconds": head_seconds}),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=most_connections,
        **options,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    return server
