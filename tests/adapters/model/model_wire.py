"""What the tests of the model client share: profiles, requests, event streams and a loopback server of faults."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx

from longshift.adapters.model.answer import StreamProgress
from longshift.adapters.model.client import ModelClient
from longshift.adapters.model.limiter import LimiterPool
from longshift.adapters.model.request import ModelRequest
from longshift.contracts.model import ModelProfile

KEY = "sk-test-0123456789"


def profile_of(**fields: Any) -> ModelProfile:
    return ModelProfile.model_validate(
        {
            "name": "test",
            "base_url": "http://127.0.0.1:9",
            "model": "test-model",
            "window_tokens": 200_000,
            "max_output_tokens": 1_000,
            "output_limit_tokens": 8_000,
            **fields,
        }
    )


def request_of(**fields: Any) -> ModelRequest:
    given: dict[str, Any] = {
        "system": "You are careful.",
        "tools": ({"name": "bash", "input_schema": {"type": "object"}},),
        "messages": (b'{"role":"user","content":"go"}',),
        "max_tokens": 100,
        "prompt_tokens_estimate": 50,
        "user_id": "task-1",
        **fields,
    }
    return ModelRequest(**given)


def client_over(
    handler: Callable[[httpx.Request], httpx.Response],
    *,
    limiters: LimiterPool | None = None,
    key_of: Callable[[str], str | None] = lambda _name: KEY,
) -> ModelClient:
    return ModelClient(key_of=key_of, limiters=limiters or LimiterPool(), transport=httpx.MockTransport(handler))


def ignore(_progress: StreamProgress) -> None:
    """A listener that does not listen."""


def event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def started(*, model: str = "test-model", **usage: int) -> bytes:
    return event("message_start", message={"model": model, "content": [], "usage": usage or {"input_tokens": 5}})


def text_block(index: int, *pieces: str) -> bytes:
    return b"".join(
        (
            event("content_block_start", index=index, content_block={"type": "text", "text": ""}),
            *(
                event("content_block_delta", index=index, delta={"type": "text_delta", "text": piece})
                for piece in pieces
            ),
            event("content_block_stop", index=index),
        )
    )


def call_block(index: int, call_id: str, name: str, *pieces: str) -> bytes:
    block: dict[str, Any] = {"type": "tool_use", "id": call_id, "name": name, "input": {}}
    return b"".join(
        (
            event("content_block_start", index=index, content_block=block),
            *(
                event("content_block_delta", index=index, delta={"type": "input_json_delta", "partial_json": piece})
                for piece in pieces
            ),
            event("content_block_stop", index=index),
        )
    )


def ended(stop_reason: str | None = "end_turn", **usage: int) -> bytes:
    return event("message_delta", delta={"stop_reason": stop_reason}, usage=usage) + event("message_stop")


def hello(*, output_tokens: int = 2) -> bytes:
    """A whole short answer."""
    return started() + text_block(0, "Hel", "lo") + ended(output_tokens=output_tokens)


def stream_response(body: bytes, **headers: str) -> httpx.Response:
    return httpx.Response(200, headers={"content-type": "text/event-stream", **headers}, content=body)


class Wire:
    """The server's side of one connection, after it has read a request."""

    def __init__(self, writer: asyncio.StreamWriter, hang_up: asyncio.Event) -> None:
        self._writer = writer
        self.connection: int = writer.get_extra_info("peername")[1]
        self.hang_up = hang_up
        """Set when the client has closed the connection."""

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def head(self, *, chunked: bool) -> None:
        framing = "transfer-encoding: chunked" if chunked else "connection: close"
        await self.send(f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{framing}\r\n\r\n".encode())

    async def chunk(self, data: bytes) -> None:
        await self.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def close(self) -> None:
        """End the connection with a FIN."""
        self._writer.close()

    def reset(self) -> None:
        """Break the connection with a RST."""
        sock: socket.socket = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


class _Connection(asyncio.StreamReaderProtocol):
    """Tells when the client has gone."""

    def __init__(self, reader: asyncio.StreamReader, script: Callable[["Wire"], Awaitable[None]]) -> None:
        super().__init__(reader, self._serve)
        self._script = script
        self._hang_up = asyncio.Event()

    def eof_received(self) -> bool | None:
        self._hang_up.set()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._hang_up.set()
        super().connection_lost(exc)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                await reader.readexactly(int(head.split("content-length: ")[1].split("\r\n")[0]))
                await self._script(Wire(writer, self._hang_up))
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def loopback(script: Callable[[Wire], Awaitable[None]]) -> AsyncGenerator[str]:
    """A server that reads each request whole and then does as `script` says; yields its address."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(asyncio.StreamReader(), script), "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
