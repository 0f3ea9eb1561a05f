"""What the server was asked, in memory, with an event to wait for. Keys are never kept."""

import asyncio
import time
from dataclasses import asdict, dataclass, field
from typing import Any

_SECRET_HEADERS = frozenset({"authorization", "x-api-key", "proxy-authorization", "cookie"})


@dataclass
class RequestRecord:
    """One request to the messages endpoint; the later fields are filled as it is answered."""

    ordinal: int
    """From 1."""
    path: str
    headers: dict[str, str]
    body_bytes: int
    received_monotonic_seconds: float
    received_unix_seconds: float
    status: int = 0
    """0 while there is no answer, and for ever when the connection was reset."""
    error: str = ""
    fault: str = ""
    user_id: str = ""
    model: str = ""
    turn_index: int | None = None
    is_handoff: bool = False
    messages: int = 0
    max_tokens: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    is_complete: bool = False
    """The whole answer was handed to the connection."""
    body: bytes | None = field(default=None, repr=False)
    """Only when bodies are kept."""

    def as_json(self) -> dict[str, Any]:
        """The record without its body."""
        fields = asdict(self)
        del fields["body"]
        return fields


class Recorder:
    """All requests in order of arrival."""

    def __init__(self, keep_bodies: bool) -> None:
        self.records: list[RequestRecord] = []
        self.last_body = b""
        self._keep_bodies = keep_bodies
        self._arrived = asyncio.Event()
        self._arrivals = 0

    def receive(self, path: str, headers: list[tuple[bytes, bytes]], body: bytes) -> RequestRecord:
        """Record a request that has arrived whole."""
        self._arrivals += 1
        record = RequestRecord(
            ordinal=self._arrivals,
            path=path,
            headers={
                name.decode("latin-1"): value.decode("latin-1")
                for name, value in headers
                if name.decode("latin-1").lower() not in _SECRET_HEADERS
            },
            body_bytes=len(body),
            received_monotonic_seconds=time.monotonic(),
            received_unix_seconds=time.time(),
            body=body if self._keep_bodies else None,
        )
        self.last_body = body
        self.records.append(record)
        self._arrived.set()
        self._arrived = asyncio.Event()
        return record

    async def wait_for(self, count: int) -> list[RequestRecord]:
        """Wait until at least `count` requests are recorded; returns all."""
        while len(self.records) < count:
            await self._arrived.wait()
        return self.records

    def forget(self) -> None:
        """Drop all records; ordinals go on."""
        self.records = []
        self.last_body = b""
