"""The bytes of a request: a stable prefix, joined messages, cache markers."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_wire import profile_of, request_of

from longshift.adapters.model.request import ModelRequest, request_body
from longshift.contracts.model import ModelProfile

EPHEMERAL = {"type": "ephemeral"}


def encoded_body(profile: ModelProfile, request: ModelRequest) -> bytes:
    return bytes(request_body(profile, request))


def body_of(profile: dict[str, Any] | None = None, **request: Any) -> dict[str, Any]:
    return json.loads(encoded_body(profile_of(**(profile or {})), request_of(**request)))


def test_body_holds_everything_that_was_asked_for() -> None:
    assert {
        "model": "test-model",
        "stream": True,
        "temperature": 1.0,
        "thinking": {"type": "enabled"},
        "system": "You are careful.",
        "tools": [{"name": "bash", "input_schema": {"type": "object"}}],
        "messages": [{"role": "user", "content": "go"}],
        "metadata": {"user_id": "task-1"},
        "max_tokens": 100,
    } == body_of({"sampling": {"temperature": 1.0}, "extra_body": {"thinking": {"type": "enabled"}}})


def test_empty_system_tools_and_user_are_left_out() -> None:
    assert {"model", "stream", "messages", "max_tokens"} == set(body_of(system="", tools=(), user_id=""))


def test_messages_are_joined_byte_for_byte() -> None:
    odd = b'{ "role":"user",  "content":"\\u00e4 \xc3\xa4 1e5"}'
    assert b'"messages":[' + odd + b"," + odd + b"]," in encoded_body(profile_of(), request_of(messages=(odd, odd)))


@pytest.mark.parametrize("cache", ["auto", "none", "top-level"])
def test_next_step_begins_with_the_bytes_of_this_one_whatever_varies(cache: str) -> None:
    profile = profile_of(cache=cache)
    first = (b'{"role":"user","content":"go"}',)
    more = (*first, b'{"role":"assistant","content":"ok"}', b'{"role":"user","content":"on"}')
    one = encoded_body(profile, request_of(messages=first, max_tokens=1, user_id="a"))
    two = encoded_body(profile, request_of(messages=more, max_tokens=2, user_id="b"))
    prefix = one[: one.index(first[0]) + len(first[0])]
    assert prefix == two[: len(prefix)]


def test_metadata_of_the_profile_is_kept_beside_the_user() -> None:
    assert {"team": "x", "user_id": "task-1"} == body_of({"extra_body": {"metadata": {"team": "x"}}})["metadata"]


def test_top_level_cache_is_one_field_after_the_messages() -> None:
    body = encoded_body(profile_of(cache="top-level"), request_of())
    assert EPHEMERAL == json.loads(body)["cache_control"]
    assert body.index(b'"messages"') < body.index(b'"cache_control"')


def spoken(role: str, *texts: str) -> bytes:
    return json.dumps({"role": role, "content": [{"type": "text", "text": text} for text in texts]}).encode()


def test_block_markers_are_on_system_last_tool_and_the_last_two_user_messages_only() -> None:
    messages = (
        spoken("user", "a", "b"),
        spoken("assistant", "c"),
        spoken("user", "d", "e"),
        spoken("assistant", "f"),
        spoken("user", "g", "h"),
    )
    tools = ({"name": "a"}, {"name": "b"})
    raw = encoded_body(profile_of(cache="blocks"), request_of(messages=messages, tools=tools))
    body = json.loads(raw)
    assert [{"type": "text", "text": "You are careful.", "cache_control": EPHEMERAL}] == body["system"]
    assert [{"name": "a"}, {"name": "b", "cache_control": EPHEMERAL}] == body["tools"]
    marked = [block["text"] for message in body["messages"] for block in message["content"] if "cache_control" in block]
    assert ["e", "h"] == marked
    assert 4 == raw.count(b"cache_control")
    assert all(message in raw for message in (*messages[:2], messages[3]))
    assert ({"name": "a"}, {"name": "b"}) == tools


def test_only_user_message_is_marked_once() -> None:
    assert 3 == encoded_body(profile_of(cache="blocks"), request_of()).count(b"cache_control")


def test_older_messages_and_answers_are_not_even_read() -> None:
    unread = (b'{"role":"user", no JSON', b'{"role":"assistant", no JSON')
    messages = (*unread * 3, spoken("user", "a"), unread[1], spoken("user", "b"))
    raw = encoded_body(profile_of(cache="blocks"), request_of(messages=messages))
    assert b",".join(messages[:6]) in raw
    assert 4 == raw.count(b"cache_control")


def test_marker_turns_a_plain_text_message_into_a_block() -> None:
    body = body_of({"cache": "blocks"})
    assert [{"type": "text", "text": "go", "cache_control": EPHEMERAL}] == body["messages"][0]["content"]


def test_marker_skips_an_empty_text_block() -> None:
    last = b'{"role":"user","content":[{"type":"tool_result","tool_use_id":"c"},{"type":"text","text":""}]}'
    blocks = body_of({"cache": "blocks"}, messages=(last,))["messages"][0]["content"]
    assert [True, False] == ["cache_control" in block for block in blocks]


@pytest.mark.parametrize("last", [b'{"role":"assistant","content":"par"}', b'{"role":"user","content":[]}'])
def test_message_that_can_carry_no_marker_is_left_alone(last: bytes) -> None:
    assert last in encoded_body(profile_of(cache="blocks"), request_of(messages=(last,)))


@given(st.lists(st.text(max_size=50), min_size=1, max_size=5), st.sampled_from(["auto", "blocks", "top-level"]))
def test_body_is_valid_json_with_every_message(texts: list[str], cache: str) -> None:
    messages = [json.dumps({"role": "user", "content": [{"type": "text", "text": text}]}).encode() for text in texts]
    body = body_of({"cache": cache}, messages=messages)
    assert texts == [message["content"][0]["text"] for message in body["messages"]]
