"""Which requests are refused, in which words; and what is recorded."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from scripted_model_client import Client, request, user

from longshift.adapters.scripted_model import Script, ScriptedModel, Turn
from longshift.adapters.scripted_model.prompt import common_prefix_bytes

Connect = Callable[[ScriptedModel], Client]

SCRIPT = Script(turns=(Turn(text="hello"),) * 9)


def use(call_id: str = "a", name: str = "bash", input: object = None) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": name, "input": {} if input is None else input}


def result(call_id: str = "a", content: object = "ok") -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call_id, "content": content}


def chat(*contents: object) -> list[dict[str, Any]]:
    return [{"role": ("user", "assistant")[index % 2], "content": content} for index, content in enumerate(contents)]


TEXT = {"type": "text", "text": "x"}


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([], "at least one message is required"),
        ([user(), user()], "roles must alternate"),
        ([{"role": "assistant", "content": "x"}], "roles must alternate"),
        (["x"], "roles must alternate"),
        (chat("x", "y"), "must end with a user message"),
        (chat("x", [], "z"), "the message at position 1 with role 'assistant' must not be empty"),
        (chat("x", "", "z"), "the message at position 1 with role 'assistant' must not be empty"),
        (chat(" "), "the message at position 0 with role 'user' must not be empty"),
        (chat([{"type": "text", "text": " "}]), "text content blocks must be non-empty"),
        (chat("x", [{"type": "text", "text": ""}], "z"), "text content blocks must be non-empty"),
        (chat("x", [use()], "z"), "must be followed by their results: messages.2 has none for a"),
        (chat("x", [use(), use("b")], [result()]), "messages.2 has none for b"),
        (chat("x", [use()], [TEXT, result()]), "tool_result blocks must come before other content"),
        (chat("x", [use()], [result(), result()]), "tool_call_id a is not found"),
        (chat([result()]), "tool_call_id a is not found"),
        (chat("x", [use()], [result()], [TEXT], [result()]), "tool_call_id a is not found"),
        (chat("x", [use(), use()], [result()]), "tool_use ids must be unique, a is not"),
        (chat("x", [use()], [result()], [use()], [result()]), "tool_use ids must be unique, a is not"),
        (chat("x", [use("")], [result("")]), "a tool_use has no valid id"),
        (chat("x", [use(name="a b")], [result()]), "is not a valid function name"),
        (chat("x", [use(input="{")], [result()]), "the input of a must be an object"),
        (chat("x", [use()], [result(content=5)]), "must be a string or a list of blocks"),
        (chat("x", [{"type": "tool_result"}], "z"), "unsupported content type 'tool_result'"),
        (chat([use()]), "unsupported content type 'tool_use'"),
        (chat(["x"]), "unsupported content type None"),
    ],
)
async def test_a_conversation_that_strict_providers_refuse_is_refused(
    connect: Connect, messages: list[Any], words: str
) -> None:
    async with ScriptedModel(SCRIPT) as model:
        response = await connect(model).post(request(messages))
    assert response.status_code == 400
    body = response.json()
    assert ("error", "invalid_request_error") == (body["type"], body["error"]["type"])
    assert words in body["error"]["message"]
    assert model.requests[0].status == 400


BAD_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"model": ""}, "model: field required"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": None}, "max_tokens"),
    ({"temperature": 0.5}, "invalid temperature: only 1 is allowed for this model"),
    ({"system": 5}, "system: must be a string"),
    ({"tools": {}}, "tools: must be a list"),
    ({"tools": ["x"]}, "tools.0: must be an object"),
    ({"tools": [{"name": "1"}]}, "tools.0.name"),
    ({"tools": [{"name": "a", "input_schema": {}}]}, "tools.0.input_schema: must be"),
    ({"tools": [{"name": "a", "input_schema": {"type": "object"}}] * 2}, "function name a is duplicated"),
    (
        {"tools": [{"name": "a", "input_schema": {"type": "object", "description": "x" * 15_000}}]},
        "larger than 15000 bytes",
    ),
]


@pytest.mark.parametrize(("fields", "words"), BAD_FIELDS)
async def test_fields_that_strict_providers_refuse_are_refused(
    connect: Connect, fields: dict[str, Any], words: str
) -> None:
    async with ScriptedModel(SCRIPT) as model:
        response = await connect(model).post(request([user()], **fields))
    assert response.status_code == 400
    assert words in response.json()["error"]["message"]


async def test_a_valid_conversation_with_parallel_calls_is_accepted(connect: Connect) -> None:
    messages = chat(
        "x", [{"type": "thinking", "thinking": "t"}, use(), use("b")], [result("b"), result(content=[TEXT]), TEXT]
    )
    async with ScriptedModel(SCRIPT) as model:
        response = await connect(model).post(request(messages, system=[TEXT], temperature=1))
    assert response.status_code == 200


async def test_a_prompt_beyond_the_window_is_refused_with_the_numbers(connect: Connect) -> None:
    async with ScriptedModel(SCRIPT, window_tokens=2_000) as model:
        client = connect(model)
        fits = await client.post(request([user()], max_tokens=1_900))
        too_much = await client.post(request([user("x" * 4_000)], max_tokens=1_000))
    assert fits.status_code == 200
    requested = model.requests[1].prompt_tokens + 1_000
    assert too_much.status_code == 400
    assert (
        f"Your request exceeded model token limit: 2000 (requested: {requested})" in too_much.json()["error"]["message"]
    )


async def test_a_body_beyond_the_limit_is_refused(connect: Connect) -> None:
    async with ScriptedModel(SCRIPT, body_limit_bytes=1_000) as model:
        client = connect(model)
        large = await client.post(request([user("x" * 200_000)]))
        small = await client.post(request([user()]))
    assert (large.status_code, small.status_code) == (413, 200)


async def test_a_key_is_demanded_in_either_header(connect: Connect) -> None:
    async with ScriptedModel(SCRIPT, key="secret-1") as model:
        client = connect(model)
        statuses = [
            (await client.post(request([user()]), headers=headers)).status_code
            for headers in (
                {},
                {"authorization": "Bearer wrong"},
                {"authorization": "Bearer secret-1"},
                {"x-api-key": "secret-1"},
            )
        ]
        models = await client.http.get(f"{model.base_url}/v1/models")
        shown = (await client.http.get(f"{model.base_url}/control/requests")).text
    assert statuses == [401, 401, 200, 200]
    assert models.status_code == 401
    assert "secret-1" not in shown
    assert "secret-1" not in repr(model.requests)


async def test_an_unknown_model_is_not_found(connect: Connect) -> None:
    async with ScriptedModel(SCRIPT, models=["kimi"], error_style="bare") as model:
        client = connect(model)
        known = await client.post(request([user()]))
        unknown = await client.post(request([user()], model="other"))
    assert known.status_code == 200
    assert unknown.status_code == 404
    assert unknown.json()["error"]["type"] == "resource_not_found_error"
    assert "type" not in unknown.json()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff"])
async def test_a_body_that_is_no_request_is_refused(connect: Connect, body: bytes) -> None:
    async with ScriptedModel(SCRIPT) as model:
        response = await connect(model).http.post(f"{model.base_url}/v1/messages", content=body)
    assert response.status_code == 400


async def test_dropped_thinking_is_refused_where_thinking_is_required(connect: Connect) -> None:
    async with ScriptedModel(SCRIPT, require_thinking=True) as model:
        client = connect(model)
        answer = await client.stream([user()])
        dropped = await client.post(request(chat("x", [use()], [result()])))
        kept = await client.post(request(chat("x", [answer.content[0], use()], [result()])))
    assert answer.content[0]["type"] == "thinking"
    assert dropped.status_code == 400
    assert "reasoning_content is missing in assistant tool call message at index 1" in dropped.text
    assert kept.status_code == 200


async def test_requests_are_recorded_and_can_be_waited_for(connect: Connect) -> None:
    async with ScriptedModel(SCRIPT, keep_bodies=True) as model:
        client = connect(model)
        waiting = asyncio.create_task(model.wait_for_requests(2))
        for text in ("one", "two"):
            await client.post(request([user(text)], metadata={"user_id": text}))
        records = await waiting
    assert [record.user_id for record in records] == ["one", "two"]
    assert [record.ordinal for record in records] == [1, 2]
    assert records[0].received_monotonic_seconds <= records[1].received_monotonic_seconds
    assert b"one" in (records[0].body or b"")
    assert model.last_body == records[1].body
    assert all(record.is_complete and record.status == 200 for record in records)


async def test_only_the_last_body_is_kept_by_default(connect: Connect) -> None:
    async with ScriptedModel(SCRIPT) as model:
        await connect(model).post(request([user("one")]))
    assert model.requests[0].body is None
    assert b"one" in model.last_body


async def test_other_processes_can_watch_and_reset_the_recording(connect: Connect) -> None:
    async with ScriptedModel(SCRIPT) as model:
        client = connect(model)
        watching = asyncio.create_task(
            client.http.get(f"{model.base_url}/control/requests", params={"wait_for": 2, "since": 2})
        )
        for _ in range(2):
            await client.post(request([user()]))
        watched = (await watching).json()
        body = (await client.http.get(f"{model.base_url}/control/last-body")).json()
        await client.http.post(f"{model.base_url}/control/reset")
    assert (watched["count"], [record["ordinal"] for record in watched["requests"]]) == (2, [2])
    assert body == request([user()])
    assert model.requests == []


@pytest.mark.parametrize(
    ("first", "second", "shared"),
    [(b"", b"abc", 0), (b"abc", b"abcd", 3), (b"abcd", b"abXd", 2), (b"abc", b"ab", 2), (b"xbc", b"abc", 0)],
)
def test_the_common_prefix_is_measured_in_bytes(first: bytes, second: bytes, shared: int) -> None:
    assert shared == common_prefix_bytes(first, second)
