"""The codec server's application: who may ask, from which pages, for which namespace, and how much at a time."""

import asyncio
from dataclasses import dataclass

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from longshift.adapters.codec import KeyRing
from longshift.codec_server.decoding import decoded
from longshift.codec_server.path_token import STATE, PathToken
from longshift.intake.http.access_log import AccessLog
from longshift.intake.http.authority import bearer_token, token_of
from longshift.intake.http.bodies import read_bytes
from longshift.intake.http.endpoint import JSON, Body
from longshift.intake.http.meter import Meter
from longshift.intake.http.problems import Problem
from longshift.intake.http.token_file import Tokens
from longshift.intake.http.tokens import Scope, Token

log = structlog.get_logger("longshift.codec")

BODY = Body((JSON,), 16 * 1_048_576)
"""A payload has 2 MiB at most; the Web UI sends those of a page together."""
HEADERS = ("authorization", "authorization-extras", "content-type", "x-namespace")
"""What the Web UI sends."""
PREFLIGHT_SECONDS = 600
NAMESPACE = "x-namespace"
NO_STORE = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


@dataclass(frozen=True)
class CodecServices:
    """What it works with."""

    ring: KeyRing
    tokens: Tokens
    origins: tuple[str, ...]
    namespace: str
    meter: Meter


def build_app(ring: KeyRing, tokens: Tokens, *, origins: tuple[str, ...], namespace: str) -> Starlette:
    """`POST /decode` and `GET /healthz`; there is no `/encode`, as nobody has to write through the Web UI."""
    services = CodecServices(ring, tokens, origins, namespace, Meter())

    async def decode(request: Request) -> Response:
        try:
            return await _decode(request, services)
        except Problem as problem:
            return problem.answer()

    async def health(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    app = Starlette(
        routes=[Route("/decode", decode, methods=["POST"]), Route("/healthz", health, methods=["GET"])],
        middleware=[
            Middleware(PathToken),
            Middleware(AccessLog),
            Middleware(
                CORSMiddleware,
                allow_origins=origins,
                allow_methods=["POST"],
                allow_headers=HEADERS,
                max_age=PREFLIGHT_SECONDS,
            ),
        ],
        exception_handlers={HTTPException: _refused, 500: _failed},
    )
    app.router.redirect_slashes = False
    return app


async def _decode(request: Request, services: CodecServices) -> Response:
    token = await _authorized(request, services)
    request.state.log = {"token": token.name}
    _require_namespace(request, services.namespace)
    with services.meter.account() as account:
        raw = await read_bytes(request, BODY, account)
        answer = await asyncio.to_thread(decoded, services.ring, raw)
    return Response(answer, headers=NO_STORE, media_type=JSON)


async def _authorized(request: Request, services: CodecServices) -> Token:
    """The token of a request.

    Raises:
        Problem: 401 without a valid one; 403 from another page, or when it may not decrypt.
    """
    origin = request.headers.get("origin")
    if origin is not None and origin not in services.origins:
        raise Problem(403, "origin", "origin: pages of this address may not ask; set LONGSHIFT_UI_URL to the Web UI's")
    in_path = request.scope.get("state", {}).get(STATE)
    if in_path is not None and origin is None:
        raise Problem(403, "origin", "a token in the path is for the Web UI; send `Authorization: Bearer …` instead")
    token = await token_of(in_path or bearer_token(request), services.tokens, f"--scope {Scope.DECODE}")
    if Scope.DECODE not in token.scopes or token.is_limited:
        raise Problem(
            403,
            "forbidden",
            f"authorization: the token {token.name!r} lacks the scope 'decode', or is limited to some sessions",
        )
    return token


def _require_namespace(request: Request, namespace: str) -> None:
    given = request.headers.getlist(NAMESPACE)
    if not given:
        raise Problem(400, "namespace", f"{NAMESPACE}: is missing; name the namespace of the payloads", field=NAMESPACE)
    if given != [namespace]:
        raise Problem(403, "namespace", f"{NAMESPACE}: the keys here are another namespace's", field=NAMESPACE)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return Problem(404, "not_found", "there is nothing here; POST /decode is all there is").answer()
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    return Problem(error.status_code, "method", f"{request.method[:20]} is not taken here", headers=headers).answer()


async def _failed(_request: Request, error: Exception) -> Response:
    del error  # raised again behind this answer, and logged
    return Problem(500, "bug", "this server has failed; its log says why").answer()
