"""Valkey and Redis streams: one consumer group, whose pending list holds the leases.

All processes are one consumer: an entry is handed to one of them all the same, and names of dead ones do not pile up.
Entries have the fields `task` (or `body`), `key` and `media_type`. Needs Valkey, or Redis from 7.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, cast

import orjson
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthenticationWrongNumberOfArgsError,
    AuthorizationError,
    NoPermissionError,
    RedisError,
    ResponseError,
)

from longshift.adapters.brokers import valkey_scripts as scripts
from longshift.adapters.brokers.address import Address, parse_address
from longshift.adapters.brokers.port import DEFAULT_MEDIA_TYPE, NOTES, DeadLetter, Depth, Lease, TaskSource
from longshift.contracts.errors import BrokerUnavailable

GROUP = "longshift"
CONSUMER = "longshift"
BODY_FIELDS = ("task", "body")
REFUSED = (AuthenticationError, AuthenticationWrongNumberOfArgsError, AuthorizationError, NoPermissionError)
BLOCK_SECONDS = 1.0
"""How long new entries are waited for before it is looked again for what is due or was left by the dead."""
SOCKET_SECONDS = 10.0
"""A server that is silent for longer is not there."""
DEAD_PAGE = 100

Fields = dict[str, bytes]


def open_queue(url: str) -> "ValkeySource":
    """The stream that a `redis://`, `rediss://`, `valkey://` or `valkeys://` URL names.

    Raises:
        BadInput: the URL cannot be used.
    """
    address = parse_address(url)
    if address.path and not address.path.isdecimal():
        raise address.wrong(f"{address.path!r} is no number of a database", "the stream is named by ?queue=NAME")
    return ValkeySource(address)


class ValkeySource(TaskSource):
    """A stream and, beside it, `<stream>:later` and `<stream>:dead`."""

    def __init__(self, address: Address) -> None:
        super().__init__(address)
        scheme = {"valkey": "redis", "valkeys": "rediss"}.get(address.scheme, address.scheme)
        tls: dict[str, Any] = {"ssl_ca_certs": address.ca_file} if address.ca_file and scheme == "rediss" else {}
        self._client = Redis.from_url(  # pyright: ignore[reportUnknownMemberType]  # its keywords are untyped
            scheme + address.url.removeprefix(address.scheme),
            protocol=2,
            # One error per lost connection: waiting and trying again is the caller's.
            retry=Retry(NoBackoff(), 0),
            socket_timeout=SOCKET_SECONDS,
            socket_connect_timeout=SOCKET_SECONDS,
            **tls,
        )
        self._keys = (address.queue, f"{address.queue}:later", f"{address.queue}:dead")
        self._cursor = "-"

    async def receive(self, max_messages: int, wait_seconds: float) -> list[Lease]:
        """See the port."""
        deadline = monotonic() + wait_seconds
        while True:
            leases = await self._taken(max_messages)
            block_seconds = 0.0 if leases else max(0.0, min(BLOCK_SECONDS, deadline - monotonic()))
            if len(leases) < max_messages:
                leases += await self._new(max_messages - len(leases), block_seconds)
            readable = [lease for lease in leases if not lease.is_foreign]
            for lease in leases:
                if lease.is_foreign:
                    await lease.dead_letter("the entry has neither a field task nor a field body")
            if readable or monotonic() >= deadline:
                return [*readable]

    async def depth(self) -> Depth:
        """See the port."""
        pending, dead = await self.call("XLEN", self._keys[0]), await self.call("XLEN", self._keys[2])
        return Depth(pending=int(pending), dead=int(dead))

    async def list_dead(self, limit: int) -> list[DeadLetter]:
        """See the port."""
        return [_dead_letter(id, fields) for id, fields in await self._dead_entries("-", limit)]

    async def requeue_dead(self, message_id: str | None = None) -> int:
        """See the port."""
        if message_id is not None:
            return int(await self.script(scripts.REQUEUE, message_id, *NOTES))
        requeued, after = 0, "-"
        while page := await self._dead_entries(after, DEAD_PAGE):
            for id, _ in page:
                requeued += int(await self.script(scripts.REQUEUE, id, *NOTES))
            after = f"({page[-1][0]}"
        return requeued

    async def close(self) -> None:
        """See the port."""
        await self._client.aclose()

    async def script(self, text: str, *arguments: str | bytes | int) -> Any:
        """Run one of the scripts on this queue; a group that is not there (yet, or no more) is made."""
        try:
            return await self.call("EVAL", text, len(self._keys), *self._keys, *arguments)
        except GroupMissing:
            await self._make_group()
            return await self.call("EVAL", text, len(self._keys), *self._keys, *arguments)

    async def call(self, *command: str | bytes | int) -> Any:
        """One command.

        Raises:
            BadInput: the server refuses the credentials, or the key is no stream.
            BrokerUnavailable: the server is not there or cannot do it now.
        """
        with self._failures():
            return cast("Any", await self._client.execute_command(*command))  # pyright: ignore[reportUnknownMemberType]  # untyped

    async def _taken(self, count: int) -> "list[ValkeyLease]":
        idle_ms = int(self._address.lease_seconds * 1_000)
        cursor, entries = await self.script(scripts.TAKE, GROUP, CONSUMER, idle_ms, count, self._cursor)
        self._cursor = _text(cursor)
        return [self._lease(id, _pairs(flat), int(delivered)) for id, flat, delivered in entries]

    async def _new(self, count: int, block_seconds: float) -> "list[ValkeyLease]":
        block = ("BLOCK", int(block_seconds * 1_000)) if block_seconds >= 0.001 else ()
        command = ("XREADGROUP", "GROUP", GROUP, CONSUMER, "COUNT", count, *block, "STREAMS", self._keys[0], ">")
        try:
            streams = await self.call(*command)
        except GroupMissing:
            await self._make_group()
            return []
        entries = cast("list[tuple[bytes, dict[bytes, bytes]]]", streams[0][1] if streams else [])
        return [self._lease(id, {_text(name): value for name, value in raw.items()}, 1) for id, raw in entries]

    async def _make_group(self) -> None:
        try:
            await self.call("XGROUP", "CREATE", self._keys[0], GROUP, "0", "MKSTREAM")
        except BrokerUnavailable as error:
            if "BUSYGROUP" not in str(error):
                raise

    async def _dead_entries(self, start: str, count: int) -> list[tuple[str, Fields]]:
        entries = await self.call("XRANGE", self._keys[2], start, "+", "COUNT", count)
        return [(_text(id), {_text(name): value for name, value in raw.items()}) for id, raw in entries]

    def _lease(self, id: bytes, fields: Fields, attempt: int) -> "ValkeyLease":
        body = _body(fields)
        return ValkeyLease(
            body=body or b"",
            key=_text(fields.get("key", b"")),
            attempt=attempt,
            message_id=_text(id),
            media_type=_text(fields.get("media_type", b"")) or DEFAULT_MEDIA_TYPE,
            is_foreign=body is None,
            fields=fields,
            source=self,
        )

    @contextmanager
    def _failures(self) -> Generator[None]:
        try:
            yield
        except REFUSED as error:
            raise self._address.wrong(f"the server refuses ({error})", "check user, password and ACL") from error
        except ResponseError as error:
            text = str(error)
            if "NOGROUP" in text:
                raise GroupMissing(f"{self.name}: {text}") from error
            if "WRONGTYPE" in text:
                raise self._address.wrong("the key is no stream", "name a stream by ?queue=NAME") from error
            raise BrokerUnavailable(f"{self.name}: {text}") from error
        except (RedisError, OSError) as error:
            raise BrokerUnavailable(f"{self.name}: {error}") from error


class GroupMissing(BrokerUnavailable):
    """The stream or its group is not there: never made, or the server lost its data."""


@dataclass(kw_only=True, eq=False)
class ValkeyLease(Lease):
    """A pending entry."""

    is_foreign: bool
    fields: Fields = field(repr=False)
    source: ValkeySource = field(repr=False)

    async def _ack(self) -> None:
        await self.source.script(scripts.ACK, GROUP, self.message_id)

    async def _retry(self, delay_seconds: float) -> None:
        await self.source.script(scripts.RETRY, GROUP, self.message_id, round(delay_seconds * 1_000))

    async def _dead_letter(self, reason: str) -> None:
        kept: Mapping[str, str | bytes] = {**self.fields, **self.notes(reason, self.source.name)}
        flat = [part for pair in kept.items() for part in pair]
        await self.source.script(scripts.BURY, GROUP, self.message_id, *flat)


def _dead_letter(id: str, fields: Fields) -> DeadLetter:
    notes = {name: _text(fields[name]) for name in NOTES if name in fields}
    message = {name: value for name, value in fields.items() if name not in NOTES}
    body = _body(message)
    return DeadLetter.of(
        notes,
        message_id=id,
        # Of what has no body, people see all that it has.
        body=body if body is not None else orjson.dumps({name: _text(value) for name, value in message.items()}),
        key=_text(fields.get("key", b"")),
        media_type=_text(fields.get("media_type", b"")) or DEFAULT_MEDIA_TYPE,
    )


def _body(fields: Fields) -> bytes | None:
    return next((fields[name] for name in BODY_FIELDS if name in fields), None)


def _pairs(flat: list[bytes]) -> Fields:
    return {_text(name): value for name, value in zip(flat[::2], flat[1::2], strict=True)}


def _text(value: bytes) -> str:
    return value.decode(errors="replace")
