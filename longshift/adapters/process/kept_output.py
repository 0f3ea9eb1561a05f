"""The output of a command on disk: its beginning in one file, its end in a ring. `run_output` reads it.

Written by the supervisor, so stdlib only.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct

HEAD = "output.txt"
"""Output from its beginning, up to the cap."""
TAIL = "output.tail"
"""`TAIL_HEADER`, then a ring with the last bytes beyond the cap."""
TAIL_HEADER = struct.Struct("<QQ")
"""Size of the ring; bytes written into it so far."""


class Output:
    """Keeps the beginning of the output in a file and its end in a ring; never more memory than a chunk."""

    def __init__(self, head_bytes: int, tail_bytes: int) -> None:
        self.total_bytes = 0
        self.io_errno = 0
        self._room_bytes = head_bytes
        self._head = os.open(HEAD, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._tail = os.open(TAIL, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._ring_bytes = self._reserve_ring(tail_bytes)
        self._ring_total_bytes = 0

    def keep(self, data: bytes) -> None:
        """Append to the head while there is room, then to the ring; what can be kept nowhere is only counted."""
        self.total_bytes += len(data)
        if self._room_bytes > 0:
            data = data[self._append(data[: self._room_bytes]) :]
        if data and self._ring_bytes > 0:
            self._write_ring(data)

    def close(self) -> None:
        """Put everything on disk, and give back the ring's space if it was not needed."""
        for descriptor, written_bytes in ((self._head, self.total_bytes), (self._tail, self._ring_total_bytes)):
            try:
                if written_bytes > 0:
                    os.fdatasync(descriptor)
            except OSError as error:
                self._fail(error)
        if self._ring_total_bytes == 0:
            with contextlib.suppress(OSError):  # its absence must not cost the exit code
                os.unlink(TAIL)

    def _append(self, data: bytes) -> int:
        written = 0
        try:
            while written < len(data):
                written += os.write(self._head, data[written:] if written else data)
            self._room_bytes -= written
        except OSError as error:
            # Full disk, quota, size limit or a broken device: from here on the reserved ring keeps the end.
            self._fail(error)
            self._room_bytes = 0
        return written

    def _write_ring(self, data: bytes) -> None:
        start = self._ring_total_bytes
        self._ring_total_bytes += len(data)
        kept = data[-self._ring_bytes :]
        position = (start + len(data) - len(kept)) % self._ring_bytes
        first = kept[: self._ring_bytes - position]
        try:
            os.pwrite(self._tail, first, TAIL_HEADER.size + position)
            if len(first) < len(kept):
                os.pwrite(self._tail, kept[len(first) :], TAIL_HEADER.size)
            os.pwrite(self._tail, TAIL_HEADER.pack(self._ring_bytes, self._ring_total_bytes), 0)
        except OSError as error:
            self._fail(error)

    def _reserve_ring(self, tail_bytes: int) -> int:
        if tail_bytes > 0:
            with contextlib.suppress(OSError):  # no space for it: then only the head is kept
                os.posix_fallocate(self._tail, 0, TAIL_HEADER.size + tail_bytes)
                os.pwrite(self._tail, TAIL_HEADER.pack(tail_bytes, 0), 0)
                return tail_bytes
        return 0

    def _fail(self, error: OSError) -> None:
        self.io_errno = self.io_errno or error.errno or errno.EIO
