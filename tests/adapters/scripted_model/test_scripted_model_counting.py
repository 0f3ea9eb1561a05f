"""The counting endpoints: what they count, refuse, record, and how they fail on order."""

from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest
from scripted_model_client import Client, request, user

from longshift.adapters.scripted_model import Chaos, Fault, FaultKind, Script, ScriptedModel, Turn

Connect = Callable[[ScriptedModel], Client]

SCRIPT = Script(turns=(Turn(text="hello"),) * 9)
COUNT = "/v1/messages/count_tokens"
ESTIMATE = "/v1/tokenizers/estimate-token-count"
STYLES = [
    (COUNT, {"model": "kimi", "messages": [user()]}),
    (ESTIMATE, {"model": "kimi", "messages": [{"role": "user", "content": "go"}]}),
]
MARKER = {"cache_control": {"type": "ephemeral"}}


def marked(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text, **MARKER}


async def test_a_count_is_what_the_requests_usage_adds_up_to(connect: Connect) -> None:
    tools = [{"name": "bash", "input_schema": {"type": "object"}}]
    prompt: dict[str, Any] = {"system": "Be careful.", "tools": tools}
    async with ScriptedModel(SCRIPT) as model:
        client = connect(model)
        await client.stream([user("x" * 500)], **prompt)
        counted = await client.post({"model": "kimi", "messages": [user("x" * 500)], **prompt}, path=COUNT)
    assert counted.json() == {"input_tokens": model.requests[0].prompt_tokens}
    assert model.counts[0].prompt_tokens == model.requests[0].prompt_tokens


async def test_cache_markers_are_neither_counted_nor_part_of_what_is_cached(connect: Connect) -> None:
    plain = [user("x" * 400), {"role": "assistant", "content": [{"type": "text", "text": "y"}]}, user("z" * 40)]
    first = [{"role": "user", "content": [marked("x" * 400)]}]
    async with ScriptedModel(SCRIPT) as model:
        client = connect(model)
        counts = [
            (await client.post({"model": "kimi", "messages": messages}, path=COUNT)).json()["input_tokens"]
            for messages in (first, plain[:1])
        ]
        before = await client.stream(first, metadata={"user_id": "a"})
        after = await client.stream(plain, metadata={"user_id": "a"})
    assert counts[0] == counts[1] == before.usage["input_tokens"]
    # a size is rounded up, what is cached of it down
    assert after.usage["cache_read_input_tokens"] == before.usage["input_tokens"] - 1


async def test_more_than_four_markers_are_refused(connect: Connect) -> None:
    content = [marked(str(index)) for index in range(3)]
    async with ScriptedModel(SCRIPT) as model:
        client = connect(model)
        four = await client.post(request([{"role": "user", "content": content}], system=[marked("s")]))
        five = await client.post(request([{"role": "user", "content": content}], system=[marked("s")], **MARKER))
    assert (200, 400) == (four.status_code, five.status_code)
    assert "A maximum of 4 blocks with cache_control may be provided. Found 5." == five.json()["error"]["message"]


async def test_an_estimate_follows_the_same_rule_and_is_wrapped_in_data(connect: Connect) -> None:
    messages = [{"role": "system", "content": "s" * 100}, {"role": "user", "content": [{"type": "text", "text": "go"}]}]
    async with ScriptedModel(SCRIPT, models=["kimi"]) as model:
        answer = await connect(model).post({"model": "kimi", "messages": messages}, path=ESTIMATE)
    tokens = -(-len(orjson.dumps(messages)) // 4)
    assert {"total_tokens": tokens} == answer.json()["data"]
    assert tokens == model.counts[0].prompt_tokens


@pytest.mark.parametrize(
    ("path", "fields", "words"),
    [
        (COUNT, {"max_tokens": 5}, "max_tokens: Extra inputs are not permitted"),
        (COUNT, {"stream": True}, "stream: Extra inputs are not permitted"),
        (COUNT, {"messages": [user(), user()]}, "roles must alternate"),
        (COUNT, {"model": ""}, "model: field required"),
        (ESTIMATE, {"model": ""}, "model: field required"),
        (ESTIMATE, {"messages": []}, "at least one message is required"),
        (ESTIMATE, {"messages": [{"role": "tool", "content": "x"}]}, "'tool' is none of system, user, assistant"),
        (ESTIMATE, {"messages": ["x"]}, "None is none of"),
        (ESTIMATE, {"messages": [{"role": "user", "content": " "}]}, "must not be empty"),
        (ESTIMATE, {"messages": [{"role": "assistant", "content": None}]}, "must not be empty"),
        (ESTIMATE, {"messages": [{"role": "user", "content": [{"type": "tool_result"}]}]}, "must not be empty"),
    ],
)
async def test_what_strict_providers_do_not_count_is_refused(
    connect: Connect, path: str, fields: dict[str, Any], words: str
) -> None:
    async with ScriptedModel(SCRIPT) as model:
        answer = await connect(model).post({"model": "kimi", "messages": [user()], **fields}, path=path)
    assert 400 == answer.status_code
    assert words in answer.json()["error"]["message"]
    assert 400 == model.counts[0].status


@pytest.mark.parametrize(("path", "body"), STYLES)
async def test_key_model_and_size_are_checked_as_for_messages(
    connect: Connect, path: str, body: dict[str, Any]
) -> None:
    async with ScriptedModel(SCRIPT, key="k", models=["kimi"], body_limit_bytes=200) as model:
        client = connect(model)
        headers = {"authorization": "Bearer k"}
        statuses = [
            (await client.post(body, path=path)).status_code,
            (await client.post({**body, "model": "other"}, path=path, headers=headers)).status_code,
            (await client.post({**body, "system": "x" * 300}, path=path, headers=headers)).status_code,
            (await client.post(body, path=path, headers=headers)).status_code,
        ]
        method = await client.http.get(model.base_url + path)
    assert [401, 404, 413, 200, 405] == [*statuses, method.status_code]


@pytest.mark.parametrize(("path", "body"), STYLES)
async def test_ordered_faults_meet_counts_in_order_and_leave_messages_alone(
    connect: Connect, path: str, body: dict[str, Any]
) -> None:
    async with ScriptedModel(SCRIPT) as model:
        client = connect(model)
        model.order_count_faults(
            Fault(kind=FaultKind.OVERLOADED, retry_after_seconds=7), Fault(kind=FaultKind.EMPTY, times=2)
        )
        await client.stream([user()])
        answers = [await client.post(body, path=path) for _ in range(4)]
    assert [529, 200, 200, 200] == [answer.status_code for answer in answers]
    assert "7" == answers[0].headers["retry-after"]
    assert [{}, {}] == [answer.json() for answer in answers[1:3]]
    assert {} != answers[3].json()
    assert ["overloaded", "empty", "empty", ""] == [record.fault for record in model.counts]
    assert 1 == len(model.requests)


@pytest.mark.parametrize("kind", [FaultKind.RESET, FaultKind.CUT])
async def test_a_broken_connection_ends_a_count(connect: Connect, kind: FaultKind) -> None:
    async with ScriptedModel(SCRIPT) as model:
        model.order_count_faults(Fault(kind=kind))
        with pytest.raises(httpx.TransportError):
            await connect(model).post(STYLES[0][1], path=COUNT)
    assert not model.counts[0].is_complete


async def test_counts_move_neither_script_nor_chaos_nor_quota(connect: Connect) -> None:
    """The first request fails for quota, the second by chaos; a hundred counts before them change nothing of that."""
    chaos = Chaos(rates={FaultKind.SERVER_ERROR: 1.0}, until_request=2)
    async with ScriptedModel(SCRIPT, chaos=chaos) as model:
        client = connect(model)
        model.exhaust_quota(1)
        counts = [await client.post(STYLES[0][1], path=COUNT) for _ in range(100)]
        statuses = [(await client.post(request([user()]))).status_code for _ in range(3)]
    assert {200} == {answer.status_code for answer in counts}
    assert [429, 500, 200] == statuses


async def test_another_process_orders_faults_for_counts_and_sees_them(connect: Connect) -> None:
    async with ScriptedModel(SCRIPT) as model:
        client = connect(model)
        order = {"faults": [{"kind": "unavailable"}], "counting": True}
        await client.post(order, path="/control/faults")
        refused = await client.post(STYLES[1][1], path=ESTIMATE)
        seen = (await client.http.get(model.base_url + "/control/counts")).json()
        await client.post({}, path="/control/reset")
        forgotten = (await client.http.get(model.base_url + "/control/counts")).json()
    assert 503 == refused.status_code
    assert (1, "unavailable", ESTIMATE) == (seen["count"], seen["requests"][0]["fault"], seen["requests"][0]["path"])
    assert {"count": 0, "requests": []} == forgotten


async def test_counts_are_served_again_after_stop_and_start(connect: Connect) -> None:
    async with ScriptedModel(SCRIPT) as model:
        await model.stop()
        await model.start()
        answer = await connect(model).post(STYLES[0][1], path=COUNT)
    assert 200 == answer.status_code
