"""The model client: a request in, an answer or a `ProviderError` out.

One attempt per call; `retrying.py` repeats. Keys are looked up per call and never kept, logged or quoted.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx

from longshift import __version__
from longshift.adapters.model.address import counting_url, messages_url
from longshift.adapters.model.answer import ModelAnswer, StreamProgress
from longshift.adapters.model.counting import COUNT_TIMEOUT_SECONDS, count, counting_body
from longshift.adapters.model.exchange import Call, Exchange
from longshift.adapters.model.limiter import LimiterPool
from longshift.adapters.model.request import ModelRequest, RequestBody, request_body
from longshift.adapters.model.transport import http_client
from longshift.contracts.errors import BadInput, ProviderError, ProviderFailure
from longshift.contracts.model import ModelProfile

_PAUSING_FAILURES = frozenset({ProviderFailure.RATE_LIMITED, ProviderFailure.OVERLOADED})
_PROBE_MESSAGE = b'{"role":"user","content":[{"type":"text","text":"ping"}]}'
_PROBE_TOKENS = 16


class ModelClient:
    """Calls any endpoint that speaks the Messages API."""

    def __init__(
        self,
        *,
        key_of: Callable[[str], str | None],
        limiters: LimiterPool,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._key_of = key_of
        """Looks up the key by the name in `ModelProfile.api_key_env`."""
        self._limiters = limiters
        self._http = http_client(transport)

    async def complete(
        self,
        profile: ModelProfile,
        request: ModelRequest,
        on_progress: Callable[[StreamProgress], None],
        *,
        longest_pause_seconds: float | None = None,
    ) -> ModelAnswer:
        """Ask once, when the account's limits allow. `longest_pause_seconds`: fail at once if the provider wants more.

        Raises:
            ProviderError: There is no complete answer.
            BadInput: The profile names no address or model.
        """
        key = await asyncio.to_thread(self._key, profile)  # where the key is may be slow
        body = request_body(profile, request)
        _refuse_too_large(profile, body)
        exchange = Exchange(self._http, profile, Call(messages_url(profile), _headers(profile, key, body), body))
        limiter = self._limiters.of(profile)
        reserved_tokens = request.prompt_tokens_estimate + request.max_tokens
        async with limiter.slot(profile.limits, reserved_tokens, longest_pause_seconds) as slot:
            try:
                answer = await exchange.answer(on_progress)
            except ProviderError as error:
                if error.status is not None:
                    # Refused before any work; a broken answer keeps its reservation, as it was worked on.
                    slot.settle(0)
                if error.failure in _PAUSING_FAILURES and error.retry_after_seconds:
                    limiter.pause(error.retry_after_seconds)
                if error.failure is ProviderFailure.RATE_LIMITED:
                    limiter.throttled()
                _complete_error(error, exchange.request_id, key)
                raise
            limiter.succeeded()
            if answer.usage.total_tokens:
                slot.settle(answer.usage.total_tokens)
            return answer

    async def count_tokens(
        self, profile: ModelProfile, request: ModelRequest, *, timeout_seconds: float = COUNT_TIMEOUT_SECONDS
    ) -> int:
        """How many tokens the prompt of `request` has, as the provider counts them; asked once.

        Raises:
            ProviderError: There is no count within `timeout_seconds`.
            BadInput: The profile names no address, model or `count_tokens_path`.
        """
        key = await asyncio.to_thread(self._key, profile)  # where the key is may be slow
        url = counting_url(profile)
        body = counting_body(profile, request)
        _refuse_too_large(profile, body)
        call = Call(url, {**_headers(profile, key, body), "accept": "application/json"}, body)
        try:
            return await count(self._http, self._limiters.of(profile), profile, call, timeout_seconds)
        except ProviderError as error:
            _complete_error(error, error.request_id, key)
            raise

    async def probe(self, profile: ModelProfile) -> None:
        """Find out with the cheapest request whether address, key and model are right.

        Raises:
            ProviderError: They are not, or the provider does not answer.
            BadInput: The profile names no address or model.
        """
        key = await asyncio.to_thread(self._key, profile)  # where the key is may be slow
        request = ModelRequest("", (), (_PROBE_MESSAGE,), _probe_tokens(profile), _PROBE_TOKENS, "probe")
        body = request_body(profile, request)
        call = Call(messages_url(profile), _headers(profile, key, body), body)
        async with self._limiters.of(profile).slot(profile.limits, request.max_tokens):
            exchange = Exchange(self._http, profile, call)
            try:
                await exchange.start()
            except ProviderError as error:
                _complete_error(error, exchange.request_id, key)
                raise

    async def aclose(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    def _key(self, profile: ModelProfile) -> str:
        if profile.auth == "none":
            return ""
        try:
            key = (self._key_of(profile.api_key_env) or "").strip()
        except BadInput as error:  # the place that the setting names does not have it: people can mend that
            raise ProviderError(ProviderFailure.AUTH, f"no key for {profile.name}: {error}") from None
        if not key:
            raise ProviderError(ProviderFailure.AUTH, f"no key: set {profile.api_key_env} for {profile.name}")
        if not key.isascii() or not key.isprintable():
            raise ProviderError(ProviderFailure.AUTH, f"{profile.api_key_env} holds characters that no key has")
        return key


def _refuse_too_large(profile: ModelProfile, body: RequestBody) -> None:
    size_bytes = body.size_bytes
    if size_bytes > profile.body_limit_bytes:
        raise ProviderError(
            ProviderFailure.TOO_LARGE,
            f"the request has {size_bytes:,} bytes, and {profile.name} takes {profile.body_limit_bytes:,}",
        )


def _headers(profile: ModelProfile, key: str, body: RequestBody) -> dict[str, str]:
    headers = {
        "user-agent": f"longshift/{__version__}",
        "accept": "text/event-stream, application/json",
        # A compressed stream arrives in lumps, and a corrupt one not at all.
        "accept-encoding": "identity",
        **profile.headers,
        "content-type": "application/json",
        "content-length": str(body.size_bytes),
    }
    if profile.auth in ("bearer", "both"):
        headers["authorization"] = f"Bearer {key}"
    if profile.auth in ("x-api-key", "both"):
        headers["x-api-key"] = key
    return headers


def _probe_tokens(profile: ModelProfile) -> int:
    """Just enough: endpoints with a thinking budget demand more than that budget."""
    thinking: Any = profile.extra_body.get("thinking")
    budget: Any = thinking.get("budget_tokens") if isinstance(thinking, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - free-form data
    return _PROBE_TOKENS + (budget if isinstance(budget, int) else 0)


def _complete_error(error: ProviderError, request_id: str, key: str) -> None:
    """Adds the request's id, and takes out the key that some providers quote."""
    error.request_id = error.request_id or request_id
    if key and key in str(error):
        error.args = (str(error).replace(key, "[key]"),)
