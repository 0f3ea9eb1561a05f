"""One HTTP exchange, below the framework: whole bodies, pauses that end when the client leaves, broken connections."""

import asyncio
from collections.abc import Callable

from starlette.types import Receive, Scope, Send

from longshift.adapters.scripted_model.waiting import first_of

HangUp = Callable[[Scope, bool], None]
"""Ends the connection of a scope: with a reset, or with an ordinary end of stream."""


class Connection:
    """What the messages endpoint does with a connection."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, closing: asyncio.Event, hang_up: HangUp) -> None:
        self.path: str = scope["path"]
        self.headers: list[tuple[bytes, bytes]] = scope["headers"]
        self._scope = scope
        self._receive = receive
        self._send = send
        self._closing = closing
        self._hang_up = hang_up

    def header(self, name: bytes) -> str:
        """A request header, or nothing."""
        return next((value.decode("latin-1") for key, value in self.headers if key == name), "")

    async def read_body(self, limit_bytes: int) -> bytes | None:
        """The whole body; nothing when it is larger than allowed (it is then read to its end and dropped)."""
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                return b""
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size <= limit_bytes:
                chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks) if size <= limit_bytes else None

    async def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Send status and headers."""
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, chunk: bytes, more: bool = True) -> None:
        """Send a part of the body; without `more` it was the last."""
        await self._send({"type": "http.response.body", "body": chunk, "more_body": more})

    async def respond(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """Send a whole answer."""
        await self.start(status, [*headers, (b"content-length", str(len(body)).encode())])
        await self.write(body, more=False)

    async def pause(self, seconds: float | None) -> bool:
        """Wait, for ever without `seconds`; false when the client left or the server closes."""
        if seconds == 0:
            return True
        return not await first_of(self._gone(), self._closing.wait(), seconds=seconds)

    async def break_off(self, *, reset: bool) -> None:
        """End the connection in the middle of the exchange."""
        self._hang_up(self._scope, reset)
        await self._gone()

    async def _gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
