"""One row of the table of routes, and what its handler gets. Which rows there are is in `routes`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from types import UnionType

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from temporalio.client import Client

from longshift.adapters.store import Store
from longshift.intake.acceptance import Acceptance
from longshift.intake.http.answers import NoQuery
from longshift.intake.http.feeds import Feeds
from longshift.intake.http.meter import Account, Meter
from longshift.intake.http.page_tokens import PageTokens
from longshift.intake.http.problems import Problem
from longshift.intake.http.signers import Signers
from longshift.intake.http.token_file import Tokens
from longshift.intake.http.tokens import Scope, Token
from longshift.settings import Settings

JSON = "application/json"
EVENT_STREAM = "text/event-stream"
JSON_LINES = "application/x-ndjson"
ANY_FILE = "*/*"
UPDATE_BODY_BYTES = 262_144
"""20,000 characters, each escaped as JSON allows it."""


class Guard(StrEnum):
    """How a sender shows who it is."""

    TOKEN = "token"
    """A bearer token with the endpoint's scope."""
    SIGNATURE = "signature"
    """The handler checks a signature over the body."""
    NONE = "none"


@dataclass(frozen=True)
class Services:
    """What handlers work with."""

    client: Client
    settings: Settings
    acceptance: Acceptance
    tokens: Tokens
    store: Store
    feeds: Feeds
    signers: Signers
    pages: PageTokens
    meter: Meter


@dataclass(frozen=True)
class Call:
    """One request, as far as it was let in."""

    request: Request
    services: Services
    query: BaseModel
    account: Account
    """Of the bytes that its body takes."""
    token: Token | None = None

    @property
    def caller(self) -> Token:
        """Whose request it is, on endpoints that ask for a token."""
        if self.token is None:
            raise AssertionError("the endpoint asks for no token")
        return self.token

    def path(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])


Handler = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True)
class Body:
    """What a request carries."""

    media_types: tuple[str, ...]
    limit_bytes: int
    model: type[BaseModel] | None = None
    """None: a task, or what somebody else's document says."""
    is_required: bool = True


@dataclass(frozen=True)
class Endpoint:
    """A method on a path."""

    method: str
    path: str
    """With `{name}` for its parts, `{name:path}` for one that may have slashes."""
    name: str
    """Of the operation, in the OpenAPI document and in the log."""
    summary: str
    handler: Handler
    answers: dict[int, type[BaseModel] | UnionType | None]
    """By status; None: an answer without a JSON form of ours."""
    guard: Guard = Guard.TOKEN
    scope: Scope | None = None
    media_type: str = JSON
    """Of an answer that went well."""
    query: type[BaseModel] = NoQuery
    body: Body | None = None
    takes_key: bool = False
    """Whether `Idempotency-Key` says that a repetition is the same request."""
    problems: tuple[int, ...] = ()
    """Statuses of failures beyond those that the other fields bring with them."""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    """Names and meanings of further request headers."""

    def all_problems(self) -> tuple[int, ...]:
        """Every status by which this endpoint may fail."""
        found = {400, 406, *self.problems}
        if self.guard is not Guard.NONE:
            found |= {401, 503}
        if self.guard is Guard.TOKEN:
            found |= {403, 502}
        if self.body is not None:
            found |= {408, 413, 415, 422}
        return tuple(sorted(found))


def require_accepted(request: Request, endpoint: Endpoint) -> None:
    """Refuse who takes no form that there is.

    Raises:
        Problem: 406.
    """
    wanted = request.headers.get("accept", "").lower()
    given = {endpoint.media_type, JSON}
    if not wanted.strip() or ANY_FILE in given:
        return
    for each in wanted.split(","):
        media_type, *parameters = (part.strip() for part in each.split(";"))
        if any(parameter.replace(" ", "") in ("q=0", "q=0.0") for parameter in parameters):
            continue
        if media_type == "*/*" or media_type in given or any(f"{kind.split('/')[0]}/*" == media_type for kind in given):
            return
    raise Problem(
        406, "not_acceptable", f"accept: this is only given as {endpoint.media_type}; accept that", field="accept"
    )
