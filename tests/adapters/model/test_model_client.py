"""The client over a transport in memory: what it sends, returns and refuses."""

import json

import httpx
import pytest
from model_wire import (
    KEY,
    call_block,
    client_over,
    ended,
    event,
    hello,
    ignore,
    profile_of,
    request_of,
    started,
    stream_response,
    text_block,
)

from longshift import __version__
from longshift.adapters.model.answer import StreamProgress
from longshift.adapters.model.client import ModelClient
from longshift.adapters.model.limiter import LimiterPool
from longshift.adapters.model.profiles import load_profiles
from longshift.contracts.errors import BadInput, ProviderError, ProviderFailure
from longshift.contracts.model import ModelProfile, Usage


class Endpoint:
    """Answers every request with the next response, the last one for ever, and keeps the requests."""

    def __init__(self, *responses: httpx.Response) -> None:
        self._responses = list(responses)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self._responses.pop(0) if len(self._responses) > 1 else self._responses[0]


async def error_of(response: httpx.Response, profile: ModelProfile | None = None) -> ProviderError:
    client = client_over(Endpoint(response))
    with pytest.raises(ProviderError) as caught:
        await client.complete(profile or profile_of(), request_of(), ignore)
    await client.aclose()
    return caught.value


async def test_answer_has_everything_that_came() -> None:
    body = started(input_tokens=7, cache_read_input_tokens=90)
    body += text_block(0, "Look") + call_block(1, "c1", "bash", '{"command":', '"ls"}')
    body += ended("tool_use", output_tokens=12)
    client = client_over(Endpoint(stream_response(body, **{"request-id": "req_7"})))
    answer = await client.complete(profile_of(), request_of(), ignore)
    assert (
        {"type": "text", "text": "Look"},
        {"type": "tool_use", "id": "c1", "name": "bash", "input": {"command": "ls"}},
    ) == answer.content
    assert {1: '{"command":"ls"}'} == answer.raw_inputs
    assert ("tool_use", "test-model", "req_7") == (answer.stop_reason, answer.model, answer.request_id)
    assert Usage(input_tokens=7, cached_tokens=90, output_tokens=12) == answer.usage
    assert 0 <= answer.first_token_seconds <= answer.duration_seconds
    await client.aclose()


async def test_request_carries_the_profiles_headers_and_its_own() -> None:
    endpoint = Endpoint(stream_response(hello()))
    client = client_over(endpoint)
    profile = profile_of(base_url="http://127.0.0.1:9/api/", headers={"anthropic-version": "2023-06-01"})
    await client.complete(profile, request_of(), ignore)
    request = endpoint.requests[0]
    assert ("POST", "http://127.0.0.1:9/api/v1/messages") == (request.method, str(request.url))
    assert ("2023-06-01", f"longshift/{__version__}", "identity", "application/json") == tuple(
        request.headers[name] for name in ("anthropic-version", "user-agent", "accept-encoding", "content-type")
    )
    assert json.loads(request.content)["stream"] is True
    await client.aclose()


@pytest.mark.parametrize(
    ("auth", "bearer", "x_api_key"),
    [
        ("bearer", f"Bearer {KEY}", None),
        ("x-api-key", None, KEY),
        ("both", f"Bearer {KEY}", KEY),
        ("none", None, None),
    ],
)
async def test_key_is_sent_as_the_profile_says(auth: str, bearer: str | None, x_api_key: str | None) -> None:
    endpoint = Endpoint(stream_response(hello()))
    client = client_over(endpoint)
    await client.complete(profile_of(auth=auth), request_of(), ignore)
    headers = endpoint.requests[0].headers
    assert (bearer, x_api_key) == (headers.get("authorization"), headers.get("x-api-key"))
    await client.aclose()


async def test_key_is_looked_up_by_the_name_in_the_profile_and_trimmed() -> None:
    endpoint = Endpoint(stream_response(hello()))
    client = client_over(endpoint, key_of={"MY_KEY": " k1\n"}.get)
    await client.complete(profile_of(api_key_env="MY_KEY"), request_of(), ignore)
    assert "Bearer k1" == endpoint.requests[0].headers["authorization"]
    await client.aclose()


@pytest.mark.parametrize("key", [None, "", " \n", "k\nx", "schlüssel"])
async def test_missing_or_impossible_key_names_the_variable_and_sends_nothing(key: str | None) -> None:
    endpoint = Endpoint(stream_response(hello()))
    client = client_over(endpoint, key_of=lambda _name: key)
    with pytest.raises(ProviderError, match="LONGSHIFT_MODEL_API_KEY") as caught:
        await client.complete(profile_of(), request_of(), ignore)
    assert (ProviderFailure.AUTH, []) == (caught.value.failure, endpoint.requests)
    assert not key or key.strip() == "" or key not in str(caught.value)
    await client.aclose()


async def test_key_that_a_provider_quotes_is_taken_out_of_the_error() -> None:
    error = await error_of(httpx.Response(401, json={"error": {"message": f"bad key {KEY}!"}}))
    assert "HTTP 401: bad key [key]!" == str(error)


async def test_profile_without_an_address_is_refused() -> None:
    client = client_over(Endpoint(stream_response(hello())))
    with pytest.raises(BadInput, match=r"models\.generic\.base_url"):
        await client.complete(load_profiles()["generic"], request_of(), ignore)
    await client.aclose()


async def test_body_beyond_the_limit_is_not_sent() -> None:
    endpoint = Endpoint(stream_response(hello()))
    client = client_over(endpoint)
    with pytest.raises(ProviderError) as caught:
        await client.complete(profile_of(body_limit_bytes=100), request_of(), ignore)
    assert (ProviderFailure.TOO_LARGE, []) == (caught.value.failure, endpoint.requests)
    await client.aclose()


async def test_progress_grows_with_the_answer() -> None:
    heard: list[StreamProgress] = []
    client = client_over(Endpoint(stream_response(hello())))
    await client.complete(profile_of(), request_of(), heard.append)
    assert (5, 1) == (heard[-1].characters, heard[-1].blocks)
    await client.aclose()


async def test_refused_request_is_classified_with_its_headers() -> None:
    response = httpx.Response(429, headers={"retry-after": "3", "x-trace-id": "t1"}, json={"error": {"message": "x"}})
    error = await error_of(response)
    assert (ProviderFailure.RATE_LIMITED, 429, 3.0, "t1") == (
        error.failure,
        error.status,
        error.retry_after_seconds,
        error.request_id,
    )


async def test_error_inside_the_stream_has_the_requests_id() -> None:
    body = started() + event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    error = await error_of(stream_response(body, **{"request-id": "req_9"}))
    assert (ProviderFailure.OVERLOADED, "req_9") == (error.failure, error.request_id)


async def test_profiles_rule_applies_inside_the_stream_too() -> None:
    body = event("error", error={"type": "weird", "message": "the monthly plan is used up"})
    profile = profile_of(error_rules=[{"pattern": "monthly plan", "kind": "quota"}])
    assert ProviderFailure.QUOTA == (await error_of(stream_response(body), profile)).failure


@pytest.mark.parametrize("status", [200, 201])
async def test_json_message_instead_of_a_stream_is_an_answer(status: int) -> None:
    message = {"type": "message", "content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn"}
    client = client_over(Endpoint(httpx.Response(status, json=message)))
    answer = await client.complete(profile_of(), request_of(), ignore)
    assert ({"type": "text", "text": "hi"},) == answer.content
    await client.aclose()


@pytest.mark.parametrize(
    ("response", "failure"),
    [
        (httpx.Response(200, content=b""), ProviderFailure.INCOMPLETE),
        (httpx.Response(204), ProviderFailure.INCOMPLETE),
        (httpx.Response(200, html="<title>Welcome</title>"), ProviderFailure.SERVER),
        (httpx.Response(302, headers={"location": "/login"}), ProviderFailure.INVALID),
        (
            httpx.Response(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(b"no gzip")),
            ProviderFailure.SERVER,
        ),
        (stream_response(started() + text_block(0, "(Empty response: x)") + ended()), ProviderFailure.INCOMPLETE),
        (stream_response(hello()[:-20]), ProviderFailure.INCOMPLETE),
    ],
)
async def test_response_that_is_no_answer_is_an_error(response: httpx.Response, failure: ProviderFailure) -> None:
    assert failure == (await error_of(response)).failure


async def test_refusal_is_an_answer() -> None:
    client = client_over(Endpoint(stream_response(started() + ended("refusal"))))
    answer = await client.complete(profile_of(), request_of(), ignore)
    assert ("refusal", ()) == (answer.stop_reason, answer.content)
    await client.aclose()


async def test_ten_megabytes_of_answer_arrive_whole() -> None:
    text = "0123456789" * 1_000_000
    pieces = [text[i : i + 100_000] for i in range(0, len(text), 100_000)]
    client = client_over(Endpoint(stream_response(started() + text_block(0, *pieces) + ended())))
    answer = await client.complete(profile_of(), request_of(), ignore)
    assert text == answer.content[0]["text"]
    await client.aclose()


async def test_retry_after_pauses_the_whole_account() -> None:
    limiters = LimiterPool()
    busy = httpx.Response(429, headers={"retry-after": "30"}, json={"error": {"message": "slow down"}})
    endpoint = Endpoint(busy)
    client = client_over(endpoint, limiters=limiters)
    for profile in (profile_of(), profile_of(model="sibling")):
        with pytest.raises(ProviderError) as caught:
            await client.complete(profile, request_of(), ignore, longest_pause_seconds=5)
        assert ProviderFailure.RATE_LIMITED == caught.value.failure
    assert 1 == len(endpoint.requests)
    await client.aclose()


async def test_refusal_without_retry_after_pauses_nobody() -> None:
    endpoint = Endpoint(httpx.Response(529), stream_response(hello()))
    client = client_over(endpoint)
    with pytest.raises(ProviderError):
        await client.complete(profile_of(), request_of(), ignore)
    await client.complete(profile_of(), request_of(), ignore, longest_pause_seconds=0)
    assert 2 == len(endpoint.requests)
    await client.aclose()


async def test_reservation_is_corrected_to_what_was_used_and_freed_by_a_refusal() -> None:
    """Three calls of 600 reserved tokens fit into 1,000 a minute as each really used about ten, or none."""
    endpoint = Endpoint(stream_response(hello()), httpx.Response(500), stream_response(hello()))
    client = client_over(endpoint)
    profile = profile_of(limits={"tokens_per_minute": 1_000})
    request = request_of(max_tokens=500, prompt_tokens_estimate=100)
    await client.complete(profile, request, ignore)
    with pytest.raises(ProviderError):
        await client.complete(profile, request, ignore)
    await client.complete(profile, request, ignore)
    assert 3 == len(endpoint.requests)
    await client.aclose()


async def test_probe_is_content_with_the_start_of_an_answer() -> None:
    endpoint = Endpoint(stream_response(started()))
    client = client_over(endpoint)
    await client.probe(profile_of(extra_body={"thinking": {"type": "enabled", "budget_tokens": 1_024}}))
    body = json.loads(endpoint.requests[0].content)
    assert (1_040, "test-model", 1) == (body["max_tokens"], body["model"], len(body["messages"]))
    await client.aclose()


@pytest.mark.parametrize(
    ("response", "failure"),
    [
        (httpx.Response(401, json={"error": {"type": "authentication_error"}}), ProviderFailure.AUTH),
        (httpx.Response(404, json={"error": "url.not_found"}), ProviderFailure.UNKNOWN_MODEL),
        (httpx.Response(200, content=b""), ProviderFailure.INCOMPLETE),
        (httpx.Response(200, html="<p>hello</p>"), ProviderFailure.SERVER),
        (stream_response(event("error", error={"type": "not_found_error"})), ProviderFailure.UNKNOWN_MODEL),
    ],
)
async def test_probe_tells_what_is_wrong(response: httpx.Response, failure: ProviderFailure) -> None:
    client = client_over(Endpoint(response))
    with pytest.raises(ProviderError) as caught:
        await client.probe(profile_of())
    assert failure == caught.value.failure
    await client.aclose()


async def test_probe_accepts_a_json_message() -> None:
    client = client_over(Endpoint(httpx.Response(200, json={"type": "message", "content": []})))
    await client.probe(profile_of())
    await client.aclose()


async def test_listener_that_breaks_is_a_bug_and_frees_its_slot() -> None:
    def broken(_progress: StreamProgress) -> None:
        raise ZeroDivisionError

    limiters = LimiterPool()
    client = ModelClient(
        key_of=lambda _name: KEY, limiters=limiters, transport=httpx.MockTransport(Endpoint(stream_response(hello())))
    )
    with pytest.raises(ZeroDivisionError):
        await client.complete(profile_of(), request_of(), broken)
    assert 0 == limiters.of(profile_of()).in_flight
    await client.aclose()
