"""A proxy in this process, with a resolver of the test's own, and real servers on loopback."""

import asyncio
import os
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from longshift.adapters.network.byte_count import ByteCount
from longshift.adapters.network.proxy import Proxy, ProxyRules, serving
from longshift.adapters.network.request_log import RequestLog, records

LOOPBACK = ("127.0.0.1/32",)


@dataclass
class Names:
    """A resolver: each name has answers, one after the other, the last for ever."""

    answers: dict[str, list[Sequence[str]]] = field(default_factory=dict[str, list[Sequence[str]]])
    asked: list[str] = field(default_factory=list[str])

    async def resolve(self, name: str) -> Sequence[str]:
        self.asked.append(name)
        known = self.answers.get(name)
        if known is None:
            raise OSError("no such name")
        return known.pop(0) if len(known) > 1 else known[0]


@dataclass
class RunningProxy:
    """A proxy that listens."""

    socket: str
    folder: Path
    phase: str = "agent"

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_unix_connection(self.socket)

    async def ask(self, request: bytes, *, ends: bool = False) -> bytes:
        """Everything that comes back to these bytes; `ends` closes this side behind them."""
        reader, writer = await self.connect()
        writer.write(request)
        if ends:
            writer.write_eof()
        try:
            async with asyncio.timeout(20):
                return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()

    def log(self) -> list[dict[str, Any]]:
        return [dict(record) for record in records(self.folder / "log.jsonl")]

    async def ended(self, count: int = 1) -> list[dict[str, Any]]:
        """The log, once so many requests have ended."""
        async with asyncio.timeout(20):
            while sum(record["verdict"] == "ended" for record in self.log()) < count:  # noqa: ASYNC110 only a file tells
                await asyncio.sleep(0.01)
        return self.log()


@asynccontextmanager
async def proxy(
    folder: Path,
    hosts: Sequence[str],
    names: Names,
    *,
    max_log_bytes: int = 1_000_000,
    allow_private: tuple[str, ...] = (),
    max_bytes: int = 10_000_000,
    connections: int = 64,
    head_seconds: float = 20.0,
    idle_seconds: float = 60.0,
) -> AsyncGenerator[RunningProxy]:
    """A proxy that lets `hosts` through."""
    given = ProxyRules(
        profile="test",
        phase="agent",
        hosts=tuple(hosts),
        allow_private=allow_private,
        max_bytes=max_bytes,
        connections=connections,
        head_seconds=head_seconds,
        idle_seconds=idle_seconds,
    )
    log = RequestLog(folder / "log.jsonl", "agent", limit_bytes=max_log_bytes)
    used = ByteCount(folder / "bytes", given.max_bytes)
    name, stopped = f"/tmp/{uuid.uuid4().hex}.sock", asyncio.Event()  # pytest's own folders are too long for a socket
    task = asyncio.create_task(serving(Proxy(given, log, used, resolve=names.resolve), name, stopped))
    while not os.path.exists(name):  # noqa: ASYNC110 nobody tells when it is there
        await asyncio.sleep(0.01)
    try:
        yield RunningProxy(name, folder)
    finally:
        stopped.set()
        await task
        log.close()
        used.close()


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(handler: Handler, address: str = "127.0.0.1", port: int = 0) -> AsyncGenerator[int]:
    """A TCP server on loopback; gives its port."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(handle, address, port)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()


@dataclass
class Recorder:
    """A server that keeps what it gets, up to the empty line and whatever follows soon, and answers."""

    answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\nX-Kept: 1\r\n\r\nhello"
    got: list[bytes] = field(default_factory=list[bytes])

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.readuntil(b"\r\n\r\n")
        try:
            async with asyncio.timeout(0.3):
                while more := await reader.read(65_536):
                    data += more
        except TimeoutError:
            pass
        self.got.append(data)
        writer.write(self.answer)
        await writer.drain()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Sends back what comes, and ends after the other end has."""
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
