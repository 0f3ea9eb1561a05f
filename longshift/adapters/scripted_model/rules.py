"""What the server insists on whichever endpoint is asked: the key, the size of a body, that it is JSON."""

import hmac
from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import Any

import orjson

from longshift.adapters.scripted_model.connection import Connection
from longshift.adapters.scripted_model.errors import ApiError, ErrorStyle, invalid


@dataclass(frozen=True)
class Rules:
    """The same for all endpoints of a server."""

    key: str | None
    models: Set[str]
    window_tokens: int
    body_limit_bytes: int
    require_thinking: bool
    error_style: ErrorStyle

    def admit(self, connection: Connection) -> bool:
        """Whether the key, where one is configured, came as a bearer token or in `x-api-key`."""
        if self.key is None:
            return True
        given = (connection.header(b"authorization").removeprefix("Bearer "), connection.header(b"x-api-key"))
        return any(hmac.compare_digest(key.encode(), self.key.encode()) for key in given)

    def parse(
        self, connection: Connection, body_bytes: bytes | None, find_problem: Callable[[object], ApiError | None]
    ) -> dict[str, Any] | ApiError:
        """The request, or why it is refused; `body_bytes` is nothing for a body that is too large."""
        if not self.admit(connection):
            return ApiError(401, "invalid_authentication_error", "Invalid Authentication")
        if body_bytes is None:
            return ApiError(413, "request_too_large", "Request exceeds the maximum size")
        try:
            body = orjson.loads(body_bytes)
        except orjson.JSONDecodeError as error:
            return invalid(f"the request body is not valid JSON: {error}")
        return find_problem(body) or body
