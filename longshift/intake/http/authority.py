"""Who a request comes from, and what that token may see and do."""

import re
from datetime import timedelta

import structlog
from pydantic import ValidationError
from starlette.requests import Request
from temporalio.client import RPCError
from temporalio.service import RPCStatusCode

from longshift.contracts import ids
from longshift.contracts.task import TaskSpec
from longshift.intake.http.endpoint import Call, Endpoint, Services
from longshift.intake.http.problems import RETRY_SECONDS, Problem
from longshift.intake.http.token_file import Tokens, TokensUnreadable
from longshift.intake.http.tokens import Token
from longshift.sessions import search_keys
from longshift.sessions.failures import SessionMissing

log = structlog.get_logger("longshift.http")

_PLAIN = re.compile(r"[A-Za-z0-9._~:/@+-]*")
"""What addresses of repositories have. With anything else, a glob could match one address and git ask another."""


async def authenticated(request: Request, services: Services, endpoint: Endpoint) -> Token:
    """The token of a request.

    Raises:
        Problem: 401 without a valid one, 403 when it lacks the scope, 503 when the tokens cannot be read.
    """
    token = await token_of(bearer_token(request), services.tokens)
    if endpoint.scope is not None and endpoint.scope not in token.scopes:
        raise Problem(
            403,
            "forbidden",
            f"authorization: the token {token.name!r} lacks the scope {endpoint.scope.value!r}; "
            f"use one that has it, or add one with `longshift token add NAME --scope {endpoint.scope.value}`",
            field="authorization",
        )
    return token


def bearer_token(request: Request) -> str:
    """The text of the token that a request shows; empty without one."""
    kind, _, text = request.headers.get("authorization", "").partition(" ")
    return text.strip() if kind.lower() == "bearer" else ""


async def token_of(text: str, tokens: Tokens, scopes: str = "--scope submit --scope read") -> Token:
    """The token that `text` is. `scopes` stand in the remedy.

    Raises:
        Problem: 401, it is none; 503, the tokens cannot be read, of which the log says more than the sender is told.
    """
    how_to = f"make one with `longshift token add NAME {scopes}`"
    if not text:
        raise _unknown(f"authorization: a bearer token is needed; {how_to}")
    try:
        token = await tokens.find(text)
    except TokensUnreadable as error:
        log.error("nobody is let in", error=str(error))
        message = "the tokens of this server cannot be read; its log says what to mend"
        raise Problem(503, error.kind, message, headers={"retry-after": str(RETRY_SECONDS)}) from None
    if token is None:
        raise _unknown(f"authorization: the token is not known, revoked or expired; {how_to}")
    return token


def _unknown(message: str) -> Problem:
    return Problem(401, "unauthorized", message, field="authorization", headers={"www-authenticate": "Bearer"})


def require_allowed(token: Token, task: TaskSpec) -> None:
    """Keep a task within its sender's limits.

    Raises:
        Problem: 403; the message names the field.
    """
    if task.priority < token.highest_priority:
        raise _forbidden(
            "priority",
            f"{task.priority} is beyond this token's {token.highest_priority}; ask for that, or leave it out",
        )
    if token.tenant is not None and (task.fairness_key is not None or task.fairness_weight != 1):
        name = "fairness_key" if task.fairness_key is not None else "fairness_weight"
        raise _forbidden(name, f"the token's tenant {token.tenant!r} takes its turns as one; leave it out")
    if not sees_repository(token, task.repository):
        raise _forbidden(
            "workspace",
            f"the token allows {', '.join(token.repositories)} only, not {task.repository!r}; "
            "use one of those, or another token",
        )


def _forbidden(field: str, message: str) -> Problem:
    return Problem(403, "forbidden", f"{field}: {message}", field=field)


def sees_repository(token: Token, repository: str) -> bool:
    """Whether one of the token's globs fits: `*` stays within a part of the address, `**` does not."""
    if not token.repositories:
        return True
    parts = repository.split("/")
    if _PLAIN.fullmatch(repository) is None or "." in parts or ".." in parts:
        return False
    return any(re.fullmatch(_pattern(glob), repository) for glob in token.repositories)


def _pattern(glob: str) -> str:
    return "".join(
        {"**": ".*", "*": "[^/]*", "?": "[^/]"}.get(part, re.escape(part)) for part in re.split(r"(\*\*|\*|\?)", glob)
    )


async def require_visible(call: Call, task_id: str) -> None:
    """Sessions beyond a token's limits do not exist for it; asked of the engine.

    Raises:
        SessionMissing: there is no such session for this token.
        RPCError: the engine does not answer.
    """
    require_task_id(task_id)
    token = call.caller
    if not token.is_limited:
        return
    handle = call.services.client.get_workflow_handle(ids.session_workflow_id(task_id))
    try:
        found = (await handle.describe(rpc_timeout=timedelta(seconds=5))).typed_search_attributes
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise missing(task_id) from None
        raise
    if not sees(token, found.get(search_keys.TENANT) or "", found.get(search_keys.REPOSITORY) or ""):
        raise missing(task_id)


async def require_visible_in_store(call: Call, task_id: str) -> None:
    """The same, asked of the store: it keeps sessions for longer than the engine.

    Raises:
        SessionMissing: the store has no such session for this token.
        StoreUnavailable: the store cannot be read.
    """
    require_task_id(task_id)
    body = await call.services.store.find(ids.task_key(task_id))
    if body is None:
        raise SessionMissing(
            f"the store has no session {task_id!r} (yet: a worker writes to it when it takes the session up)"
        )
    token = call.caller
    if token.is_limited:
        try:
            task = TaskSpec.model_validate_json(body)
        except ValidationError:  # of another release: whose it is cannot be told
            raise missing(task_id) from None
        if not sees(token, task.tenant, task.repository):
            raise missing(task_id)


def sees(token: Token, tenant: str, repository: str) -> bool:
    """Whether a session of this tenant and repository exists for the token."""
    return token.tenant in (None, tenant) and sees_repository(token, repository)


def require_task_id(task_id: str) -> None:
    """Refuse what no task can be called.

    Raises:
        SessionMissing: it cannot be one.
    """
    if not ids.is_task_id(task_id):
        raise missing(task_id)


def missing(task_id: str) -> SessionMissing:
    """No session has this id."""
    return SessionMissing(f"no session has the id {task_id!r}; GET /v1/sessions lists the ones there are")
