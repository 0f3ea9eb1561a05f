"""The errors that providers answer with, as values, and their bodies in two styles."""

from dataclasses import dataclass
from typing import Literal

import orjson

from longshift.adapters.scripted_model.script import Fault, FaultKind

ErrorStyle = Literal["anthropic", "bare"]
"""`bare` has no outer `"type": "error"`, as several compatible endpoints answer."""

_HTML = b"<html><head><title>504 Gateway Time-out</title></head><body><h1>504 Gateway Time-out</h1></body></html>"


@dataclass(frozen=True)
class ApiError:
    """An answer with an error status."""

    status: int
    type: str
    message: str
    retry_after_seconds: float | None = None
    is_html: bool = False

    def body(self, style: ErrorStyle, request_id: str) -> bytes:
        """The response body."""
        if self.is_html:
            return _HTML
        error = {"type": self.type, "message": self.message}
        if style == "bare":
            return orjson.dumps({"error": error})
        return orjson.dumps({"type": "error", "error": error, "request_id": request_id})

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Headers beyond the request's id."""
        headers = [(b"content-type", b"text/html" if self.is_html else b"application/json")]
        if self.retry_after_seconds is not None:
            headers.append((b"retry-after", f"{self.retry_after_seconds:g}".encode()))
        return headers


def invalid(message: str) -> ApiError:
    """400 for a request that can never succeed."""
    return ApiError(400, "invalid_request_error", message)


def too_long(window_tokens: int, requested_tokens: int) -> ApiError:
    """400 for a prompt (and its output limit) beyond the window."""
    return invalid(
        f"Invalid request: Your request exceeded model token limit: {window_tokens} (requested: {requested_tokens})"
    )


_BY_FAULT = {
    FaultKind.RATE_LIMITED: (429, "rate_limit_reached_error", "Your account reached its request rate limit"),
    FaultKind.ENGINE_OVERLOADED: (
        429,
        "engine_overloaded_error",
        "The engine is currently overloaded, try again later",
    ),
    FaultKind.OVERLOADED: (529, "overloaded_error", "Overloaded"),
    FaultKind.QUOTA: (
        429,
        "exceeded_current_quota_error",
        "You exceeded your current token quota, please check your account balance",
    ),
    FaultKind.SERVER_ERROR: (500, "server_error", "Internal server error"),
    FaultKind.UNAVAILABLE: (503, "server_unavailable", "The server is temporarily unavailable"),
    FaultKind.GATEWAY_TIMEOUT: (504, "timeout_error", "Gateway time-out"),
    FaultKind.CONTENT_FILTER: (400, "content_filter", "The request was rejected because it was considered high risk"),
}
_WITH_RETRY_AFTER = frozenset(
    {FaultKind.RATE_LIMITED, FaultKind.ENGINE_OVERLOADED, FaultKind.OVERLOADED, FaultKind.UNAVAILABLE}
)


def error_of(fault: Fault, window_tokens: int, prompt_tokens: int) -> ApiError | None:
    """The error answer of `fault`, or nothing when it strikes elsewhere."""
    if fault.kind is FaultKind.OVERFLOW:
        return too_long(window_tokens, max(prompt_tokens, window_tokens + 1))
    if fault.kind not in _BY_FAULT:
        return None
    status, kind, message = _BY_FAULT[fault.kind]
    return ApiError(
        status,
        kind,
        fault.message or message,
        retry_after_seconds=fault.retry_after_seconds if fault.kind in _WITH_RETRY_AFTER else None,
        is_html=fault.kind is FaultKind.GATEWAY_TIMEOUT,
    )
