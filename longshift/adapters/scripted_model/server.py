"""The scripted model as a server: an async context manager around starlette and uvicorn."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Collection
from types import TracebackType
from typing import Any, cast

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from longshift.adapters.scripted_model.chaos import Chaos, FaultPlan
from longshift.adapters.scripted_model.connection import Connection
from longshift.adapters.scripted_model.control import Control
from longshift.adapters.scripted_model.counting import ESTIMATE, CountingEndpoint
from longshift.adapters.scripted_model.errors import ApiError, ErrorStyle
from longshift.adapters.scripted_model.messages import MessagesEndpoint
from longshift.adapters.scripted_model.recording import Recorder, RequestRecord
from longshift.adapters.scripted_model.rules import Rules
from longshift.adapters.scripted_model.script import Fault, Policy

HOST = "127.0.0.1"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER on, zero seconds: closing sends a reset."""


class ScriptedModel:
    """A server that plays `policy`; after `stop` connections are refused until `start`, on the same port."""

    def __init__(
        self,
        policy: Policy,
        *,
        chaos: Chaos | None = None,
        key: str | None = None,
        models: Collection[str] = (),
        window_tokens: int = 262_144,
        body_limit_bytes: int = 32_000_000,
        require_thinking: bool = False,
        error_style: ErrorStyle = "anthropic",
        keep_bodies: bool = False,
        port: int = 0,
    ) -> None:
        """`models` empty accepts every name; `require_thinking` refuses histories whose thinking was dropped."""
        self.port = port
        self._models = tuple(models)
        self._rules = Rules(
            key=key,
            models=frozenset(models),
            window_tokens=window_tokens,
            body_limit_bytes=body_limit_bytes,
            require_thinking=require_thinking,
            error_style=error_style,
        )
        self._plan = FaultPlan(chaos)
        self._recorder = Recorder(keep_bodies)
        self._counts = Recorder(keep_bodies)
        self._closing = asyncio.Event()
        self._endpoint = MessagesEndpoint(policy, self._rules, self._plan, self._recorder, self._closing, self._hang_up)
        self._counting = CountingEndpoint(self._rules, self._counts, self._closing, self._hang_up)
        self._app = self._application()
        self._server: uvicorn.Server | None = None

    @property
    def base_url(self) -> str:
        """The part before `/v1/messages`."""
        return f"http://{HOST}:{self.port}"

    @property
    def requests(self) -> list[RequestRecord]:
        """All requests to the messages endpoint so far."""
        return self._recorder.records

    @property
    def counts(self) -> list[RequestRecord]:
        """All requests to the counting endpoints so far."""
        return self._counts.records

    @property
    def last_body(self) -> bytes:
        """The body of the last request to the messages endpoint."""
        return self._recorder.last_body

    async def wait_for_requests(self, count: int) -> list[RequestRecord]:
        """Wait until at least `count` requests have arrived."""
        return await self._recorder.wait_for(count)

    def order_faults(self, *faults: Fault) -> None:
        """Let the next requests fail, in this order."""
        self._plan.order(faults)

    def order_count_faults(self, *faults: Fault) -> None:
        """Let the next counts fail, in this order."""
        self._counting.order(faults)

    def exhaust_quota(self, requests: int | None = None) -> None:
        """Refuse this many requests for lack of quota, or all until `restore_quota`."""
        self._plan.exhaust_quota(requests)

    def restore_quota(self) -> None:
        """Accept requests again."""
        self._plan.restore_quota()

    async def start(self) -> None:
        """Listen; connections are accepted when this returns."""
        # with the protocol left at 0, asyncio would not switch Nagle's algorithm off: 40 ms per request
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, self.port))
        except OSError:
            listener.close()
            raise
        self.port = listener.getsockname()[1]
        self._closing = asyncio.Event()
        self._endpoint.reopen(self._closing)
        self._counting.reopen(self._closing)
        config = uvicorn.Config(
            self._app,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            date_header=False,
            server_header=False,
            timeout_keep_alive=3_600,
        )
        config.load()
        # uvicorn's own loop is left out: it takes over signals and stops in steps of a tenth of a second
        self._server = uvicorn.Server(config)
        self._server.lifespan = config.lifespan_class(config)
        await self._server.startup(sockets=[listener])

    async def stop(self) -> None:
        """Close the port and every connection; streams that are open end in the middle."""
        server, self._server = self._server, None
        if server is None:
            return
        for listener in server.servers:
            listener.close()
        for protocol in list(server.server_state.connections):
            _transport_of(protocol).abort()
        self._closing.set()
        await asyncio.gather(*server.server_state.tasks, return_exceptions=True)
        for listener in server.servers:
            await listener.wait_closed()

    async def __aenter__(self) -> "ScriptedModel":
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    def _application(self) -> Starlette:
        control = Control(self._plan, self._counting, self._recorder, self._counts, lambda: self._closing)
        return Starlette(
            routes=[
                Route("/{prefix:path}v1/messages/count_tokens", _Post(self._counting)),
                Route("/{prefix:path}v1" + ESTIMATE, _Post(self._counting)),
                Route("/{prefix:path}v1/messages", _Post(self._endpoint)),
                Route("/{prefix:path}v1/models", self._list_models, methods=["GET"]),
                *control.routes(),
            ],
            exception_handlers={404: _not_found},
        )

    async def _list_models(self, request: Request) -> Response:
        connection = Connection(request.scope, request.receive, _unused_send, self._closing, self._hang_up)
        if not self._rules.admit(connection):
            error = ApiError(401, "invalid_authentication_error", "Invalid Authentication")
            return Response(error.body(self._rules.error_style, ""), 401, media_type="application/json")
        names = self._models or ("scripted-model",)
        data = [{"type": "model", "id": name, "display_name": name} for name in names]
        return Response(orjson.dumps({"data": data, "has_more": False}), media_type="application/json")

    def _hang_up(self, scope: Scope, reset: bool) -> None:
        if self._server is None:
            return
        for protocol in list(self._server.server_state.connections):
            transport = _transport_of(protocol)
            if transport.get_extra_info("peername") != tuple(scope["client"]):
                continue
            if reset:
                with contextlib.suppress(OSError):  # the client may be gone already
                    connection = transport.get_extra_info("socket")
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                transport.abort()
            else:
                transport.close()


class _Post:
    """Lets `POST` through to an ASGI application."""

    def __init__(self, app: MessagesEndpoint | CountingEndpoint) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "POST":
            await self._app(scope, receive, send)
        else:
            await Response(status_code=405, headers={"allow": "POST"})(scope, receive, send)


async def _unused_send(message: Any) -> None:
    del message


async def _not_found(_request: Request, _error: Exception) -> Response:
    return Response(orjson.dumps({"error": "url.not_found"}), 404, media_type="application/json")


def _transport_of(protocol: Any) -> asyncio.Transport:
    return cast(asyncio.Transport, protocol.transport)
