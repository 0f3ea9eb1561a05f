"""Answers put together from streams and documents."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_wire import call_block, ended, event, hello, profile_of, started, text_block

from longshift.adapters.model.assembly import Assembly
from longshift.adapters.model.failures import classify
from longshift.adapters.model.reading import ANSWER_LIMIT_BYTES, AnswerReader
from longshift.contracts.errors import ProviderError, ProviderFailure
from longshift.contracts.model import Usage


def read(*chunks: bytes) -> Assembly:
    reader = AnswerReader(lambda data: classify(200, {}, data, profile_of()))
    for chunk in chunks:
        reader.feed(chunk)
    reader.finish()
    return reader.assembly


def content(*chunks: bytes) -> tuple[dict[str, Any], ...]:
    return read(*chunks).content()[0]


def failure(*chunks: bytes) -> ProviderFailure:
    with pytest.raises(ProviderError) as caught:
        read(*chunks).content()
    return caught.value.failure


def delta(index: int, **fields: Any) -> bytes:
    return event("content_block_delta", index=index, delta=fields)


def test_text_is_joined_and_stop_reason_and_model_are_kept() -> None:
    answer = read(hello())
    assert ({"type": "text", "text": "Hello"},) == answer.content()[0]
    assert ("end_turn", "test-model", 5) == (answer.stop_reason, answer.model, answer.characters)


def test_thinking_keeps_its_signature() -> None:
    stream = b"".join(
        (
            started(),
            event("content_block_start", index=0, content_block={"type": "thinking", "thinking": "", "signature": ""}),
            delta(0, type="thinking_delta", thinking="Let me "),
            delta(0, type="thinking_delta", thinking="see."),
            delta(0, type="signature_delta", signature="c2ln"),
            event("content_block_stop", index=0),
            text_block(1, "Done"),
            ended(),
        )
    )
    assert (
        {"type": "thinking", "thinking": "Let me see.", "signature": "c2ln"},
        {"type": "text", "text": "Done"},
    ) == content(stream)


def test_thinking_without_a_signature_gets_none() -> None:
    start = event("content_block_start", index=0, content_block={"type": "thinking", "thinking": ""})
    stream = started() + start + delta(0, type="thinking_delta", thinking="Hm") + ended()
    assert ({"type": "thinking", "thinking": "Hm"},) == content(stream)


def test_redacted_thinking_and_unknown_blocks_are_kept_as_they_came() -> None:
    redacted = {"type": "redacted_thinking", "data": "abc="}
    novel = {"type": "novel", "depth": 3, "note": "a"}
    stream = b"".join(
        (
            started(),
            event("content_block_start", index=0, content_block=redacted),
            event("content_block_start", index=1, content_block=novel),
            delta(1, type="novel_delta", note="bc", extra={"k": 1}),
            ended(),
        )
    )
    assert (redacted, {**novel, "note": "abc", "extra": {"k": 1}}) == content(stream)


def test_citations_are_collected() -> None:
    start = event("content_block_start", index=0, content_block={"type": "text", "text": "", "citations": None})
    stream = started() + start + delta(0, type="text_delta", text="x")
    stream += delta(0, type="citations_delta", citation={"n": 1}) + delta(0, type="citations_delta", citation={"n": 2})
    assert ({"type": "text", "text": "x", "citations": [{"n": 1}, {"n": 2}]},) == content(stream + ended())


def test_parallel_calls_with_interleaved_deltas_keep_their_own_arguments() -> None:
    def start(index: int, call_id: str) -> bytes:
        block: dict[str, Any] = {"type": "tool_use", "id": call_id, "name": "bash", "input": {}}
        return event("content_block_start", index=index, content_block=block)

    stream = started() + text_block(0, "Both") + start(1, "functions.bash:0") + start(2, "functions.bash:1")
    for index, piece in ((1, '{"command"'), (2, '{"command":'), (1, ':"ls"}'), (2, '"pwd"}')):
        stream += delta(index, type="input_json_delta", partial_json=piece)
    blocks, raw = read(stream + ended("tool_use")).content()
    assert [{"command": "ls"}, {"command": "pwd"}] == [block["input"] for block in blocks[1:]]
    assert ["functions.bash:0", "functions.bash:1"] == [block["id"] for block in blocks[1:]]
    assert {1: '{"command":"ls"}', 2: '{"command":"pwd"}'} == raw


@pytest.mark.parametrize("raw", ['{"command": "ls"', '["ls"]', '"ls"', "null", '{"a": NaN}', "[" * 100_000])
def test_arguments_that_are_no_object_become_empty_and_stay_readable_raw(raw: str) -> None:
    blocks, raws = read(started() + call_block(0, "c1", "bash", raw) + ended("tool_use")).content()
    assert ({}, {0: raw}) == (blocks[0]["input"], raws)


def test_call_without_arguments_has_an_empty_object() -> None:
    blocks, raws = read(started() + call_block(0, "c1", "bash") + ended("tool_use")).content()
    assert ({}, {0: "{}"}) == (blocks[0]["input"], raws)


def test_arguments_given_with_the_start_are_used() -> None:
    block = {"type": "tool_use", "id": "c1", "name": "bash", "input": {"command": "ls"}}
    start = event("content_block_start", index=0, content_block=block)
    blocks, raws = read(started() + start + ended("tool_use")).content()
    assert {"command": "ls"} == blocks[0]["input"]
    assert {"command": "ls"} == json.loads(raws[0])


def test_integers_beyond_64_bits_survive() -> None:
    number = 123456789012345678901234567890
    assert {"n": number} == content(started() + call_block(0, "c", "t", f'{{"n":{number}}}') + ended())[0]["input"]


@pytest.mark.parametrize("depth", [100, 600, 900, 5_000])
def test_deep_arguments_stay_readable_raw(depth: int) -> None:
    deep = f'{{"a":{"[" * depth}{"]" * depth}}}'
    assert {0: deep} == read(started() + call_block(0, "c", "t", deep) + ended("tool_use")).content()[1]


def test_deep_arguments_given_with_the_start_are_an_answer() -> None:
    deep: list[Any] = []
    for _ in range(900):
        deep = [deep]
    block = {"type": "tool_use", "id": "c", "name": "t", "input": {"a": deep}}
    begin = event("content_block_start", index=0, content_block=block)
    assert "c" == content(started() + begin + ended("tool_use"))[0]["id"]


def test_surrogate_pair_split_over_two_deltas_is_one_character() -> None:
    stream = started() + b"".join(
        (
            event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
            b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\\ud83d"}}\n\n',
            b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\\ude00"}}\n\n',
        )
    )
    assert "😀" == content(stream + ended())[0]["text"]


def test_lone_surrogates_are_replaced_so_that_every_store_takes_the_answer() -> None:
    stream = started() + call_block(0, "c", "t", '{"a":"x\\ud83d"}') + ended()
    block = content(stream)[0]
    assert {"a": "x�"} == block["input"]


def test_usage_of_the_end_replaces_that_of_the_start() -> None:
    stream = started(input_tokens=1_000, output_tokens=1) + text_block(0, "x")
    stream += ended(input_tokens=100, cache_read_input_tokens=900, cache_creation_input_tokens=7, output_tokens=42)
    assert Usage(input_tokens=100, cached_tokens=900, cache_write_tokens=7, output_tokens=42) == read(stream).usage


def test_usage_of_the_end_without_prompt_tokens_keeps_those_of_the_start() -> None:
    stream = started(input_tokens=10, cache_read_input_tokens=90) + text_block(0, "x")
    stream += ended(input_tokens=0, cache_read_input_tokens=0, output_tokens=42)
    assert Usage(input_tokens=10, cached_tokens=90, output_tokens=42) == read(stream).usage


def test_repeated_usage_reports_are_not_added_up() -> None:
    stream = started(input_tokens=10) + text_block(0, "x")
    stream += event("message_delta", delta={}, usage={"output_tokens": 3}) + ended(output_tokens=5)
    assert Usage(input_tokens=10, output_tokens=5) == read(stream).usage


def test_unknown_events_pings_and_done_markers_are_ignored() -> None:
    noise = event("ping") + event("novel_event", x=1) + b"event: keepalive\ndata: still here\n\ndata: [DONE]\n\n"
    assert ({"type": "text", "text": "ok"},) == content(
        noise + started() + noise + text_block(0, "ok") + noise + ended() + noise
    )


def test_event_name_stands_in_for_a_missing_type() -> None:
    stream = started() + text_block(0, "x") + event("message_delta", delta={"stop_reason": "end_turn"})
    assert read(stream + b"event: message_stop\ndata: {}\n\n").complete


def test_index_used_again_for_the_next_block_loses_nothing() -> None:
    assert ({"type": "text", "text": "a"}, {"type": "text", "text": "b"}) == content(
        started() + text_block(0, "a") + text_block(0, "b") + ended()
    )


def test_text_delta_without_a_start_begins_a_block() -> None:
    assert ({"type": "text", "text": "x"},) == content(started() + delta(0, type="text_delta", text="x") + ended())


def test_arguments_without_a_start_cannot_be_read() -> None:
    stream = started() + delta(0, type="input_json_delta", partial_json="{}") + ended()
    assert ProviderFailure.INCOMPLETE == failure(stream)


def test_stream_without_its_terminal_event_is_incomplete() -> None:
    assert ProviderFailure.INCOMPLETE == failure(hello().removesuffix(event("message_stop")))


@given(st.integers(0, len(hello()) - len(event("message_stop"))))
def test_no_prefix_of_a_stream_is_ever_an_answer(length: int) -> None:
    assert ProviderFailure.INCOMPLETE == failure(hello()[:length])


@pytest.mark.parametrize(
    "line", [b'data: {"type": "content_block_delta", "ind\n\n', b"data: \xff\xfe\n\n", b"data: 7\n\n"]
)
def test_event_that_is_no_json_object_is_incomplete(line: bytes) -> None:
    assert ProviderFailure.INCOMPLETE == failure(started() + line + ended())


def test_error_event_after_status_200_is_classified() -> None:
    error = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    assert ProviderFailure.OVERLOADED == failure(started() + text_block(0, "x") + error)


def test_error_event_without_json_is_the_servers() -> None:
    assert ProviderFailure.SERVER == failure(started() + b"event: error\ndata: upstream hung up\n\n")


def test_answer_without_blocks_is_incomplete() -> None:
    assert ProviderFailure.INCOMPLETE == failure(started() + ended())


@pytest.mark.parametrize("text", ["(Empty response: no content)", "  (Empty response: x)", "", " \n"])
def test_placeholder_and_blank_text_are_no_answer(text: str) -> None:
    assert ProviderFailure.INCOMPLETE == failure(started() + text_block(0, text) + ended())


def test_placeholder_after_thinking_is_no_answer() -> None:
    thinking = event("content_block_start", index=0, content_block={"type": "thinking", "thinking": "Well."})
    assert ProviderFailure.INCOMPLETE == failure(started() + thinking + text_block(1, "(Empty response: {})") + ended())


@pytest.mark.parametrize(
    "odd",
    [
        b'data: {"type":"message_start","message":{"content":5}}\n\n',
        b'data: {"type":"message_delta","usage":{"output_tokens":1e999}}\n\n',
        b'data: {"type":"message_delta","usage":{"output_tokens":NaN}}\n\n',
        b'data: {"type":"message_delta","usage":{"output_tokens":1000000000000000000000}}\n\n',
        b'data: {"type":"message_delta","usage":{"output_tokens":-7}}\n\n',
        b'data: {"type":"content_block_start","index":9,"content_block":{"type":"text","text":" ","citations":5}}\n\n'
        b'data: {"type":"content_block_delta","index":9,"delta":{"citation":{}}}\n\n',
    ],
)
def test_odd_values_where_lists_and_numbers_belong_do_not_matter(odd: bytes) -> None:
    answer = read(odd + text_block(0, "hi") + ended())
    assert (({"type": "text", "text": "hi"},), 0) == (answer.content()[0], answer.usage.output_tokens)


def test_half_a_character_in_a_name_is_mended_and_a_long_name_is_cut() -> None:
    answer = read(started(model="m\ud800") + text_block(0, "hi") + ended("\ud800" + "x" * 1_000))
    assert "m\ufffd" == answer.model
    assert "\ufffd" + "x" * 199 == answer.stop_reason


def test_a_block_whose_type_is_no_text_is_kept_as_it_came() -> None:
    odd = event("content_block_start", index=0, content_block={"type": ["text"]})
    assert ({"type": ["text"]}, {"type": "text", "text": "hi"}) == content(odd + text_block(1, "hi") + ended())


def test_blank_text_beside_a_call_is_left_out() -> None:
    blocks, raws = read(started() + text_block(0, "\n") + call_block(1, "c", "t", "{}") + ended("tool_use")).content()
    assert ["tool_use"] == [block["type"] for block in blocks]
    assert {0: "{}"} == raws


def test_refusal_without_blocks_is_an_answer() -> None:
    answer = read(started() + ended("refusal"))
    assert (((), {}), "refusal") == (answer.content(), answer.stop_reason)


def test_full_window_without_blocks_is_an_overflow() -> None:
    assert ProviderFailure.OVERFLOW == failure(started() + ended("model_context_window_exceeded"))


def test_unknown_stop_reason_is_kept() -> None:
    assert "novel_reason" == read(started() + text_block(0, "x") + ended("novel_reason")).stop_reason


def test_missing_stop_reason_follows_from_the_blocks() -> None:
    call = read(started() + call_block(0, "c", "t", "{}") + ended(None))
    call.content()
    text = read(started() + text_block(0, "x") + ended(None))
    text.content()
    assert ("tool_use", "end_turn") == (call.stop_reason, text.stop_reason)


MESSAGE = {
    "type": "message",
    "model": "m",
    "content": [
        {"type": "text", "text": "hi"},
        {"type": "tool_use", "id": "c", "name": "t", "input": {"a": 1}},
    ],
    "stop_reason": "tool_use",
    "usage": {"input_tokens": 3, "output_tokens": 4},
}


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_message_as_one_json_document_is_an_answer(size: int) -> None:
    body = b"\n\n " + json.dumps(MESSAGE).encode()
    answer = read(*(body[i : i + size] for i in range(0, len(body), size)))
    blocks, raws = answer.content()
    assert MESSAGE["content"] == list(blocks)
    assert {1: '{"a": 1}'} == raws
    assert Usage(input_tokens=3, output_tokens=4) == answer.usage


def test_cut_json_document_is_incomplete() -> None:
    assert ProviderFailure.INCOMPLETE == failure(json.dumps(MESSAGE).encode()[:-5])


def test_error_document_with_status_200_is_classified() -> None:
    assert ProviderFailure.QUOTA == failure(b'{"error":{"type":"exceeded_current_quota_error","message":"no money"}}')


@pytest.mark.parametrize("body", [b"<html><title>Gateway</title></html>", b'{"choices":[]}'])
def test_other_documents_are_the_servers_fault(body: bytes) -> None:
    assert ProviderFailure.SERVER == failure(body)


def test_only_content_counts_as_progress() -> None:
    reader = AnswerReader(lambda data: classify(200, {}, data, profile_of()))
    empty = delta(0, type="text_delta", text="")
    noise = (b": x\n\n", b"\n", event("ping"), event("novel"), b": y\n")
    assert [False] * 5 == [reader.feed(chunk) for chunk in noise]
    assert [True, True, False, True] == [
        reader.feed(chunk) for chunk in (started(), text_block(0, "x"), empty, delta(0, type="text_delta", text="y"))
    ]


def test_endless_answer_is_cut_off() -> None:
    reader = AnswerReader(lambda data: classify(200, {}, data, profile_of()))
    comment = b":" + b"x" * 7_999_998 + b"\n"
    for _ in range(ANSWER_LIMIT_BYTES // len(comment)):
        reader.feed(comment)
    with pytest.raises(ProviderError) as caught:
        reader.feed(comment)
    assert ProviderFailure.SERVER == caught.value.failure


def test_a_megabyte_of_arguments_in_small_pieces_arrives_whole() -> None:
    raw = json.dumps({"content": "0123456789" * 100_000})
    stream = started() + call_block(0, "c", "t", *(raw[i : i + 20] for i in range(0, len(raw), 20))) + ended()
    _, raws = read(*(stream[i : i + 1_000] for i in range(0, len(stream), 1_000))).content()
    assert raw == raws[0]
