"""Reads the head of an HTTP/1 request as a proxy gets it, strictly: what two readers could read in two ways is refused.

Sans I/O. RFC 9110, 9112. Whether the host may be asked is decided elsewhere.
"""

import re
from dataclasses import dataclass

from longshift.policy.hosts import NotAHost, comparable, split_port

HEAD_LIMIT_BYTES = 32_768
FIELDS_LIMIT = 128
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TARGET = re.compile(rb"[\x21-\x7e]+")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_ONE_HOP = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization"),
        *(b"te", b"trailer", b"transfer-encoding", b"upgrade", b"expect", b"http2-settings"),
    }
)
"""Between two neighbours only; never passed on. An answer to `Expect` is not waited for: the body just follows."""
_FRAMING = frozenset({b"host", b"content-length"})
"""Written anew from what was understood."""


class BadRequest(Exception):
    """The request is refused before anybody is asked about its host."""

    def __init__(self, why: str, status: int = 400) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True)
class RequestHead:
    """One request, understood in one way."""

    method: str
    host: str
    """As `policy.hosts.comparable` gives it."""
    port: int
    path: bytes = b""
    """With its query; empty for CONNECT."""
    fields: tuple[tuple[bytes, bytes], ...] = ()
    """What is passed on, without framing."""
    body_bytes: int | None = 0
    """None: it comes in chunks."""

    @property
    def is_tunnel(self) -> bool:
        """Whether bytes go both ways from here on, whatever they are."""
        return self.method == "CONNECT"

    def to_server(self) -> bytes:
        """The head as the server gets it: one request, then the connection ends."""
        host = self.host if self.port == 80 else f"{self.host}:{self.port}"
        framing = b"Transfer-Encoding: chunked\r\n" if self.body_bytes is None else b""
        if self.body_bytes or (self.body_bytes == 0 and self.method in {"POST", "PUT", "PATCH"}):
            framing = b"Content-Length: %d\r\n" % self.body_bytes
        lines = b"".join(b"%s: %s\r\n" % field for field in self.fields)
        start = b"%s %s HTTP/1.1\r\nHost: %s\r\n" % (self.method.encode(), self.path, host.encode())
        return start + lines + framing + b"Connection: close\r\n\r\n"


def parsed_head(head: bytes) -> RequestHead:
    """The request of `head`, which ends with an empty line.

    Raises:
        BadRequest: it is no request to a proxy, or one that could be read in two ways.
    """
    if not head.endswith(b"\r\n\r\n"):
        raise BadRequest("the head does not end")
    start, *lines = head[:-4].split(b"\r\n")
    method, target, version = _start(start)
    fields = _fields(lines)
    body_bytes = _body_bytes(fields, version)
    try:
        if method == "CONNECT":
            if body_bytes != 0 or _values(fields, b"content-length"):
                raise BadRequest("CONNECT has no body")
            return _tunnel(target)
        return _plain(method, target, fields, body_bytes)
    except NotAHost as error:
        raise BadRequest(str(error)) from None


def passed_on(fields: list[tuple[bytes, bytes]]) -> tuple[tuple[bytes, bytes], ...]:
    """The fields that are for the other end, without what is for the next hop or frames the message."""
    named = b",".join(_values(fields, b"connection")).lower().split(b",")
    dropped = _ONE_HOP | _FRAMING | {name.strip() for name in named}
    return tuple((name, value) for name, value in fields if name.lower() not in dropped)


def _start(line: bytes) -> tuple[str, bytes, bytes]:
    parts = line.split(b" ")
    if len(parts) != 3 or not _TOKEN.fullmatch(parts[0]) or not _TARGET.fullmatch(parts[1]):
        raise BadRequest("the request line is not METHOD TARGET VERSION")
    if parts[2] not in (b"HTTP/1.1", b"HTTP/1.0"):
        raise BadRequest("only HTTP/1.0 and HTTP/1.1 are spoken here", 505)
    return parts[0].decode(), parts[1], parts[2]


def _fields(lines: list[bytes]) -> list[tuple[bytes, bytes]]:
    if len(lines) > FIELDS_LIMIT:
        raise BadRequest(f"more than {FIELDS_LIMIT} header fields", 431)
    found: list[tuple[bytes, bytes]] = []
    for line in lines:
        name, colon, value = line.partition(b":")
        # Folded lines, spaces before the colon, bare CR or LF and NUL are what smuggled requests are made of.
        if not colon or not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise BadRequest("a header field is malformed")
        found.append((name, value.strip(b" \t")))
    return found


def _values(fields: list[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    return [value for known, value in fields if known.lower() == name]


def _body_bytes(fields: list[tuple[bytes, bytes]], version: bytes) -> int | None:
    lengths, codings = _values(fields, b"content-length"), _values(fields, b"transfer-encoding")
    if len(lengths) > 1 or (lengths and codings):
        raise BadRequest("the length of the body is given in two ways")
    if len(_values(fields, b"host")) > 1:
        raise BadRequest("two Host fields")
    if codings:
        if version == b"HTTP/1.0" or [coding.lower() for coding in codings] != [b"chunked"]:
            raise BadRequest("the only transfer coding is chunked, in HTTP/1.1", 501)
        return None
    if not lengths:
        return 0
    if not re.fullmatch(rb"[0-9]{1,18}", lengths[0]):
        raise BadRequest("Content-Length is not a number")
    return int(lengths[0])


def _tunnel(target: bytes) -> RequestHead:
    host, port = split_port(target.decode())
    if port is None:
        raise BadRequest("CONNECT needs host:port")
    return RequestHead("CONNECT", comparable(host), port)


def _plain(method: str, target: bytes, fields: list[tuple[bytes, bytes]], body_bytes: int | None) -> RequestHead:
    if target[:7].lower() != b"http://":
        raise BadRequest("this is a proxy: ask for http://host/path, or CONNECT host:port for everything else")
    found = re.fullmatch(rb"([^/?#\\@]+)([/?][^#]*)?", target[7:])
    if found is None:
        raise BadRequest("the target is not http://host/path")
    host, port = split_port(found[1].decode())
    path = found[2] or b"/"
    path = path if path.startswith(b"/") else b"/" + path
    return RequestHead(method, comparable(host), port or 80, path, passed_on(fields), body_bytes)
