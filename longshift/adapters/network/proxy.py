"""The way out of the sandbox: an HTTP proxy on a unix socket, for one workspace in one phase. A process of its own.

It speaks CONNECT and plain requests in absolute form. A host is let through if a rule names it and an address of it may
be connected to; the connection is then made to that very address. Started by `egress`, with its `ProxyRules` as JSON;
it works in the workspace's network folder, needs the stdlib only, and shares its event loop with nobody.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from longshift.adapters.network import bodies
from longshift.adapters.network.byte_count import RECEIVED, SENT, ByteCount, UsedUp
from longshift.adapters.network.dialling import Refused, Resolve, checked_addresses, connected, system_addresses
from longshift.adapters.network.relay import End, Relay
from longshift.adapters.network.request_head import HEAD_LIMIT_BYTES, BadRequest, RequestHead, parsed_head
from longshift.adapters.network.request_log import LogFull, RequestLog
from longshift.policy.addresses import parsed_networks
from longshift.policy.hosts import is_allowed, parsed_rule

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
BACKLOG = 512
LINGER_SECONDS = 1.0
LINGER_PIECES = 64
CROWD = 4
"""So many times the connections that are served at a time may be told that they are not."""
PHRASES = {400: "Bad Request", 403: "Forbidden", 408: "Request Timeout", 431: "Header Fields Too Large"} | {
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}


@dataclass(frozen=True, kw_only=True)
class ProxyRules:
    """What one proxy lets through."""

    profile: str
    phase: str
    hosts: tuple[str, ...]
    """Entries as `policy.hosts.parsed_rule` takes them."""
    allow_private: tuple[str, ...] = ()
    max_bytes: int
    """Each way, for the whole phase."""
    connections: int = 64
    """At a time."""
    head_seconds: float = 20.0
    """For a whole request head, however slowly it drips."""
    connect_seconds: float = 10.0
    idle_seconds: float = 300.0
    """Without a byte in either direction."""

    def to_json(self) -> str:
        """The form in which a proxy is told them."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def load(cls, text: str) -> "ProxyRules":
        """The rules of `to_json`."""
        values: dict[str, Any] = json.loads(text)
        values |= {name: tuple(values[name]) for name in ("hosts", "allow_private")}
        return cls(**values)


@dataclass
class _Request:
    """One connection of a client, as far as it is known."""

    number: int
    client: End
    began: float = field(default_factory=time.monotonic)
    head: RequestHead | None = None

    def facts(self) -> dict[str, str | int]:
        if self.head is None:
            return {"id": self.number}
        return {"id": self.number, "method": self.head.method, "host": self.head.host, "port": self.head.port}


class Proxy:
    """Serves clients, each connection for one request."""

    def __init__(
        self, rules: ProxyRules, log: RequestLog, used: ByteCount, *, resolve: Resolve = system_addresses
    ) -> None:
        self._rules = rules
        self._hosts = tuple(parsed_rule(entry) for entry in rules.hosts)
        self._private = parsed_networks(rules.allow_private)
        self._log = log
        self._used = used
        self._resolve = resolve
        self._number = 0
        self._serving: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one request of a client, and close its connection when it is over."""
        if len(self._serving) >= CROWD * self._rules.connections:
            writer.transport.abort()
            return
        self._number += 1
        task = asyncio.create_task(self._serve(_Request(self._number, End(reader, writer))))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def close(self) -> None:
        """Break off whatever is going on."""
        serving = list(self._serving)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    async def _serve(self, request: _Request) -> None:
        try:
            await self._served(request)
        except BadRequest as error:
            await self._refuse(request, error.status, str(error))
        except LogFull as error:
            await _say(request.client, 503, f"{error}; nothing more is let through")
        except OSError:
            pass  # the client is gone
        finally:
            await request.client.close()

    async def _served(self, request: _Request) -> None:
        is_crowded = len(self._serving) > self._rules.connections
        request.head = head = await self._head(request.client.reader)
        if head is None:
            return None
        if is_crowded:
            return await self._refuse(request, 503, f"more than {self._rules.connections} connections at a time")
        if not is_allowed(self._hosts, head.host, head.port):
            why = f"the network profile {self._rules.profile!r} does not have it; a person can add it there"
            return await self._refuse(request, 403, why)
        if self._used.is_used_up:
            return await self._refuse(request, 403, f"the limit of {self._rules.max_bytes} bytes is used up")
        try:
            addresses = await checked_addresses(head.host, self._private, self._resolve)
        except Refused as error:
            return await self._refuse(request, 403, str(error))
        try:
            server, address = await connected(addresses, head.port, self._rules.connect_seconds)
        except OSError as error:
            return await self._refuse(request, 502, f"it cannot be connected to ({error})")
        try:
            self._log.write("allowed", **request.facts(), address=str(address))
            await self._relayed(request, head, server)
        finally:
            await server.close()
        return None

    async def _head(self, reader: asyncio.StreamReader) -> RequestHead | None:
        """The request; None where a client has connected and said nothing."""
        try:
            async with asyncio.timeout(self._rules.head_seconds):
                data = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            if not error.partial:
                return None
            raise BadRequest("the head does not end") from None
        except (asyncio.LimitOverrunError, TimeoutError) as error:
            status = 408 if isinstance(error, TimeoutError) else 431
            raise BadRequest("the head is too long or takes too long", status) from None
        if len(data) > HEAD_LIMIT_BYTES:
            raise BadRequest("the head is too long", 431)
        return parsed_head(data)

    async def _relayed(self, request: _Request, head: RequestHead, server: End) -> None:
        relay = Relay(request.client, server, self._used, idle_seconds=self._rules.idle_seconds)
        why: dict[str, str] = {}
        try:
            await self._passed(request.client, head, server, relay)
        except (bodies.BadMessage, UsedUp, OSError) as error:
            why["why"] = self._in_words(error)
            if head.is_tunnel or relay.bytes[RECEIVED]:
                request.client.writer.transport.abort()  # what was cut off must not look whole
            else:
                await _say(request.client, 502, why["why"])
        finally:
            seconds = round(time.monotonic() - request.began, 3)
            sent, received = relay.bytes[SENT], relay.bytes[RECEIVED]
            with contextlib.suppress(LogFull):  # the request itself is on record
                self._log.write("ended", **request.facts(), sent=sent, received=received, seconds=seconds, **why)

    async def _passed(self, client: End, head: RequestHead, server: End, relay: Relay) -> None:
        if head.is_tunnel:
            client.writer.write(ESTABLISHED)
            await relay.tunnel(bodies.opened_for(client.reader, head.host), bodies.whatever(server.reader))
            return
        size = head.body_bytes
        body = bodies.chunked(client.reader) if size is None else bodies.sized(client.reader, size)
        await relay.exchange(head.to_server(), body, bodies.answer(server.reader))

    def _in_words(self, error: Exception) -> str:
        if isinstance(error, UsedUp):
            return f"the limit of {self._rules.max_bytes} bytes is used up"
        if isinstance(error, TimeoutError):
            return f"nothing came for {self._rules.idle_seconds:g} s"
        return str(error)[:500] or type(error).__name__

    async def _refuse(self, request: _Request, status: int, why: str) -> None:
        self._log.write("refused", **request.facts(), why=why[:500])
        head = request.head
        what = f"{head.host}:{head.port}" if head is not None else "this request"
        await _say(request.client, status, f"{what} is refused: {why}")


async def _say(client: End, status: int, text: str) -> None:
    """Answer in the runner's own words."""
    body = f"longshift: {text}\n".encode()
    start = f"HTTP/1.1 {status} {PHRASES[status]}\r\nContent-Type: text/plain; charset=utf-8\r\n"
    client.writer.write(f"{start}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
    await client.writer.drain()
    client.writer.write_eof()
    # Who is closed on while still sending may never look at the answer.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            for _ in range(LINGER_PIECES):
                if not await client.reader.read(bodies.PIECE_BYTES):
                    return


async def serving(proxy: Proxy, name: str, stopped: asyncio.Event) -> None:
    """Listen on the unix socket `name` in the working folder until `stopped`. Whoever finds the socket can connect."""
    part = f"{name}.part"
    _unlink(part)
    server = await asyncio.start_unix_server(proxy.accept, part, limit=2 * HEAD_LIMIT_BYTES, backlog=BACKLOG)
    os.rename(part, name)
    await stopped.wait()
    _unlink(name)
    server.close()
    await proxy.close()


def _unlink(name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name)


async def _run(rules: ProxyRules, name: str) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    log = RequestLog(Path(f"{rules.phase}.jsonl"), rules.phase)
    used = ByteCount(Path(f"{rules.phase}.bytes"), rules.max_bytes)
    await serving(Proxy(rules, log, used), name, stopped)


def main(name: str, rules: str) -> None:
    """Serve on the socket `name` in the working folder, by rules in JSON, until a signal ends it."""
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    asyncio.run(_run(ProxyRules.load(rules), name))


if __name__ == "__main__":
    main(*sys.argv[1:])
