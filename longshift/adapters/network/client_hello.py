"""Reads which server a TLS client asks for, out of its first bytes. Sans I/O; RFC 8446 section 4.1.2, RFC 6066 3.

A name that is sent encrypted (ECH) is not seen: then the outer one is what is compared.
"""

HANDSHAKE = 22
"""The first byte of a connection that begins with TLS."""
CLIENT_HELLO = 1
SERVER_NAME = 0
LIMIT_BYTES = 65_536
"""Longer ones are not read: real ones have less than 4 KB."""


class NotReadable(Exception):
    """It begins like TLS and is no `ClientHello` that could be read."""


class _Fields:
    """Takes fields off the front of a message."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def take(self, count: int) -> bytes:
        if len(self.data) < count:
            raise NotReadable
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> "_Fields":
        """A part whose length stands before it, in `size` bytes."""
        return _Fields(self.take(self.number(size)))


def server_names(data: bytes) -> tuple[str, ...] | None:
    """The names that the `ClientHello` at the start of `data` asks for; None as long as more has to be read.

    Raises:
        NotReadable: it is none.
    """
    message = _message(data)
    if message is None:
        if len(data) > LIMIT_BYTES:
            raise NotReadable
        return None
    hello = _Fields(message)
    hello.take(2 + 32)  # version and random
    hello.vector(1)  # session id
    hello.vector(2)  # cipher suites
    hello.vector(1)  # compression methods
    if not hello.data:
        return ()
    names: list[str] = []
    extensions = hello.vector(2)
    while extensions.data:
        kind, extension = extensions.number(2), extensions.vector(2)
        if kind == SERVER_NAME:
            names += _names(extension)
    return tuple(names)


def _names(extension: _Fields) -> list[str]:
    names: list[str] = []
    entries = extension.vector(2)
    while entries.data:
        kind, name = entries.number(1), entries.vector(2)
        if kind != 0 or not name.data.isascii():
            raise NotReadable
        names.append(name.data.decode())
    return names


def _message(data: bytes) -> bytes | None:
    """The whole handshake message, out of as many records as it was cut into; None when it is not there yet."""
    records, message = _Fields(data), b""
    while True:
        if records.data and records.data[0] != HANDSHAKE:
            raise NotReadable
        if len(records.data) < 5:
            return None
        size = int.from_bytes(records.data[3:5], "big")
        if records.data[1] != 3 or not 0 < size <= 16_384 + 256:
            raise NotReadable
        if len(records.data) < 5 + size:
            return None
        records.take(5)
        message += records.take(size)
        if message[0] != CLIENT_HELLO:
            raise NotReadable
        if len(message) >= 4 and len(message) >= 4 + int.from_bytes(message[1:4], "big"):
            return message[4 : 4 + int.from_bytes(message[1:4], "big")]
