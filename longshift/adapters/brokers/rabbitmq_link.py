"""A connection to a RabbitMQ server with the queues that a source needs, found or made, and what is done on it.

Queues that exist are used as they are; missing ones are quorum queues. What becomes of a message is not decided here.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import ChannelInvalidStateError, ChannelNotFoundEntity

from longshift.adapters.brokers.address import Address

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 10.0
"""A server that does not answer a request for longer is not there."""
DELIVERY_LIMIT = 1_000_000
"""Servers from 4.0 on drop a message after 20 returns unless told otherwise; here a count never decides."""
SPARE_SECONDS = 86_400
"""A queue of delays that was not used for this long beyond its delay is removed."""

Arguments = Mapping[str, str | int]


@dataclass(frozen=True)
class Link:
    """A channel whose publishing is confirmed, and what it has been given but not handed on."""

    connection: AbstractConnection
    channel: AbstractChannel
    looking: AbstractChannel
    """For looking at dead letters: on one channel, what is taken comes after what was given back."""
    arrived: asyncio.Queue[AbstractIncomingMessage] = field(default_factory=asyncio.Queue[AbstractIncomingMessage])

    async def received(self, queue: str, count: int, wait_seconds: float) -> list[AbstractIncomingMessage]:
        """Up to `count` messages; a consumer exists only during this call, so that none are held between two."""
        if self.arrived.empty():
            await self.channel.set_qos(prefetch_count=count, timeout=ANSWER_SECONDS)
            source = await self.channel.get_queue(queue, ensure=False)
            tag = await source.consume(self.arrived.put, timeout=ANSWER_SECONDS)
            await self._first(wait_seconds)
            # What is on its way comes before the answer to this.
            await source.cancel(tag, timeout=ANSWER_SECONDS)
        messages: list[AbstractIncomingMessage] = []
        while len(messages) < count and not self.arrived.empty():
            messages.append(self.arrived.get_nowait())
        return messages

    async def publish(self, message: aio_pika.Message, queue: str) -> None:
        """Put a message into a queue; returns when the server has it safe."""
        await self.channel.default_exchange.publish(message, queue, timeout=ANSWER_SECONDS)

    async def declare(self, queue: str, arguments: Arguments) -> None:
        """Make a quorum queue; one that exists must be the same."""
        await self.channel.declare_queue(
            queue,
            durable=True,
            arguments={"x-queue-type": "quorum", "x-delivery-limit": DELIVERY_LIMIT, **arguments},
            timeout=ANSWER_SECONDS,
        )

    async def declare_delay(self, queue: str, delay_seconds: int) -> str:
        """Make the queue from which messages go back to `queue` after the delay; returns its name."""
        name = f"{queue}.retry.{delay_seconds}"
        back: Arguments = {
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": queue,
            # Moved only once the target has it; this strategy wants the overflow rule.
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
            "x-message-ttl": delay_seconds * 1_000,
            "x-expires": (delay_seconds + SPARE_SECONDS) * 1_000,
        }
        await self.declare(name, back)
        return name

    async def count(self, queue: str) -> int | None:
        """How many messages wait in a queue; None if there is no such queue."""
        # An answer of "none" closes the channel that asked.
        channel = await self.connection.channel(publisher_confirms=False)
        try:
            found = await channel.declare_queue(queue, passive=True, timeout=ANSWER_SECONDS)
        except ChannelNotFoundEntity:
            return None
        await channel.close()
        return found.declaration_result.message_count or 0

    @asynccontextmanager
    async def taken(self, queue: str, limit: int | None) -> AsyncGenerator[list[AbstractIncomingMessage]]:
        """Messages taken out to look at, by default all; those that are left in the list go back in the end."""
        source = await self.looking.get_queue(queue, ensure=False)
        messages: list[AbstractIncomingMessage] = []
        while len(messages) != limit and (one := await source.get(fail=False, timeout=ANSWER_SECONDS)) is not None:
            messages.append(one)
        yield messages
        for message in messages:
            await message.nack(requeue=True)

    async def _first(self, wait_seconds: float) -> None:
        waiting = asyncio.create_task(self.arrived.get())
        closed = asyncio.ensure_future(self.channel.closed())
        try:
            await asyncio.wait({waiting, closed}, timeout=wait_seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            closed.cancel()
            if not waiting.cancel():
                self.arrived.put_nowait(waiting.result())
        if self.channel.is_closed:
            raise ChannelInvalidStateError("the connection was lost")


async def open_link(address: Address) -> Link:
    """Connect, and make the queues that are not there yet.

    Raises:
        AMQPError, OSError, RuntimeError, TimeoutError: the server is not there, or refuses.
    """
    context = ssl.create_default_context(cafile=address.ca_file or None) if address.scheme == "amqps" else None
    connection = await aio_pika.connect(address.url, timeout=CONNECT_SECONDS, ssl_context=context)
    try:
        confirmed = await connection.channel(publisher_confirms=True, on_return_raises=True)
        link = Link(connection, confirmed, await connection.channel(publisher_confirms=False))
        dead = f"{address.queue}.dead"
        if await link.count(dead) is None:
            await link.declare(dead, {})
        if await link.count(address.queue) is None:
            # Should the server ever give a message up by itself, it is kept all the same.
            await link.declare(address.queue, {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead})
    except BaseException:
        await connection.close()
        raise
    return link
