"""How many tokens a prompt has, by the provider's own count: one short exchange, never repeated.

Providers limit counts and messages apart, so a refused count pauses nobody. Whether a count is worth asking for, and
what stands in for one that fails, is not decided here.
"""

import asyncio
from typing import Any, cast

import httpx
import orjson

from longshift.adapters.model.chat_shape import chat_messages
from longshift.adapters.model.exchange import Call, error_body
from longshift.adapters.model.failures import classify, classify_transport, request_id
from longshift.adapters.model.limiter import Limiter
from longshift.adapters.model.request import ModelRequest, RequestBody, json_body, prompt_fields, prompt_messages
from longshift.contracts.errors import ProviderError, ProviderFailure
from longshift.contracts.model import ModelProfile

COUNT_TIMEOUT_SECONDS = 20.0
"""For everything, waiting for a place in the account's limits included."""
_COUNTED_EXTRAS = ("thinking", "tool_choice", "output_config", "context_management", "mcp_servers")
"""Fields of `extra_body` that change a prompt; the endpoint refuses others that the messages endpoint takes."""
_FIELDS = {"messages": ("input_tokens",), "kimi": ("data", "total_tokens")}
"""Style → where in the answer the number stands."""
_ANSWER_LIMIT_BYTES = 10_000
_QUOTED_CHARACTERS = 200


def counting_body(profile: ModelProfile, request: ModelRequest) -> RequestBody:
    """The JSON body of a request for a count, in the profile's style."""
    head: dict[str, Any] = {"model": profile.model}
    if profile.count_tokens_style == "kimi":
        return json_body(head, chat_messages(request), {})
    head |= {name: profile.extra_body[name] for name in _COUNTED_EXTRAS if name in profile.extra_body}
    return json_body(head | prompt_fields(profile, request), prompt_messages(profile, request), {})


async def count(
    http: httpx.AsyncClient, limiter: Limiter, profile: ModelProfile, call: Call, timeout_seconds: float
) -> int:
    """Send `call` once, when the account's limits allow, and read the number of tokens.

    Raises:
        ProviderError: There is no count within `timeout_seconds`.
    """
    is_sent = is_answering = False
    try:
        async with asyncio.timeout(timeout_seconds), limiter.slot(profile.limits, 0, timeout_seconds):
            is_sent = True
            async with http.stream("POST", call.url, headers=call.headers, content=call.body.__aiter__()) as response:
                is_answering = True
                if not response.is_success:
                    raise classify(response.status_code, response.headers, await error_body(response), profile)
                return _tokens(profile, await _start_of_body(response), request_id(response.headers))
    except TimeoutError as error:
        if is_sent:
            raise ProviderError(ProviderFailure.INCOMPLETE, f"no count within {timeout_seconds:g} s") from error
        words = f"the account's limits left no room for a count within {timeout_seconds:g} s"
        raise ProviderError(ProviderFailure.RATE_LIMITED, words) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise classify_transport(error, answering=is_answering) from error


async def _start_of_body(response: httpx.Response) -> bytes:
    """What is longer is no count, and may be endless."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) >= _ANSWER_LIMIT_BYTES:
            break
    return bytes(body)


def _tokens(profile: ModelProfile, body: bytes, request_id: str) -> int:
    path = _FIELDS[profile.count_tokens_style]
    try:
        value: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    for name in path:
        value = cast("dict[str, Any]", value).get(name) if isinstance(value, dict) else None
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    raise ProviderError(
        ProviderFailure.SERVER,
        f"the answer to a count has no positive {'.'.join(path)}: "
        + " ".join(body.decode("utf-8", "replace").split())[:_QUOTED_CHARACTERS],
        request_id=request_id,
    )
