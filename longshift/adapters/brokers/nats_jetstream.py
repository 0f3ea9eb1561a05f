"""NATS JetStream: one durable pull consumer on a subject, explicit acks that the server confirms.

Stream, consumer and the stream of the dead (`<subject>.dead`) are made where no stream has the subject yet. The key of
a message is its header `Nats-Msg-Id`, or `Longshift-Key`, which the server does not deduplicate by.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import orjson
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import RawStreamMsg
from nats.js.errors import BadRequestError, NotFoundError

from longshift.adapters.brokers.address import Address, parse_address
from longshift.adapters.brokers.nats_headers import (
    CONTENT_TYPE,
    dead_headers,
    key_of,
    read,
    requeued_headers,
    stored_headers,
)
from longshift.adapters.brokers.nats_place import ANSWER_SECONDS, DURABLE, Place, open_place
from longshift.adapters.brokers.nats_pull import pull
from longshift.adapters.brokers.port import DEFAULT_MEDIA_TYPE, KEY, DeadLetter, Depth, Lease, TaskSource
from longshift.contracts.errors import BrokerUnavailable

SUBJECT = re.compile(r"[^\s.*>$][^\s.*>]*(\.[^\s.*>]+)*")


def open_queue(url: str) -> "JetStreamSource":
    """The subject that a `nats://` or `tls://` URL names by `queue`.

    Raises:
        BadInput: the URL cannot be used.
    """
    address = parse_address(url, parameters=frozenset({"credentials_file", "replicas"}))
    if not SUBJECT.fullmatch(address.queue):
        raise address.wrong(f"{address.queue!r} is no subject", "use ?queue=NAME without spaces and wildcards")
    if address.parameters.get("replicas", "1") not in {"1", "2", "3", "4", "5"}:
        raise address.wrong("replicas is no number from 1 to 5", "leave it out for a single server")
    return JetStreamSource(address)


class JetStreamSource(TaskSource):
    """A subject and, beside it, `<subject>.dead`."""

    def __init__(self, address: Address) -> None:
        super().__init__(address)
        self.dead_subject = f"{address.queue}.dead"
        self._place: Place | None = None
        self._connecting = asyncio.Lock()

    async def receive(self, max_messages: int, wait_seconds: float) -> list[Lease]:
        """See the port."""
        deadline = asyncio.get_running_loop().time() + wait_seconds
        async with self.place() as place:
            while True:
                left_seconds = max(0.0, deadline - asyncio.get_running_loop().time())
                messages = await pull(place, max_messages, left_seconds)
                leases = [self._lease(message) for message in messages if message.data]
                for message in messages:
                    if not message.data:
                        await self._lease(message).dead_letter("the message has no body")
                if leases or not messages:
                    return [*leases]

    async def depth(self) -> Depth:
        """See the port."""
        async with self.place() as place:
            consumer = await place.jetstream.consumer_info(place.stream, DURABLE)
            dead = await place.jetstream.stream_info(place.dead_stream, subjects_filter=self.dead_subject)
            pending = (consumer.num_pending or 0) + (consumer.num_ack_pending or 0)
            return Depth(pending=pending, dead=(dead.state.subjects or {}).get(self.dead_subject, 0))

    async def list_dead(self, limit: int) -> list[DeadLetter]:
        """See the port."""
        async with self.place() as place:
            dead: list[DeadLetter] = []
            sequence = 1
            while len(dead) < limit and (raw := await self._dead_from(place, sequence)) is not None:
                dead.append(_dead_letter(raw))
                sequence = (raw.seq or sequence) + 1
            return dead

    async def requeue_dead(self, message_id: str | None = None) -> int:
        """See the port."""
        if message_id is not None and not message_id.isdecimal():
            return 0
        requeued, sequence = 0, 1 if message_id is None else int(message_id)
        async with self.place() as place:
            while (raw := await self._dead_from(place, sequence)) is not None and raw.seq is not None:
                if message_id is not None and raw.seq != sequence:
                    break
                headers = requeued_headers(stored_headers(raw.hdrs), f"requeued-{place.dead_stream}-{raw.seq}")
                await place.jetstream.publish(self._address.queue, raw.data or b"", headers=headers)
                with suppress(NotFoundError):
                    await place.jetstream.delete_msg(place.dead_stream, raw.seq)
                requeued, sequence = requeued + 1, raw.seq + 1
                if message_id is not None:
                    break
        return requeued

    async def close(self) -> None:
        """See the port."""
        place, self._place = self._place, None
        if place is not None:
            with suppress(NatsError, OSError):
                await place.client.close()

    async def settle(self, reply: str, word: bytes) -> None:
        """Tell the server what becomes of a message, and wait until it has got it."""
        async with self.place() as place:
            await place.client.request(reply, word, timeout=ANSWER_SECONDS)

    async def bury(self, message: Msg, notes: Mapping[str, str], key: str) -> None:
        """Copy a message to the dead letters; the server takes a second copy as a duplicate."""
        async with self.place() as place:
            id = f"dead-{place.stream}-{message.metadata.sequence.stream}"
            headers = dead_headers(message.headers or {}, notes, key, id)
            await place.jetstream.publish(self.dead_subject, message.data, headers=headers)

    @asynccontextmanager
    async def place(self) -> AsyncGenerator[Place]:
        """A connection whose failures are ours; a failed or cancelled call ends it, so that no answer comes late."""
        try:
            async with self._connecting:
                if self._place is None or not self._place.client.is_connected:
                    await self.close()
                    self._place = await open_place(self._address, self.dead_subject)
            yield self._place
        except BadRequestError as error:
            await self.close()
            raise self._address.wrong(f"the server refuses ({error.description})", "compare docs/queues.md") from error
        except (NatsError, OSError, TimeoutError) as error:
            await self.close()
            raise BrokerUnavailable(f"{self.name}: {str(error) or type(error).__name__}") from error
        except asyncio.CancelledError:
            await self.close()
            raise

    async def _dead_from(self, place: Place, sequence: int) -> RawStreamMsg | None:
        try:
            return await place.jetstream.get_msg(place.dead_stream, seq=sequence, subject=self.dead_subject, next=True)
        except NotFoundError:
            return None

    def _lease(self, message: Msg) -> "JetStreamLease":
        headers = message.headers or {}
        return JetStreamLease(
            body=message.data,
            key=key_of(headers),
            attempt=message.metadata.num_delivered,
            message_id=str(message.metadata.sequence.stream),
            media_type=read(headers, CONTENT_TYPE) or DEFAULT_MEDIA_TYPE,
            message=message,
            source=self,
        )


@dataclass(kw_only=True, eq=False)
class JetStreamLease(Lease):
    """A message within its ack wait."""

    message: Msg = field(repr=False)
    source: JetStreamSource = field(repr=False)

    async def _ack(self) -> None:
        await self.source.settle(self.message.reply, b"+ACK")

    async def _retry(self, delay_seconds: float) -> None:
        delay = orjson.dumps({"delay": round(delay_seconds * 1e9)})
        await self.source.settle(self.message.reply, b"-NAK " + delay)

    async def _dead_letter(self, reason: str) -> None:
        await self.source.bury(self.message, self.notes(reason, self.source.name), self.key)
        await self.source.settle(self.message.reply, b"+TERM")


def _dead_letter(raw: RawStreamMsg) -> DeadLetter:
    headers = stored_headers(raw.hdrs)
    return DeadLetter.of(
        headers,
        message_id=str(raw.seq),
        body=raw.data or b"",
        key=read(headers, KEY),
        media_type=read(headers, CONTENT_TYPE) or DEFAULT_MEDIA_TYPE,
    )
