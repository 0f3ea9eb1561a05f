"""The one table from a provider's refusals and the network's failures to `ProviderError`.

A profile's own rules come first, then decisive types, then wording, then the HTTP status. Wording is only trusted
where a status leaves the cause open. What to do about a failure is decided elsewhere (`policy`).
"""

import re
from collections.abc import Mapping

import httpx

from longshift.adapters.model.error_body import ErrorBody, read_error_body
from longshift.adapters.model.retry_after import retry_after_seconds
from longshift.contracts.errors import ProviderError, ProviderFailure
from longshift.contracts.model import ErrorRule, ModelProfile

_MESSAGE_CHARACTERS = 500
_REQUEST_ID_HEADERS = ("request-id", "x-request-id", "x-trace-id", "x-msh-request-id")

_F = ProviderFailure

DECISIVE_TYPES: dict[str, ProviderFailure] = {
    "content_filter": _F.REFUSED,
    "invalid_authentication_error": _F.AUTH,
    "incorrect_api_key_error": _F.AUTH,
    "authentication_error": _F.AUTH,
    "permission_denied_error": _F.AUTH,
    "permission_error": _F.AUTH,
    "access_terminated_error": _F.AUTH,
    "resource_not_found_error": _F.UNKNOWN_MODEL,
    "not_found_error": _F.UNKNOWN_MODEL,
    "model_not_found": _F.UNKNOWN_MODEL,
    "engine_overloaded_error": _F.OVERLOADED,
    "overloaded_error": _F.OVERLOADED,
    "rate_limit_reached_error": _F.RATE_LIMITED,
    "rate_limit_error": _F.RATE_LIMITED,
    "exceeded_current_quota_error": _F.QUOTA,
    "billing_error": _F.QUOTA,
    "insufficient_quota": _F.QUOTA,
    "insufficient_balance": _F.QUOTA,
    "context_length_exceeded": _F.OVERFLOW,
    "request_too_large": _F.TOO_LARGE,
    "conflict_error": _F.SERVER,
    "client_closed_request": _F.CONNECTION,
}
"""`error.type` or `error.code` → failure, whatever the status."""

_IN_STREAM_TYPES: dict[str, ProviderFailure] = {
    "invalid_request_error": _F.INVALID,
}
"""Types that say little; asked only where there is no status, as in an error event. Unknown ones are the server's."""

STATUSES: dict[int, ProviderFailure] = {
    401: _F.AUTH,
    402: _F.QUOTA,
    403: _F.AUTH,
    404: _F.UNKNOWN_MODEL,
    408: _F.SERVER,
    409: _F.SERVER,
    413: _F.TOO_LARGE,
    425: _F.SERVER,
    429: _F.RATE_LIMITED,
    499: _F.CONNECTION,
    529: _F.OVERLOADED,
}
"""Other statuses: 5xx is SERVER, 3xx and 4xx are INVALID."""

_EXACT_429 = frozenset({"engine_overloaded_error", "overloaded_error", "rate_limit_reached_error"})
"""Types of a 429 that need no look at the wording; `rate_limit_error` also covers exhausted accounts at some."""
_QUOTA_STATUSES = frozenset({200, 400, 402, 403, 429})
_INPUT_STATUSES = frozenset({200, 400, 413, 422})


def _any_of(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


_QUOTA_WORDS = _any_of(
    r"exceeded your current (token )?quota",
    r"check your account balance",
    r"insufficient (account )?balance",
    r"\brecharge\b",
    r"in arrears",
    r"billing[- ]cycle",
    r"credit balance is too low",
)
_OVERLOAD_WORDS = _any_of(r"overloaded", r"engine is (currently )?busy", r"at capacity")
_BODY_WORDS = _any_of(
    r"total message size \d+ exceeds limit \d+",
    r"request exceeds the maximum size",
    r"(request|payload|body|entity)( body| entity)? (is )?too large",
)
_OVERFLOW_WORDS = _any_of(
    r"context[ _-]?length",
    r"context window.*exceed|exceed.*context (window|limit)",
    r"maximum context",
    r"exceed.*max.*tokens",
    r"too many tokens.*(prompt|input|context)",
    r"prompt is too long",
    r"input token count.*exceeds.*maximum number of tokens",
    r"exceed.*model token limit",
    r"input (token )?length too long",
)
_FILTER_WORDS = _any_of(r"content[ _-]?filter", r"considered high risk", r"content (management )?policy")
_MODEL_WORDS = _any_of(
    r"model\b.{0,80}?(not exist|not found|no longer available|has been (retired|deprecated))",
    r"(unknown|unsupported|no such) model",
)
_WINDOW_WORDS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"model token limit:?\s*([\d,_]+)",
        r"maximum context length (?:is|of)\s*([\d,_]+)",
        r"context window (?:is|of|size)\D{0,12}([\d,_]+)",
        r"tokens?\s*>\s*([\d,_]+)\s*maximum",
        r"context limit:[^>]*>\s*([\d,_]+)",
        r"maximum number of tokens[^\d]{0,20}([\d,_]+)",
        r"input length should be \[\s*\d+\s*,\s*([\d,_]+?)\s*\]",
    )
)

TRANSPORT_FAILURES: tuple[tuple[type[Exception], ProviderFailure, ProviderFailure], ...] = (
    (httpx.ConnectTimeout, _F.CONNECTION, _F.CONNECTION),
    (httpx.PoolTimeout, _F.CONNECTION, _F.CONNECTION),
    (httpx.TimeoutException, _F.CONNECTION, _F.INCOMPLETE),
    (httpx.ConnectError, _F.CONNECTION, _F.CONNECTION),
    (httpx.NetworkError, _F.CONNECTION, _F.INCOMPLETE),
    (httpx.ProxyError, _F.CONNECTION, _F.CONNECTION),
    (httpx.RemoteProtocolError, _F.CONNECTION, _F.INCOMPLETE),
    (httpx.LocalProtocolError, _F.INVALID, _F.INVALID),
    (httpx.UnsupportedProtocol, _F.INVALID, _F.INVALID),
    (httpx.DecodingError, _F.SERVER, _F.SERVER),
    (httpx.TooManyRedirects, _F.INVALID, _F.INVALID),
    (httpx.InvalidURL, _F.INVALID, _F.INVALID),
)
"""httpx exception → failure before the response's headers, failure after them; the first row that fits wins."""

NEVER_SENT = (
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ConnectError,
    httpx.ProxyError,
    httpx.LocalProtocolError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
"""After one of these no provider has seen the request; after any other failure of the network it may have."""


def classify(status: int, headers: Mapping[str, str], body: bytes, profile: ModelProfile) -> ProviderError:
    """The error that a refused request stands for; status 200 is for an error event inside a stream."""
    error = read_error_body(body)
    failure = _hinted(_failure(status, error, profile), headers)
    return ProviderError(
        failure,
        _message(status, headers, error),
        status=status if status != 200 else None,
        retry_after_seconds=retry_after_seconds(headers),
        request_id=request_id(headers) or error.request_id,
        window_tokens=_window_tokens(error.message) if failure is _F.OVERFLOW else None,
    )


def classify_transport(error: httpx.HTTPError | httpx.InvalidURL, *, answering: bool) -> ProviderError:
    """The error that a failure of the network stands for; `answering` once the response's headers have come."""
    before, after = next(row[1:] for row in TRANSPORT_FAILURES if isinstance(error, row[0]))
    failure = after if answering else before
    # A local protocol error quotes the header it dislikes, which may hold the key.
    words = "" if isinstance(error, httpx.LocalProtocolError) else str(error)
    name = type(error).__name__
    return ProviderError(failure, f"{name}: {words}"[:_MESSAGE_CHARACTERS] if words else name)


def request_id(headers: Mapping[str, str]) -> str:
    """The provider's id of a request; empty where it gives none."""
    return next((value for name in _REQUEST_ID_HEADERS if (value := headers.get(name, ""))), "")


def _failure(status: int, error: ErrorBody, profile: ModelProfile) -> ProviderFailure:
    for rule in profile.error_rules:
        if _fits(rule, status, error):
            return ProviderFailure(rule.kind)
    if status in _QUOTA_STATUSES and not _EXACT_429.intersection(error.names) and _QUOTA_WORDS.search(error.message):
        return _F.QUOTA
    for name in error.names:
        if name in DECISIVE_TYPES:
            return DECISIVE_TYPES[name]
    return _by_wording(status, error) or _by_status(status, error)


def _fits(rule: ErrorRule, status: int, error: ErrorBody) -> bool:
    return (
        (rule.status is None or rule.status == status)
        and (rule.type is None or rule.type in (error.type, error.code))
        and (rule.pattern is None or re.search(rule.pattern, error.message, re.IGNORECASE) is not None)
    )


def _by_wording(status: int, error: ErrorBody) -> ProviderFailure | None:
    words = error.message
    if status == 429 and _OVERLOAD_WORDS.search(words):
        return _F.OVERLOADED
    if status not in _INPUT_STATUSES:
        return None
    if _BODY_WORDS.search(words):
        return _F.TOO_LARGE
    if _OVERFLOW_WORDS.search(words):
        return _F.OVERFLOW
    if _FILTER_WORDS.search(words):
        return _F.REFUSED
    if status != 413 and _MODEL_WORDS.search(words):
        return _F.UNKNOWN_MODEL
    return None


def _by_status(status: int, error: ErrorBody) -> ProviderFailure:
    if status < 300:
        return next((_IN_STREAM_TYPES[name] for name in error.names if name in _IN_STREAM_TYPES), _F.SERVER)
    return STATUSES.get(status, _F.SERVER if status >= 500 else _F.INVALID)


def _hinted(failure: ProviderFailure, headers: Mapping[str, str]) -> ProviderFailure:
    """Heeds `x-should-retry`, which overrules our view of whether the same request can succeed soon."""
    hint = headers.get("x-should-retry", "").strip().lower()
    if hint == "false" and failure in (_F.RATE_LIMITED, _F.OVERLOADED):
        return _F.QUOTA
    if hint == "false" and failure is _F.SERVER:
        return _F.INVALID
    if hint == "true" and failure is _F.INVALID:
        return _F.SERVER
    return failure


def _message(status: int, headers: Mapping[str, str], error: ErrorBody) -> str:
    """For people: status, type and the provider's own words."""
    if 300 <= status < 400:
        return (
            f"HTTP {status}: the address redirects to {headers.get('location', '?')}; set base_url to where the API is"
        )
    name = error.type or error.code
    parts = [f"HTTP {status}" if status != 200 else "error in the stream", name if name != error.message else ""]
    return ": ".join(part for part in (*parts, error.message or "no explanation") if part)[:_MESSAGE_CHARACTERS]


def _window_tokens(words: str) -> int | None:
    for pattern in _WINDOW_WORDS:
        if match := pattern.search(words):
            tokens = int(re.sub(r"\D", "", match.group(1)) or "0")
            if 1_000 <= tokens <= 100_000_000:
                return tokens
    return None
