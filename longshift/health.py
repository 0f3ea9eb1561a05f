"""Whether a process lives and is ready for work, over HTTP: `/healthz` and `/readyz` for a supervisor of processes."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from longshift.contracts.errors import BadInput
from longshift.http_connections import HEAD_SECONDS, http_server

Facts = Callable[[], Mapping[str, bool]]
"""Whether a process is ready for work, and whether it is draining. Who asks need not say who it is, so no more is said:
no names, no numbers."""
MAX_CONNECTIONS = 200


def health_app(facts: Facts) -> Starlette:
    """`/healthz` answers 200 while the event loop runs, `/readyz` 200 or 503 as `ready` says."""

    async def alive(_request: Request) -> JSONResponse:
        return JSONResponse({"status": "alive"})

    async def ready(_request: Request) -> JSONResponse:
        told = facts()
        return JSONResponse(told, status_code=200 if told["ready"] else 503)

    return Starlette(routes=[Route("/healthz", alive), Route("/readyz", ready)])


def listener_on(address: str, setting: str) -> socket.socket:
    """A socket that listens on `host:port`.

    Raises:
        BadInput: the address cannot be used; the message names the setting.
    """
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    try:
        return socket.create_server((host, int(port)), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except (OSError, OverflowError) as error:
        raise BadInput(f"{setting}: cannot listen on {address} ({error}); choose another address or port") from error


@asynccontextmanager
async def served(app: ASGIApp, listener: socket.socket, *, head_seconds: float = HEAD_SECONDS) -> AsyncGenerator[str]:
    """Serve the application while the block runs; gives its base URL. Signals are left to whoever runs the process."""
    server = http_server(app, most_connections=MAX_CONNECTIONS, head_seconds=head_seconds)
    await server.startup(sockets=[listener])
    ticking = asyncio.create_task(server.main_loop())
    host, port = listener.getsockname()[:2]
    try:
        yield f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    finally:
        server.should_exit = True
        await ticking
        await server.shutdown(sockets=[listener])
