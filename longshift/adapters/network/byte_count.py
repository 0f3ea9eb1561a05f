"""How many bytes a workspace has sent and received in a phase. The numbers stay when the proxy is killed."""

import os
import struct
from pathlib import Path

_FORM = struct.Struct("<QQ")
SENT, RECEIVED = 0, 1


class UsedUp(Exception):
    """No more bytes may go that way."""


class ByteCount:
    """Counts both ways up to one limit for each, in a file of 16 bytes.

    The file is written with every count and left to the system to store: it outlives the process, not a power cut.
    """

    def __init__(self, path: Path, limit_bytes: int) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        known = os.pread(self._file, _FORM.size, 0)
        self._bytes: list[int] = list(_FORM.unpack(known)) if len(known) == _FORM.size else [0, 0]
        self._limit_bytes = limit_bytes

    @property
    def sent_bytes(self) -> int:
        """To servers."""
        return self._bytes[SENT]

    @property
    def received_bytes(self) -> int:
        """From servers."""
        return self._bytes[RECEIVED]

    @property
    def is_used_up(self) -> bool:
        """Whether the limit of one of the ways is reached."""
        return max(self._bytes) >= self._limit_bytes

    def count(self, way: int, size: int) -> None:
        """Count bytes before they are passed on; `way` is `SENT` or `RECEIVED`.

        Raises: UsedUp, when they would exceed the limit; then it counts as reached.
        """
        wanted = self._bytes[way] + size
        self._bytes[way] = min(wanted, self._limit_bytes)
        os.pwrite(self._file, _FORM.pack(*self._bytes), 0)
        if wanted > self._limit_bytes:
            raise UsedUp

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
