"""The record of what a workspace asked of the network: one JSON line for each request and one for its end.

A line has no path, no query, no header and no body: these may hold secrets. A request is written down before it is let
through, and none is let through that cannot be.
"""

import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LIMIT_BYTES = 64 * 1024 * 1024
"""About 300,000 requests. Beyond it nothing is let through any more: a log is no way to fill a disk."""


class LogFull(Exception):
    """The request cannot be written down."""


class RequestLog:
    """Appends to one file; several proxies in turn may have written it."""

    def __init__(self, path: Path, phase: str, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._phase = phase
        self._limit_bytes = limit_bytes
        self._size_bytes = os.fstat(self._file).st_size

    def write(self, verdict: str, **facts: str | int | float) -> None:
        """Append one line; `verdict` is `allowed`, `refused` or `ended`.

        Raises: LogFull, when there is no room for it.
        """
        moment = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": moment, "phase": self._phase, "verdict": verdict, **facts}).encode() + b"\n"
        if self._size_bytes + len(line) > self._limit_bytes:
            raise LogFull("the log of requests is full")
        try:
            os.write(self._file, line)
        except OSError as error:
            raise LogFull(f"the log of requests cannot be written: {error.strerror}") from error
        self._size_bytes += len(line)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def records(path: Path) -> Iterator[Mapping[str, Any]]:
    """The lines of a log, in order; none where there is no log. A line that was cut off is left out."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        for line in file:
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict):
                yield record
