"""Faults: of turns, by order, by exhausted quota, by seeded chaos; and a shutdown while streams are open."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest
from scripted_model_client import Client, read_stream, request, user

from longshift.adapters.scripted_model import (
    Chaos,
    Fault,
    FaultKind,
    Script,
    ScriptedCall,
    ScriptedModel,
    Turn,
)

Connect = Callable[[ScriptedModel], Client]

CALL = ScriptedCall(name="bash", input={"command": "ls -la"})


async def read_into(received: bytearray, response: httpx.Response) -> None:
    async for chunk in response.aiter_bytes():
        received += chunk


def failing(*faults: Fault, **fields: Any) -> Script:
    return Script(turns=(Turn(text="hello", calls=(CALL,), faults=faults, **fields),))


@pytest.mark.parametrize(
    ("kind", "status", "error"),
    [
        (FaultKind.RATE_LIMITED, 429, "rate_limit_reached_error"),
        (FaultKind.ENGINE_OVERLOADED, 429, "engine_overloaded_error"),
        (FaultKind.OVERLOADED, 529, "overloaded_error"),
        (FaultKind.QUOTA, 429, "exceeded_current_quota_error"),
        (FaultKind.SERVER_ERROR, 500, "server_error"),
        (FaultKind.UNAVAILABLE, 503, "server_unavailable"),
        (FaultKind.CONTENT_FILTER, 400, "content_filter"),
        (FaultKind.OVERFLOW, 400, "invalid_request_error"),
    ],
)
async def test_a_turn_fails_as_often_as_it_says_and_then_succeeds(
    connect: Connect, kind: FaultKind, status: int, error: str
) -> None:
    async with ScriptedModel(failing(Fault(kind=kind, times=2))) as model:
        client = connect(model)
        responses = [await client.post(request([user()])) for _ in range(3)]
    assert [response.status_code for response in responses] == [status, status, 200]
    assert error == responses[0].json()["error"]["type"]
    assert [record.fault for record in model.requests] == [kind, kind, ""]
    assert responses[0].headers["request-id"] == "req_00000001"


async def test_retry_after_is_sent_as_asked(connect: Connect) -> None:
    faults = [
        Fault(kind=FaultKind.RATE_LIMITED, retry_after_seconds=seconds, message="slow down")
        for seconds in (7, 0.5, None)
    ]
    async with ScriptedModel(failing(*faults)) as model:
        client = connect(model)
        responses = [await client.post(request([user()])) for _ in range(3)]
    assert [response.headers.get("retry-after") for response in responses] == ["7", "0.5", None]
    assert responses[0].json()["error"]["message"] == "slow down"


async def test_a_gateway_timeout_is_a_page_of_html(connect: Connect) -> None:
    async with ScriptedModel(failing(Fault(kind=FaultKind.GATEWAY_TIMEOUT))) as model:
        response = await connect(model).post(request([user()]))
    assert (response.status_code, response.headers["content-type"]) == (504, "text/html")
    assert "<h1>504 Gateway Time-out</h1>" in response.text


async def test_a_reset_comes_before_any_header(connect: Connect) -> None:
    async with ScriptedModel(failing(Fault(kind=FaultKind.RESET))) as model:
        client = connect(model)
        with pytest.raises(httpx.ReadError):
            await client.post(request([user()], stream=True))
        again = await client.stream([user()])
    assert again.stop_reason == "tool_use"
    assert model.requests[0].status == 0


@pytest.mark.parametrize("after_events", [0, 1, 4, 100])
async def test_a_cut_stream_ends_after_so_many_events(connect: Connect, after_events: int) -> None:
    fault = Fault(kind=FaultKind.CUT, after_events=after_events)
    async with ScriptedModel(failing(fault, chunk_characters=2)) as model:
        client = connect(model)
        received = bytearray()
        async with client.http.stream(
            "POST", f"{model.base_url}/v1/messages", content=orjson.dumps(request([user()], stream=True))
        ) as response:
            assert response.status_code == 200
            with pytest.raises(httpx.RemoteProtocolError):
                await read_into(received, response)
    kinds = read_stream(bytes(received)).kinds
    assert "message_stop" not in kinds
    assert after_events == 100 or len(kinds) == after_events
    assert not model.requests[0].is_complete


async def test_a_cut_answer_without_stream_is_shorter_than_it_says(connect: Connect) -> None:
    async with ScriptedModel(failing(Fault(kind=FaultKind.CUT))) as model:
        with pytest.raises(httpx.RemoteProtocolError):
            await connect(model).post(request([user()]))


async def test_an_error_can_come_inside_a_stream(connect: Connect) -> None:
    async with ScriptedModel(failing(Fault(kind=FaultKind.ERROR_EVENT, after_events=2))) as model:
        answer = await connect(model).stream([user()])
    assert answer.kinds == ["message_start", "ping", "error"]
    assert answer.events[-1]["error"]["type"] == "overloaded_error"


async def test_a_stream_can_end_without_its_last_event(connect: Connect) -> None:
    async with ScriptedModel(failing(Fault(kind=FaultKind.NO_END))) as model:
        answer = await connect(model).stream([user()])
    assert answer.kinds[-1] == "message_delta"


async def test_a_silent_stream_lasts_until_the_client_leaves(connect: Connect) -> None:
    async with ScriptedModel(failing(Fault(kind=FaultKind.SILENT, after_events=1))) as model:
        client = connect(model)
        body = orjson.dumps(request([user()], stream=True))
        async with client.http.stream("POST", f"{model.base_url}/v1/messages", content=body) as response:
            chunks = response.aiter_bytes()
            assert read_stream(await anext(chunks)).kinds == ["message_start"]
        again = await client.stream([user()])
    assert again.stop_reason == "tool_use"


async def test_pings_go_on_without_content(connect: Connect) -> None:
    fault = Fault(kind=FaultKind.ENDLESS_PINGS, after_events=0, seconds=0.001)
    async with ScriptedModel(failing(fault)) as model:
        body = orjson.dumps(request([user()], stream=True))
        received = b""
        async with connect(model).http.stream("POST", f"{model.base_url}/v1/messages", content=body) as response:
            async for chunk in response.aiter_bytes():
                received += chunk
                if received.count(b"event: ping") >= 5:
                    break
    assert {"ping"} == set(read_stream(received).kinds)


async def test_a_slow_stream_is_whole_in_the_end(connect: Connect) -> None:
    async with ScriptedModel(failing(Fault(kind=FaultKind.SLOW, seconds=0.001))) as model:
        answer = await connect(model).stream([user()])
    assert answer.content[0]["text"] == "hello"


async def test_content_faults_change_the_answer_and_nothing_else(connect: Connect) -> None:
    kinds = (FaultKind.EMPTY, FaultKind.REFUSAL, FaultKind.DAMAGED_JSON, FaultKind.BROKEN_JSON)
    async with ScriptedModel(failing(*(Fault(kind=kind) for kind in kinds))) as model:
        client = connect(model)
        empty, refused, damaged, broken = [await client.stream([user()]) for _ in kinds]
    assert (empty.content, empty.stop_reason) == ([], "end_turn")
    assert refused.stop_reason == "refusal"
    assert damaged.raw_inputs[1] == '```json\n{"command":"ls -la",}\n```'
    assert '{"command":"ls -la"}'.startswith(broken.raw_inputs[1])
    assert broken.stop_reason == "tool_use"


async def test_faults_are_counted_per_conversation(connect: Connect) -> None:
    async with ScriptedModel(failing(Fault(kind=FaultKind.SERVER_ERROR))) as model:
        client = connect(model)
        statuses = [
            (await client.post(request([user()], metadata={"user_id": user_id}))).status_code for user_id in "abab"
        ]
    assert statuses == [500, 500, 200, 200]


async def test_faults_can_be_ordered_for_the_next_requests(connect: Connect) -> None:
    async with ScriptedModel(failing()) as model:
        client = connect(model)
        model.order_faults(Fault(kind=FaultKind.OVERLOADED, times=2))
        ordered = await client.http.post(f"{model.base_url}/control/faults", json={"faults": [{"kind": "unavailable"}]})
        statuses = [(await client.post(request([user()]))).status_code for _ in range(4)]
        wrong = await client.http.post(f"{model.base_url}/control/faults", json={"faults": [{"kind": "x"}]})
    assert ordered.json() == {"ordered": 1}
    assert statuses == [529, 529, 503, 200]
    assert wrong.status_code == 422


async def test_quota_is_refused_for_a_number_of_requests_or_until_it_is_restored(connect: Connect) -> None:
    async with ScriptedModel(failing()) as model:
        client = connect(model)
        quota = f"{model.base_url}/control/quota"

        async def statuses(count: int) -> list[int]:
            return [(await client.post(request([user()]))).status_code for _ in range(count)]

        model.exhaust_quota(2)
        assert await statuses(3) == [429, 429, 200]
        await client.http.post(quota, json={"exhausted": True})
        assert await statuses(3) == [429, 429, 429]
        await client.http.post(quota, json={"exhausted": False})
        assert await statuses(1) == [200]


async def test_chaos_depends_on_the_seed_and_the_request_number_alone(connect: Connect) -> None:
    chaos = Chaos(seed=3, rates={FaultKind.SERVER_ERROR: 0.3, FaultKind.OVERLOADED: 0.3}, until_request=30)
    runs: list[list[str]] = []
    for _ in range(2):
        async with ScriptedModel(failing(), chaos=chaos) as model:
            client = connect(model)
            for _ in range(40):
                await client.post(request([user()]))
        runs.append([record.fault for record in model.requests])
    assert runs[0] == runs[1]
    assert set(runs[0][:30]) == {"", "server_error", "overloaded"}
    assert set(runs[0][30:]) == {""}


def test_a_storm_hits_about_the_share_that_was_asked_for() -> None:
    chaos = Chaos.storm(seed=1, share=0.3)
    faults = [chaos.fault_for(ordinal) for ordinal in range(1, 2_001)]
    kinds = Counter(fault.kind for fault in faults if fault)
    assert 500 < kinds.total() < 700
    assert len(kinds) == 11


async def test_chaotic_quota_refuses_several_requests_in_a_row(connect: Connect) -> None:
    chaos = Chaos(rates={FaultKind.QUOTA: 1.0}, quota_requests=3, until_request=1)
    async with ScriptedModel(failing(), chaos=chaos) as model:
        client = connect(model)
        statuses = [(await client.post(request([user()]))).status_code for _ in range(4)]
    assert statuses == [429, 429, 429, 200]


async def test_an_invalid_request_is_refused_even_in_a_storm(connect: Connect) -> None:
    async with ScriptedModel(failing(), chaos=Chaos(rates={FaultKind.SERVER_ERROR: 1.0})) as model:
        response = await connect(model).post(request([]))
    assert response.status_code == 400


async def test_shutdown_ends_streams_that_are_open(connect: Connect) -> None:
    async with ScriptedModel(failing(Fault(kind=FaultKind.SILENT, after_events=0, times=3))) as model:
        client = connect(model)
        posts = [asyncio.create_task(client.post(request([user()], stream=True))) for _ in range(3)]
        await model.wait_for_requests(3)
    outcomes = await asyncio.gather(*posts, return_exceptions=True)
    assert all(isinstance(outcome, httpx.TransportError) for outcome in outcomes)


async def test_shutdown_ends_a_watcher_that_waits(connect: Connect) -> None:
    async with ScriptedModel(failing()) as model:
        client = connect(model)
        watching = asyncio.create_task(client.http.get(f"{model.base_url}/control/requests?wait_for=5"))
        await client.post(request([user()]))
    with pytest.raises(httpx.TransportError):
        await watching


async def test_a_client_that_leaves_ends_a_delayed_answer(connect: Connect) -> None:
    async with ScriptedModel(failing(delay_seconds=3_600)) as model:
        client = connect(model)
        post = asyncio.create_task(client.post(request([user()])))
        await model.wait_for_requests(1)
        post.cancel()
        with pytest.raises(asyncio.CancelledError):
            await post
    assert model.requests[0].status == 0
