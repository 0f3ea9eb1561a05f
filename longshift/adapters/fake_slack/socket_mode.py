"""Socket Mode: a websocket per connection; each envelope goes to one of them, and is acknowledged there.

Interactive envelopes that nobody takes are lost, as with Slack; events are sent up to three more times.
"""

import asyncio
import itertools
from typing import Any, cast

import orjson
from aiohttp import WSMsgType, web

from longshift.adapters.fake_slack.workspace import APP

ACK_SECONDS = 3.0


class SocketMode:
    """All connections of the app."""

    def __init__(self) -> None:
        self._sockets: list[web.WebSocketResponse] = []
        self._acks: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._numbers = itertools.count(1)
        self._connected = asyncio.Event()

    @property
    def connections(self) -> int:
        """How many there are."""
        return len(self._sockets)

    async def connected(self, *, seconds: float = 20.0) -> None:
        """Wait until there is a connection."""
        async with asyncio.timeout(seconds):
            await self._connected.wait()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One connection, until it ends."""
        socket = web.WebSocketResponse(heartbeat=10)
        await socket.prepare(request)
        about = {"type": "hello", "num_connections": 1, "connection_info": {"app_id": APP}}
        await socket.send_str(orjson.dumps(about).decode())
        self._sockets.append(socket)
        self._connected.set()
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._acknowledge(str(message.data))
        finally:
            self._forget(socket)
        return socket

    def _forget(self, socket: web.WebSocketResponse) -> None:
        if socket in self._sockets:
            self._sockets.remove(socket)
        if not self._sockets:
            self._connected.clear()

    def _acknowledge(self, text: str) -> None:
        try:
            told: Any = orjson.loads(text)
        except orjson.JSONDecodeError:
            return
        waiting = self._acks.get(str(told.get("envelope_id")))
        if waiting is not None and not waiting.done():
            waiting.set_result(cast("dict[str, Any]", told.get("payload") or {}))

    async def send(self, kind: str, payload: dict[str, Any], *, attempts: int = 1) -> dict[str, Any] | None:
        """Send one envelope; what it was acknowledged with, or None where nobody took it in time."""
        for attempt in range(attempts):
            socket = self._sockets[-1] if self._sockets else None
            if socket is None:
                return None
            envelope_id = f"envelope-{next(self._numbers)}"
            envelope = {
                "envelope_id": envelope_id,
                "type": kind,
                "payload": payload,
                "accepts_response_payload": kind == "interactive",
                "retry_attempt": attempt,
            }
            self._acks[envelope_id] = asyncio.get_running_loop().create_future()
            try:
                await socket.send_str(orjson.dumps(envelope).decode())
                async with asyncio.timeout(ACK_SECONDS):
                    return await self._acks[envelope_id]
            except (TimeoutError, ConnectionError):
                continue
            finally:
                del self._acks[envelope_id]
        return None

    async def disconnect(self) -> None:
        """Ask all connections to be made anew, as Slack does every few hours."""
        for socket in list(self._sockets):
            told: dict[str, Any] = {"type": "disconnect", "reason": "refresh_requested", "debug_info": {}}
            await socket.send_str(orjson.dumps(told).decode())
            self._forget(socket)
            await socket.close()

    async def drop(self) -> None:
        """End all connections without a word."""
        for socket in list(self._sockets):
            self._forget(socket)
            await socket.close(code=1011)
