"""Connections over real sockets: used again one after the other, and closed when nobody needs them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import islice

import httpx
import pytest
from model_wire import Wire, hello, loopback

from longshift.adapters.model.lanes import Lanes


class Server:
    """Knows its connections."""

    def __init__(self) -> None:
        self.wires: dict[int, Wire] = {}
        self.together = asyncio.Barrier(1)
        """So many calls are answered together."""
        self.asked = asyncio.Event()

    async def serve(self, wire: Wire) -> None:
        self.wires[wire.connection] = wire
        self.asked.set()
        await self.together.wait()
        await wire.head(chunked=True)
        await wire.chunk(hello())
        await wire.chunk(b"")


@asynccontextmanager
async def client_of(lanes: Lanes) -> AsyncGenerator[tuple[httpx.AsyncClient, Server]]:
    server = Server()
    async with loopback(server.serve) as address, httpx.AsyncClient(transport=lanes, base_url=address) as client:
        yield client, server


async def at_once(client: httpx.AsyncClient, server: Server, calls: int) -> None:
    server.together = asyncio.Barrier(calls)
    await asyncio.gather(*(client.post("/", content=b"{}") for _ in range(calls)))
    server.together = asyncio.Barrier(1)


async def test_calls_at_a_time_have_a_connection_each_and_later_ones_use_these_again() -> None:
    async with client_of(Lanes(httpx.AsyncHTTPTransport)) as (client, server):
        for _ in range(3):
            await at_once(client, server, 5)
        for _ in range(5):
            await client.post("/", content=b"{}")
        assert 5 == len(server.wires)


async def closed(server: Server, count: int) -> None:
    """Return when so many connections are."""
    async with asyncio.timeout(5):
        ends = asyncio.as_completed([wire.hang_up.wait() for wire in server.wires.values()])
        for end in islice(ends, count):
            await end


async def test_idle_connections_beyond_the_limit_are_closed() -> None:
    async with client_of(Lanes(httpx.AsyncHTTPTransport, idle_lanes=2)) as (client, server):
        await at_once(client, server, 3)
        await closed(server, 1)
        await at_once(client, server, 2)
        assert 3 == len(server.wires)


async def test_a_connection_that_was_idle_for_long_is_closed() -> None:
    async with client_of(Lanes(httpx.AsyncHTTPTransport, idle_seconds=0.05)) as (client, server):
        await at_once(client, server, 2)
        await asyncio.sleep(0.1)
        await client.post("/", content=b"{}")
        await closed(server, 1)


async def test_the_connection_of_a_call_that_is_given_up_is_not_used_again() -> None:
    async with client_of(Lanes(httpx.AsyncHTTPTransport)) as (client, server):
        server.together = asyncio.Barrier(2)
        call = asyncio.create_task(client.post("/", content=b"{}"))
        await server.asked.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await closed(server, 1)
        server.together = asyncio.Barrier(1)
        assert 200 == (await client.post("/", content=b"{}")).status_code
        assert 2 == len(server.wires)


async def test_all_idle_connections_are_closed_with_the_transport() -> None:
    async with client_of(Lanes(httpx.AsyncHTTPTransport)) as (client, server):
        await at_once(client, server, 3)
        await client.aclose()
        await closed(server, 3)
