"""The event parser: any cut of the bytes gives the same events."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_wire import hello

from longshift.adapters.model.stream import EventParser, ServerEvent


def parsed(*chunks: bytes) -> list[ServerEvent]:
    parser = EventParser()
    events = [event for chunk in chunks for event in parser.feed(chunk)]
    return [*events, *parser.finish()]


def test_event_has_its_name_and_data() -> None:
    assert [ServerEvent("a", b"1"), ServerEvent("", b"2")] == parsed(b"event: a\ndata: 1\n\ndata: 2\n\n")


def test_comments_blank_lines_and_unknown_fields_are_no_events() -> None:
    assert [ServerEvent("", b"x")] == parsed(b": keep-alive\n\n\n\nid: 7\nretry: 10\n:\n\ndata: x\n\n")


def test_several_data_lines_are_joined_by_newlines() -> None:
    assert [ServerEvent("", b"a\nb")] == parsed(b"data: a\ndata:b\n\n")


def test_byte_order_mark_is_skipped() -> None:
    assert [ServerEvent("", b"x")] == parsed(b"\xef\xbb\xbfdata: x\n\n")


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_every_line_ending_is_understood(newline: bytes) -> None:
    assert [ServerEvent("a", b"1"), ServerEvent("b", b"2")] == parsed(
        newline.join([b"event: a", b"data: 1", b"", b"event: b", b"data: 2", b"", b""])
    )


def test_event_without_its_last_blank_line_is_handed_out_at_the_end() -> None:
    assert [ServerEvent("", b"x")] == parsed(b"data: x")


def test_name_without_data_is_no_event() -> None:
    assert [] == parsed(b"event: ping\n\n")


@given(st.data())
def test_cutting_the_stream_anywhere_changes_nothing(data: st.DataObject) -> None:
    newline = data.draw(st.sampled_from([b"\n", b"\r\n", b"\r"]))
    stream = (b": hi\n\n" + hello() + "data: äöü\n\n".encode()).replace(b"\n", newline)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(stream) - 1), max_size=40)))
    chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert parsed(stream) == parsed(*chunks)


def test_single_bytes_give_the_same_events() -> None:
    stream = hello().replace(b"\n", b"\r\n")
    assert parsed(stream) == parsed(*(stream[i : i + 1] for i in range(len(stream))))
