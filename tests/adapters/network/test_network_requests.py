"""Requests that two readers could read in two ways: none of them gets through as more than one request."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longshift.adapters.network import bodies
from longshift.adapters.network.request_head import BadRequest, RequestHead, parsed_head
from tests.adapters.network.network_rig import LOOPBACK, Names, Recorder, proxy, server

SMUGGLED = b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n"


def head(*lines: str) -> bytes:
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


REFUSED = {
    "two lengths": head("POST http://a.example/ HTTP/1.1", "Content-Length: 5", "Content-Length: 6"),
    "the same length twice": head("POST http://a.example/ HTTP/1.1", "Content-Length: 5", "Content-Length: 5"),
    "lengths in a list": head("POST http://a.example/ HTTP/1.1", "Content-Length: 5, 5"),
    "a signed length": head("POST http://a.example/ HTTP/1.1", "Content-Length: +5"),
    "a length in hex": head("POST http://a.example/ HTTP/1.1", "Content-Length: 0x5"),
    "a length beyond all": head("POST http://a.example/ HTTP/1.1", "Content-Length: 99999999999999999999"),
    "chunks and a length": head("POST http://a.example/ HTTP/1.1", "Content-Length: 5", "Transfer-Encoding: chunked"),
    "a hidden coding": head("POST http://a.example/ HTTP/1.1", "Transfer-Encoding: xchunked"),
    "two codings": head("POST http://a.example/ HTTP/1.1", "Transfer-Encoding: gzip, chunked"),
    "a coding twice": head("POST http://a.example/ HTTP/1.1", *("Transfer-Encoding: chunked",) * 2),
    "chunks in HTTP/1.0": head("POST http://a.example/ HTTP/1.0", "Transfer-Encoding: chunked"),
    "a folded line": head("GET http://a.example/ HTTP/1.1", "X-A: 1", " folded: 2"),
    "a folded line at once": head("GET http://a.example/ HTTP/1.1", "\tX-A: 1"),
    "a space before the colon": head("POST http://a.example/ HTTP/1.1", "Content-Length : 5"),
    "no colon": head("GET http://a.example/ HTTP/1.1", "Host"),
    "a bare line feed": head("GET http://a.example/ HTTP/1.1", "X-A: 1\nContent-Length: 5"),
    "a bare carriage return": head("GET http://a.example/ HTTP/1.1", "X-A: 1\rX-B: 2"),
    "a null": head("GET http://a.example/ HTTP/1.1", "X-A: 1\x00"),
    "two hosts": head("GET http://a.example/ HTTP/1.1", "Host: a.example", "Host: b.example"),
    "a request line with more": head("GET http://a.example/ HTTP/1.1 HTTP/1.1"),
    "a tab in the request line": head("GET\thttp://a.example/\tHTTP/1.1"),
    "two spaces": head("GET  http://a.example/ HTTP/1.1"),
    "HTTP/2": head("PRI * HTTP/2.0"),
    "no version": head("GET http://a.example/"),
    "a path alone": head("GET / HTTP/1.1", "Host: a.example"),
    "a star": head("OPTIONS * HTTP/1.1", "Host: a.example"),
    "https in the clear": head("GET https://a.example/ HTTP/1.1"),
    "another scheme": head("GET ftp://a.example/ HTTP/1.1"),
    "no host": head("GET http:///path HTTP/1.1"),
    "a user": head("GET http://a.example@b.example/ HTTP/1.1"),
    "a user with a password": head("GET http://a.example:80@b.example/ HTTP/1.1"),
    "a backslash": head("GET http://b.example\\.a.example/ HTTP/1.1"),
    "a fragment": head("GET http://a.example#.b.example/ HTTP/1.1"),
    "a percent in the host": head("GET http://a%2eexample/ HTTP/1.1"),
    "letters beyond ASCII": "GET http://ä.example/ HTTP/1.1\r\n\r\n".encode(),
    "a port of letters": head("GET http://a.example:http/ HTTP/1.1"),
    "an empty port": head("GET http://a.example:/ HTTP/1.1"),
    "CONNECT with a body": head("CONNECT a.example:443 HTTP/1.1", "Content-Length: 5"),
    "CONNECT with chunks": head("CONNECT a.example:443 HTTP/1.1", "Transfer-Encoding: chunked"),
    "CONNECT with a path": head("CONNECT a.example:443/ HTTP/1.1"),
    "CONNECT with a scheme": head("CONNECT http://a.example:443 HTTP/1.1"),
    "too many fields": head("GET http://a.example/ HTTP/1.1", *(f"X-{number}: 1" for number in range(200))),
    "an empty line first": b"\r\n" + head("GET http://a.example/ HTTP/1.1"),
    "nothing": b"\r\n\r\n",
    "a cut head": b"GET http://a.example/ HTTP/1.1\r\nHost: a",
}


@pytest.mark.parametrize("request_bytes", REFUSED.values(), ids=REFUSED.keys())
def test_what_could_be_read_in_two_ways_is_refused(request_bytes: bytes) -> None:
    with pytest.raises(BadRequest):
        parsed_head(request_bytes)


@pytest.mark.parametrize("named", ["Host", "Content-Length", "content-length, host", "Transfer-Encoding"])
def test_a_field_that_frames_the_request_cannot_be_named_away(named: str) -> None:
    found = parsed_head(head("POST http://a.example/ HTTP/1.1", "Content-Length: 5", f"Connection: {named}"))
    sent = found.to_server().split(b"\r\n")
    assert b"Host: a.example" in sent
    assert b"Content-Length: 5" in sent


async def test_what_follows_a_request_never_reaches_the_server(tmp_path: Path) -> None:
    recorder, names = Recorder(), Names({"a.example": [("127.0.0.1",)]})
    async with (
        server(recorder) as port,
        proxy(tmp_path, [f"a.example:{port}"], names, allow_private=LOOPBACK) as running,
    ):
        url = f"http://a.example:{port}/"
        await running.ask(head(f"GET {url} HTTP/1.1") + SMUGGLED)
        await running.ask(head(f"POST {url} HTTP/1.1", "Content-Length: 5") + b"first" + SMUGGLED)
        chunks = b"5;ext=1\r\nfirst\r\n0\r\nContent-Length: 9\r\n\r\n"
        await running.ask(head(f"POST {url} HTTP/1.1", "Transfer-Encoding: Chunked") + chunks + SMUGGLED)
        await running.ended(3)
    assert [False] * 3 == [b"evil" in got for got in recorder.got]
    assert [b"", b"first", b"5\r\nfirst\r\n0\r\n\r\n"] == [got.partition(b"\r\n\r\n")[2] for got in recorder.got]


@pytest.mark.parametrize(
    "body", [b"5\nfirst\r\n0\r\n\r\n", b"-5\r\nfirst", b"5 5\r\nfirst", b"3\r\nfirst\r\n0\r\n\r\n", b"\r\n", b"G\r\n"]
)
async def test_a_body_with_malformed_chunks_is_broken_off(tmp_path: Path, body: bytes) -> None:
    recorder, names = Recorder(), Names({"a.example": [("127.0.0.1",)]})
    async with (
        server(recorder) as port,
        proxy(tmp_path, [f"a.example:{port}"], names, allow_private=LOOPBACK) as running,
    ):
        answer = await running.ask(head(f"POST http://a.example:{port}/ HTTP/1.1", "Transfer-Encoding: chunked") + body)
        log = await running.ended()
    assert answer.startswith(b"HTTP/1.1 502")
    assert "chunk" in log[-1]["why"]


async def test_huge_heads_are_refused(tmp_path: Path) -> None:
    async with proxy(tmp_path, ["a.example"], Names()) as running:
        answer = await running.ask(head("GET http://a.example/ HTTP/1.1", "X-A: " + "x" * 1_000_000))
        in_many = await running.ask(head("GET http://a.example/ HTTP/1.1", *(f"X-{'x' * 1_000}: 1",) * 60))
    assert answer.startswith(b"HTTP/1.1 431")
    assert in_many.startswith(b"HTTP/1.1 431")


ANSWERS = {
    "no HTTP": b"220 ready\r\n\r\n",
    "a switch of protocols": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    "an endless head": b"HTTP/1.1 200 OK\r\n" + b"X-A: 1\r\n" * 100_000,
    "nothing": b"",
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
async def test_an_answer_that_is_none_is_not_passed_on(tmp_path: Path, answer: bytes) -> None:
    recorder, names = Recorder(answer=answer), Names({"a.example": [("127.0.0.1",)]})
    async with (
        server(recorder) as port,
        proxy(tmp_path, [f"a.example:{port}"], names, allow_private=LOOPBACK) as running,
    ):
        got = await running.ask(head(f"GET http://a.example:{port}/ HTTP/1.1"))
        await running.ended()
    assert got.startswith(b"HTTP/1.1 502")


def well_formed(found: RequestHead) -> bool:
    """Whether a reader of the head that goes to the server finds in it what was understood, and nothing else."""
    sent = found.to_server()
    start, *lines = sent[:-4].split(b"\r\n")
    names = [line.partition(b":")[0].lower() for line in lines]
    lengths = names.count(b"content-length") + names.count(b"transfer-encoding")
    return (
        sent.count(b"\r\n\r\n") == 1
        and b"\n" not in sent.replace(b"\r\n", b"")
        and len(start.split(b" ")) == 3
        and names.count(b"host") == 1
        and lengths == (0 if found.body_bytes == 0 and b"content-length" not in names else 1)
    )


PIECES = st.sampled_from(
    [
        *(b"GET ", b"POST ", b"CONNECT ", b"http://", b"https://", b"a.example", b"b.example", b":80", b":443", b"/"),
        *(b" HTTP/1.1", b" HTTP/1.0", b"\r\n", b"\n", b"\r", b" ", b"\t", b"\x00", b"Host: ", b"Content-Length: "),
        *(b"5", b"Transfer-Encoding: ", b"chunked", b"Connection: ", b"close", b"@", b"#", b"?", b"%0d%0a", b"\xff"),
        *(b"[::1]", b"127.0.0.1", b"0x7f.1", b"Expect: 100-continue", b"Upgrade: h2c", b";", b",", b":"),
    ]
)


@given(st.lists(PIECES | st.binary(max_size=6), max_size=30).map(b"".join))
@settings(max_examples=2_000, deadline=None)
def test_whatever_comes_is_refused_or_understood_in_one_way(start: bytes) -> None:
    for data in (start, start + b"\r\n\r\n", b"GET http://a.example/ HTTP/1.1\r\n" + start + b"\r\n\r\n"):
        try:
            found = parsed_head(data)
        except BadRequest:
            continue
        assert found.is_tunnel or well_formed(found)


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_a_body_in_chunks_is_whole_or_refused(data: bytes) -> None:
    async def read(source: bytes) -> bytes:
        reader = asyncio.StreamReader()
        reader.feed_data(source)
        reader.feed_eof()
        return b"".join([piece async for piece in bodies.chunked(reader)])

    cut = b"".join(b"%x\r\n%s\r\n" % (len(data[at : at + 7]), data[at : at + 7]) for at in range(0, len(data), 7))
    assert asyncio.run(read(cut + b"0\r\n\r\n")) == cut + b"0\r\n\r\n"
    try:
        asyncio.run(read(data))
    except bodies.BadMessage:
        return
    assert data.startswith(b"0")
