"""What goes through the proxy, as pieces in the order in which they are passed on: bodies, answers, tunnels.

A source ends where its message ends, and gives nothing of what may follow it: so nothing is smuggled behind a request.
"""

import asyncio
import re
from collections.abc import AsyncIterator

from longshift.adapters.network.client_hello import HANDSHAKE, NotReadable, server_names
from longshift.adapters.network.request_head import HEAD_LIMIT_BYTES, passed_on
from longshift.policy.hosts import NotAHost, comparable

PIECE_BYTES = 65_536
LINE_LIMIT_BYTES = 4_096
TRAILERS_LIMIT = 64
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;[\t\x20-\x7e]*)?\r\n")
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?")


class BadMessage(Exception):
    """A message goes on in a way in which it must not; the connection ends."""


async def whatever(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """All that comes, to the end."""
    while piece := await reader.read(PIECE_BYTES):
        yield piece


async def sized(reader: asyncio.StreamReader, size_bytes: int) -> AsyncIterator[bytes]:
    """A body of a known size."""
    while size_bytes > 0:
        piece = await reader.read(min(PIECE_BYTES, size_bytes))
        if not piece:
            raise BadMessage("the body ended before its length")
        size_bytes -= len(piece)
        yield piece


async def chunked(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """A body in chunks, cut into chunks anew; extensions and trailers are dropped."""
    while True:
        found = _CHUNK_SIZE.fullmatch(await _line(reader))
        if found is None:
            raise BadMessage("the size of a chunk is malformed")
        left_bytes = int(found[1], 16)
        if left_bytes == 0:
            break
        async for piece in sized(reader, left_bytes):
            yield b"%x\r\n%s\r\n" % (len(piece), piece)
        if await _line(reader) != b"\r\n":
            raise BadMessage("a chunk does not end where it says")
    for _ in range(TRAILERS_LIMIT):
        if await _line(reader) == b"\r\n":
            yield b"0\r\n\r\n"
            return
    raise BadMessage("too many trailers")


async def answer(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """A server's answer to one request: its head, which now says that the connection ends, then all that comes."""
    while True:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            raise BadMessage("the server's answer has no head") from None
        status_line, *lines = head[:-4].split(b"\r\n")
        found = _STATUS_LINE.fullmatch(status_line)
        if found is None or len(head) > HEAD_LIMIT_BYTES or found[1] == b"101":
            raise BadMessage("the server's answer is malformed")
        if not found[1].startswith(b"1"):  # what comes before the answer is for this hop
            break
    yield b"\r\n".join([status_line, *_answer_fields(lines), b"Connection: close", b"", b""])
    async for piece in whatever(reader):
        yield piece


async def opened_for(reader: asyncio.StreamReader, host: str) -> AsyncIterator[bytes]:
    """All that a client sends into a tunnel; if it begins with TLS, it has to ask for the host of the tunnel."""
    begin = await reader.read(PIECE_BYTES)
    if begin[:1] == bytes([HANDSHAKE]):
        try:
            while (names := server_names(begin)) is None:
                more = await reader.read(PIECE_BYTES)
                if not more:
                    raise NotReadable
                begin += more
            wanted = {comparable(name) for name in names}
        except (NotReadable, NotAHost):
            raise BadMessage("the beginning of TLS cannot be read") from None
        if wanted - {host}:
            raise BadMessage(f"TLS asks for {', '.join(sorted(wanted))[:200]} in a tunnel to {host}")
    if begin:
        yield begin
    async for piece in whatever(reader):
        yield piece


def _answer_fields(lines: list[bytes]) -> list[bytes]:
    """The fields of an answer without those for this hop; how its body is framed stays as the server said it."""
    fields = [(name, value) for name, _, value in (line.partition(b":") for line in lines)]
    framing = (b"transfer-encoding", b"content-length", b"trailer")
    kept = {name.lower() for name, _ in passed_on(fields)} | set(framing)
    return [line for line, (name, _) in zip(lines, fields, strict=True) if name.lower() in kept]


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        line = await reader.readuntil(b"\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        raise BadMessage("a line of a chunked body is cut off or too long") from None
    if len(line) > LINE_LIMIT_BYTES:
        raise BadMessage("a line of a chunked body is too long")
    return line
