"""Puts the HTTP application together: the table of routes, who is let in, and how failures are answered."""

from collections import defaultdict
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from temporalio.client import Client

from longshift.adapters.store import Store, open_store
from longshift.intake.acceptance import Acceptance
from longshift.intake.http.access_log import REQUEST_ID, AccessLog
from longshift.intake.http.authority import authenticated
from longshift.intake.http.bodies import read_query
from longshift.intake.http.endpoint import Call, Endpoint, Guard, Services, require_accepted
from longshift.intake.http.feeds import Feeds
from longshift.intake.http.github import rules_of
from longshift.intake.http.meter import Meter
from longshift.intake.http.openapi import openapi
from longshift.intake.http.page_tokens import PageTokens
from longshift.intake.http.problems import EXPLAINED, Problem, explain
from longshift.intake.http.routes import ENDPOINTS
from longshift.intake.http.signers import signers
from longshift.intake.http.token_file import Tokens
from longshift.settings import Settings

OPENAPI = "/openapi.json"


def build_app(
    client: Client,
    settings: Settings,
    acceptance: Acceptance,
    tokens: Tokens | None = None,
    *,
    store: Store | None = None,
    feeds: Feeds | None = None,
) -> Starlette:
    """The application; `server.serve` runs it. What is not given is made from the settings.

    Raises:
        BadInput: a secret of the settings has the wrong form, or the store's URL cannot be used.
    """
    rules_of(settings)
    services = Services(
        client=client,
        settings=settings,
        acceptance=acceptance,
        tokens=tokens or Tokens(settings.data_dir),
        store=store or open_store(settings.store_url),
        feeds=feeds or Feeds(client, settings),
        signers=signers(settings.webhook_secrets),
        pages=PageTokens(),
        meter=Meter(),
    )
    by_path: dict[str, dict[str, Endpoint]] = defaultdict(dict)
    for endpoint in ENDPOINTS:
        by_path[endpoint.path][endpoint.method] = endpoint
    app = Starlette(
        routes=[
            *(Route(path, _Resource(methods, services)) for path, methods in by_path.items()),
            Route(OPENAPI, _document(orjson.dumps(openapi(ENDPOINTS))), methods=["GET"]),
        ],
        middleware=[Middleware(AccessLog)],
        exception_handlers={HTTPException: _refused, 500: _failed},
    )
    app.router.redirect_slashes = False
    app.state.close = services.feeds.close
    return app


class _Resource:
    """All methods of one path."""

    def __init__(self, methods: dict[str, Endpoint], services: Services) -> None:
        self._methods = methods
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except EXPLAINED as error:
            response = explain(error).answer()
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        endpoint = self._methods.get(request.method)
        if endpoint is None:
            allowed = ", ".join(sorted(self._methods))
            raise Problem(
                405, "method", f"{request.method} is not taken here; use {allowed}", headers={"allow": allowed}
            )
        token = await authenticated(request, self._services, endpoint) if endpoint.guard is Guard.TOKEN else None
        if token is not None:
            request.state.log = {"token": token.name}
        require_accepted(request, endpoint)
        query = read_query(request, endpoint.query)
        with self._services.meter.account() as account:
            return await endpoint.handler(Call(request, self._services, query, account, token))


def _document(body: bytes) -> Any:
    async def document(request: Request) -> Response:
        del request  # the same for all
        return Response(body, media_type="application/json")

    return document


async def _refused(request: Request, error: Exception) -> Response:
    """What the router itself refuses."""
    assert isinstance(error, HTTPException)
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    if error.status_code == 404:
        return Problem(
            404, "not_found", f"{request.scope['path']}: there is nothing here; GET {OPENAPI} lists what is"
        ).answer()
    return Problem(error.status_code, "method", f"{request.method} is not taken here", headers=headers).answer()


async def _failed(request: Request, error: Exception) -> Response:
    """A bug: the server logs its traceback, the sender gets the id to ask about."""
    del error  # raised again behind this answer
    request_id = request.scope.get("state", {}).get("request_id", "")
    message = f"this server has failed; its log says why, under the request id {request_id}"
    return Problem(500, "bug", message, headers={REQUEST_ID: request_id}).answer()
