"""Counting a prompt's tokens over real HTTP: both styles, the account's limits, and everything that can go wrong."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from model_wire import KEY, Wire, ignore, loopback, profile_of, request_of

from longshift.adapters.model.client import ModelClient
from longshift.adapters.model.limiter import LimiterPool
from longshift.adapters.model.profiles import load_profiles, override
from longshift.adapters.scripted_model import Fault, FaultKind, Script, ScriptedCall, ScriptedModel, Turn
from longshift.contracts.errors import BadInput, ProviderError, ProviderFailure
from longshift.contracts.model import ModelProfile

F = ProviderFailure
MESSAGES = {"count_tokens_path": "/v1/messages/count_tokens"}
KIMI = {
    "count_tokens_path": "/v1/tokenizers/estimate-token-count",
    "count_tokens_from": "host",
    "count_tokens_style": "kimi",
}
STYLES = pytest.mark.parametrize("style", [MESSAGES, KIMI], ids=["messages", "kimi"])
SCRIPT = Script(turns=(Turn(text="hello", calls=(ScriptedCall(name="bash", input={"command": "ls"}),)),))


@pytest.fixture(autouse=True)
def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's proxy must not sit between the client and the loopback."""
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")


@asynccontextmanager
async def client_of(limiters: LimiterPool | None = None) -> AsyncGenerator[ModelClient]:
    client = ModelClient(key_of=lambda _name: KEY, limiters=limiters or LimiterPool())
    try:
        yield client
    finally:
        await client.aclose()


@asynccontextmanager
async def scripted(**options: Any) -> AsyncGenerator[tuple[ScriptedModel, ModelClient]]:
    async with ScriptedModel(SCRIPT, key=KEY, keep_bodies=True, **options) as model, client_of() as client:
        yield model, client


def conversation(steps: int) -> list[bytes]:
    """What a session looks like: thinking, text and two calls a step, with output of some length."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": [{"type": "text", "text": "Mend the rounding."}]}]
    for step in range(steps):
        calls: list[dict[str, Any]] = [
            {"type": "tool_use", "id": f"functions.bash:{step}", "name": "bash", "input": {"command": "pytest -q"}},
            {"type": "tool_use", "id": f"functions.read_file:{step}", "name": "read_file", "input": {"path": "a.py"}},
        ]
        thinking = {"type": "thinking", "thinking": "The last field is rounded down. " * 10}
        messages.append({"role": "assistant", "content": [thinking, {"type": "text", "text": "I look."}, *calls]})
        results = [
            {"type": "tool_result", "tool_use_id": call["id"], "content": "def field(n):\n    return n // 2\n" * 40}
            for call in calls
        ]
        messages.append({"role": "user", "content": results})
    return [orjson.dumps(message) for message in messages]


async def failure_of(
    answer: bytes | Callable[[Wire], Any], profile: dict[str, Any] | None = None, **options: Any
) -> ProviderError:
    async def script(wire: Wire) -> None:
        if isinstance(answer, bytes):
            await wire.send(answer)
            wire.close()
        else:
            await answer(wire)

    async with loopback(script) as address, client_of() as client:
        with pytest.raises(ProviderError) as caught:
            await client.count_tokens(profile_of(base_url=address, **(profile or MESSAGES)), request_of(), **options)
    return caught.value


def response(body: object, status: str = "200 OK", **headers: str) -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(data)}", *(f"{k}: {v}" for k, v in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


@pytest.mark.parametrize("cache", ["auto", "blocks", "top-level"])
async def test_count_is_the_prompt_of_the_answers_usage_whatever_is_cached(cache: str) -> None:
    async with scripted() as (model, client):
        profile = profile_of(
            base_url=model.base_url, cache=cache, extra_body={"thinking": {"type": "enabled"}}, **MESSAGES
        )
        for steps in (0, 1, 20):
            request = request_of(messages=conversation(steps))
            counted = await client.count_tokens(profile, request)
            assert counted == (await client.complete(profile, request, ignore)).usage.prompt_tokens
    assert 3 == len(model.counts) == len(model.requests)


async def test_kimi_counts_the_same_prompt_as_chat_messages_to_within_a_tenth() -> None:
    async with scripted() as (model, client):
        profile = profile_of(base_url=model.base_url + "/anthropic", **KIMI)
        request = request_of(messages=conversation(50))
        counted = await client.count_tokens(profile, request)
        usage = (await client.complete(profile, request, ignore)).usage
    assert counted == pytest.approx(usage.prompt_tokens, rel=0.1)


@pytest.mark.parametrize(
    ("name", "base", "path"),
    [
        ("kimi-k2.6", "/anthropic", "/v1/tokenizers/estimate-token-count"),
        ("kimi-k3", "/anthropic/", "/v1/tokenizers/estimate-token-count"),
        ("claude", "", "/v1/messages/count_tokens"),
        ("claude", "/gateway", "/gateway/v1/messages/count_tokens"),
    ],
)
async def test_built_in_profile_is_counted_at_the_host_that_it_asks(name: str, base: str, path: str) -> None:
    """A changed `base_url` takes the counting with it: no key goes to a host that it does not belong to."""
    async with scripted() as (model, client):
        profile = override(load_profiles()[name], base_url=model.base_url + base)
        assert await client.count_tokens(profile, request_of(messages=conversation(2))) > 100
    assert [path] == [record.path for record in model.counts]


def test_built_in_profiles_without_a_documented_endpoint_have_none() -> None:
    with_endpoint = {name for name, profile in load_profiles().items() if profile.count_tokens_path}
    assert {"kimi-k2.6", "kimi-k3", "claude"} == with_endpoint


async def test_count_sends_what_makes_up_the_prompt_and_nothing_else() -> None:
    extra = {"thinking": {"type": "enabled"}, "metadata": {"team": "x"}, "service_tier": "auto"}
    async with scripted() as (model, client):
        profile = profile_of(
            base_url=model.base_url, extra_body=extra, sampling={"temperature": 1.0}, cache="top-level", **MESSAGES
        )
        await client.count_tokens(profile, request_of())
    sent = orjson.loads(model.counts[0].body or b"")
    assert {
        "model": "test-model",
        "thinking": {"type": "enabled"},
        "system": "You are careful.",
        "tools": [{"name": "bash", "input_schema": {"type": "object"}}],
        "messages": [{"role": "user", "content": "go"}],
    } == sent
    assert "application/json" == model.counts[0].headers["accept"]


async def test_kimi_gets_every_part_of_the_prompt_as_content_of_the_documented_roles() -> None:
    messages = [
        {"role": "user", "content": "go"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "functions.bash:0", "name": "bash", "input": {"command": "ls"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "functions.bash:0", "content": [{"type": "text", "text": "a"}]},
                {"type": "text", "text": "Go on."},
                {"type": "novel", "data": "?"},
            ],
        },
        {"role": "assistant", "content": [{"type": "text", "text": " "}]},
    ]
    tool = {"name": "bash", "description": "Runs.", "input_schema": {"type": "object"}}
    async with scripted() as (model, client):
        profile = profile_of(base_url=model.base_url, **KIMI)
        await client.count_tokens(profile, request_of(messages=list(map(orjson.dumps, messages)), tools=(tool,)))
    sent = orjson.loads(model.counts[0].body or b"")
    function = {"name": "bash", "description": "Runs.", "parameters": {"type": "object"}}
    assert {"model", "messages"} == set(sent)
    assert [
        ("system", "You are careful."),
        ("system", orjson.dumps([{"type": "function", "function": function}]).decode()),
        ("user", "go"),
        ("assistant", 'hm\nI look.\nfunctions.bash:0 bash {"command":"ls"}'),
        ("user", '## Return of functions.bash:0\na\nGo on.\n{"type":"novel","data":"?"}'),
    ] == [(message["role"], message["content"]) for message in sent["messages"]]


@pytest.mark.parametrize(
    ("kind", "failure"),
    [
        (FaultKind.RATE_LIMITED, F.RATE_LIMITED),
        (FaultKind.ENGINE_OVERLOADED, F.OVERLOADED),
        (FaultKind.OVERLOADED, F.OVERLOADED),
        (FaultKind.QUOTA, F.QUOTA),
        (FaultKind.SERVER_ERROR, F.SERVER),
        (FaultKind.GATEWAY_TIMEOUT, F.SERVER),
        (FaultKind.CONTENT_FILTER, F.REFUSED),
        (FaultKind.OVERFLOW, F.OVERFLOW),
        (FaultKind.RESET, F.CONNECTION),
        (FaultKind.CUT, F.INCOMPLETE),
        (FaultKind.EMPTY, F.SERVER),
        (FaultKind.BROKEN_JSON, F.SERVER),
    ],
)
@STYLES
async def test_failed_count_is_classified_and_asked_once(
    style: dict[str, Any], kind: FaultKind, failure: ProviderFailure
) -> None:
    async with scripted() as (model, client):
        model.order_count_faults(Fault(kind=kind))
        with pytest.raises(ProviderError) as caught:
            await client.count_tokens(profile_of(base_url=model.base_url, **style), request_of())
    assert failure == caught.value.failure
    assert 1 == len(model.counts)


async def test_overflow_of_a_count_tells_the_real_window() -> None:
    async with scripted(window_tokens=5_000) as (model, client):
        model.order_count_faults(Fault(kind=FaultKind.OVERFLOW))
        with pytest.raises(ProviderError) as caught:
            await client.count_tokens(profile_of(base_url=model.base_url, **KIMI), request_of())
    assert 5_000 == caught.value.window_tokens


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        None,
        {"input_tokens": None},
        {"input_tokens": "12"},
        {"input_tokens": True},
        {"input_tokens": 0},
        {"input_tokens": -3},
        {"input_tokens": 1.5},
        {"data": {"total_tokens": 12}},
        b"<html>welcome</html>",
        b"",
        b"x" * 1_000_000,
    ],
)
async def test_answer_of_another_shape_says_so(body: object) -> None:
    error = await failure_of(response(body, **{"request-id": "req_1"}))
    assert (F.SERVER, "req_1") == (error.failure, error.request_id)
    assert str(error).startswith("the answer to a count has no positive input_tokens: ")
    assert len(str(error)) < 300


@pytest.mark.parametrize("body", [{"input_tokens": 12}, {"data": 12}, {"data": None}, {"total_tokens": 12}])
async def test_kimi_answer_of_another_shape_says_so(body: object) -> None:
    assert "no positive data.total_tokens" in str(await failure_of(response(body), KIMI))


async def test_redirect_of_a_count_is_not_followed() -> None:
    error = await failure_of(response({}, "307 Temporary Redirect", location="http://127.0.0.1:9/"))
    assert F.INVALID == error.failure


@pytest.mark.parametrize("status", ["401 Unauthorized", "200 OK"])
async def test_key_that_a_provider_quotes_is_taken_out_of_the_error_of_a_count(status: str) -> None:
    error = await failure_of(response({"error": {"message": f"bad key {KEY}!"}}, status))
    assert "bad key [key]!" in str(error)


@STYLES
async def test_count_carries_the_key_as_the_profile_says(style: dict[str, Any]) -> None:
    async with scripted() as (model, client):
        for auth in ("bearer", "x-api-key", "both"):
            await client.count_tokens(profile_of(base_url=model.base_url, auth=auth, **style), request_of())
        with pytest.raises(ProviderError) as caught:
            await client.count_tokens(profile_of(base_url=model.base_url, auth="none", **style), request_of())
    assert F.AUTH == caught.value.failure


async def test_silent_count_is_given_up_in_time_and_frees_its_slot() -> None:
    limiters = LimiterPool()

    async def silence(wire: Wire) -> None:
        await wire.hang_up.wait()

    async with loopback(silence) as address, client_of(limiters) as client:
        profile = profile_of(base_url=address, **MESSAGES)
        with pytest.raises(ProviderError, match=r"no count within 0\.1 s") as caught:
            await client.count_tokens(profile, request_of(), timeout_seconds=0.1)
    assert (F.INCOMPLETE, 0) == (caught.value.failure, limiters.of(profile).in_flight)


async def test_endless_answer_is_given_up_without_being_read() -> None:
    async def endless(wire: Wire) -> None:
        await wire.head(chunked=True)
        while not wire.hang_up.is_set():
            await wire.chunk(b" " * 1_000)
            await asyncio.sleep(0.001)

    assert F.SERVER == (await failure_of(endless)).failure


async def test_count_takes_a_place_in_the_account_but_reserves_no_tokens() -> None:
    """A request that used all tokens of the minute leaves room for counts, but not for another request."""
    limits = {"requests_per_minute": 3, "tokens_per_minute": 1_000}
    async with scripted() as (model, client):
        profile = profile_of(base_url=model.base_url, limits=limits, **MESSAGES)
        request = request_of(max_tokens=500, prompt_tokens_estimate=500)
        for _ in range(2):
            await client.count_tokens(profile, request, timeout_seconds=5)
        await client.complete(profile, request, ignore)
        with pytest.raises(ProviderError, match="left no room for a count") as caught:
            await client.count_tokens(profile, request, timeout_seconds=0.1)
    assert F.RATE_LIMITED == caught.value.failure
    assert (2, 1) == (len(model.counts), len(model.requests))


async def test_count_waits_for_a_pause_no_longer_than_its_time_limit() -> None:
    limiters = LimiterPool()
    async with ScriptedModel(SCRIPT) as model, client_of(limiters) as client:
        profile = profile_of(base_url=model.base_url, **MESSAGES)
        limiters.of(profile).pause(600)
        with pytest.raises(ProviderError) as caught:
            await asyncio.wait_for(client.count_tokens(profile, request_of()), 5)
    assert (F.RATE_LIMITED, []) == (caught.value.failure, model.counts)


async def test_refused_count_does_not_pause_the_account() -> None:
    async with scripted() as (model, client):
        profile = profile_of(base_url=model.base_url, **MESSAGES)
        model.order_count_faults(Fault(kind=FaultKind.RATE_LIMITED, retry_after_seconds=600))
        with pytest.raises(ProviderError) as caught:
            await client.count_tokens(profile, request_of())
        await client.complete(profile, request_of(), ignore, longest_pause_seconds=0)
    assert 600 == caught.value.retry_after_seconds


@STYLES
async def test_prompt_beyond_the_body_limit_is_not_sent_to_be_counted(style: dict[str, Any]) -> None:
    async with scripted() as (model, client):
        profile = profile_of(base_url=model.base_url, body_limit_bytes=1_000, **style)
        with pytest.raises(ProviderError) as caught:
            await client.count_tokens(profile, request_of(messages=conversation(5)))
    assert (F.TOO_LARGE, []) == (caught.value.failure, model.counts)


@STYLES
async def test_a_megabyte_is_counted_whole(style: dict[str, Any]) -> None:
    messages = conversation(400)
    size_bytes = sum(map(len, messages))
    assert size_bytes > 1_000_000
    async with scripted() as (model, client):
        counted = await client.count_tokens(profile_of(base_url=model.base_url, **style), request_of(messages=messages))
    assert counted == pytest.approx(size_bytes / 4, rel=0.1)


@pytest.mark.parametrize(
    ("fields", "named"),
    [({}, "count_tokens_path"), ({"count_tokens_path": ""}, "count_tokens_path"), ({"base_url": ""}, "base_url")],
)
async def test_profile_without_an_endpoint_is_refused(fields: dict[str, Any], named: str) -> None:
    async with client_of() as client:
        with pytest.raises(BadInput, match=rf"models\.test\.{named}"):
            await client.count_tokens(profile_of(**fields), request_of())


def test_counting_path_must_be_a_path() -> None:
    def checked(path: str) -> ModelProfile:
        return override(profile_of(count_tokens_path=path), model="m")

    assert "/v1/count" == checked("/v1/count").count_tokens_path
    assert "" == checked("").count_tokens_path
    with pytest.raises(BadInput, match="count_tokens_path: must start with /"):
        checked("https://elsewhere.example/count")
