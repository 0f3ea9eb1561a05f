"""Listens, serves an application until told to end, and tells others on this host where."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from starlette.applications import Starlette

from longshift.contracts.errors import BadInput
from longshift.http_connections import HEAD_SECONDS, http_server
from longshift.intake.http.address import ApiAddress, own_address, remove_address, write_address

HOST = "127.0.0.1"
PORT = 7280
END_SECONDS = 5
"""How long answers that have begun may take when the server ends."""
IDLE_SECONDS = 65
MAX_CONNECTIONS = 2_000


@contextlib.asynccontextmanager
async def serve(
    app: Starlette,
    address: str | None = None,
    *,
    data_dir: Path | None = None,
    setting: str = "api_address",
    head_seconds: float = HEAD_SECONDS,
) -> AsyncGenerator[ApiAddress]:
    """Serve `app` on `address` (`host:port`); without one on 127.0.0.1:7280, or on a free port if that is taken.

    With a data directory, its `api.json` tells others where. `setting` is what the address is called in messages.

    Raises:
        BadInput: the address cannot be used.
    """
    listener = await asyncio.to_thread(_listener, address, setting)
    server = http_server(
        app,
        most_connections=MAX_CONNECTIONS,
        head_seconds=head_seconds,
        date_header=False,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=END_SECONDS,
    )
    # uvicorn's own loop is left out: it takes over signals
    await server.startup(sockets=[listener])
    host, port = listener.getsockname()[:2]
    told = own_address(str(host), int(port))
    if data_dir is not None:
        await asyncio.to_thread(write_address, data_dir, told)
    try:
        yield told
    finally:
        if data_dir is not None:
            await asyncio.to_thread(remove_address, data_dir, told)
        close: Any = getattr(app.state, "close", None)
        if close is not None:
            await close()
        await server.shutdown(sockets=[listener])


def _listener(address: str | None, setting: str) -> socket.socket:
    if address is None:
        try:
            return _bound(HOST, PORT)
        except OSError:
            return _bound(HOST, 0)
    host, _, port = address.rpartition(":")
    try:
        if int(port) > 65_535:
            raise OverflowError("there is no such port")
        return _bound(host.strip("[]"), int(port))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadInput(f"{setting}: cannot listen on {address} ({reason}); choose another, or leave it out") from None


def _bound(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    # the protocol is named, as asyncio would otherwise not switch Nagle's algorithm off: 40 ms per request
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(where)
        listener.listen(2_048)
    except OSError:
        listener.close()
        raise
    return listener
