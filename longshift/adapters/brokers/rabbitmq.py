"""RabbitMQ: quorum queues over AMQP 0-9-1. A lease lasts as long as its connection, and every copy is confirmed.

`<queue>.dead` keeps the dead letters, `<queue>.retry.<seconds>` what is put off. The property `message_id` is the key.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from aio_pika.abc import AbstractIncomingMessage
from aio_pika.exceptions import (
    AMQPError,
    AuthenticationError,
    ChannelInvalidStateError,
    ChannelPreconditionFailed,
    InvalidFrameError,
    ProbableAuthenticationError,
)
from aiormq.exceptions import ChannelAccessRefused, ConnectionNotAllowed

from longshift.adapters.brokers.address import Address, parse_address
from longshift.adapters.brokers.port import ATTEMPT, DEFAULT_MEDIA_TYPE, DeadLetter, Depth, Lease, TaskSource
from longshift.adapters.brokers.rabbitmq_link import Link, open_link
from longshift.adapters.brokers.rabbitmq_messages import attempt_of, copy_of, dead_letter, delay_of, key_of
from longshift.contracts.errors import BrokerUnavailable

REFUSED = (AuthenticationError, ChannelAccessRefused, ConnectionNotAllowed, ProbableAuthenticationError)
UNOPENED = "the server ended the connection as it was opened; is there such a virtual host, and is it for this user?"


def open_queue(url: str) -> "RabbitSource":
    """The queue that an `amqp://` or `amqps://` URL names.

    Raises:
        BadInput: the URL cannot be used.
    """
    return RabbitSource(parse_address(url))


class RabbitSource(TaskSource):
    """A queue and, beside it, those of the dead and of the delayed."""

    def __init__(self, address: Address) -> None:
        super().__init__(address)
        self.queue = address.queue
        self.dead_queue = f"{address.queue}.dead"
        self._link: Link | None = None
        self._connecting = asyncio.Lock()

    async def receive(self, max_messages: int, wait_seconds: float) -> list[Lease]:
        """See the port."""
        deadline = asyncio.get_running_loop().time() + wait_seconds
        async with self.link() as link:
            while True:
                left_seconds = max(0.0, deadline - asyncio.get_running_loop().time())
                messages = await link.received(self.queue, max_messages, left_seconds)
                leases: list[Lease] = [
                    lease for each in messages if await self._is_fit(lease := self._lease(each, link))
                ]
                if leases or not messages:
                    return leases

    async def depth(self) -> Depth:
        """What waits; AMQP does not tell what is leased or put off."""
        async with self.link() as link:
            return Depth(pending=await link.count(self.queue) or 0, dead=await link.count(self.dead_queue) or 0)

    async def list_dead(self, limit: int) -> list[DeadLetter]:
        """See the port. Who lists at the same time sees only what the other has not taken out to look at."""
        async with self.link() as link, link.taken(self.dead_queue, limit) as messages:
            return [dead_letter(message) for message in messages]

    async def requeue_dead(self, message_id: str | None = None) -> int:
        """See the port."""
        requeued = 0
        async with self.link() as link, link.taken(self.dead_queue, None) as messages:
            for message in [each for each in messages if message_id in (None, each.message_id)]:
                await link.publish(copy_of(message, {}), self.queue)
                await message.ack()
                messages.remove(message)
                requeued += 1
        return requeued

    async def close(self) -> None:
        """See the port."""
        link, self._link = self._link, None
        if link is not None:
            with suppress(AMQPError, OSError, RuntimeError):
                await link.connection.close()

    @asynccontextmanager
    async def link(self, holder: Link | None = None) -> AsyncGenerator[Link]:
        """A connection whose failures are ours; a failed or cancelled call ends it, and all goes back that it held.

        What a `holder` has leased can only be settled while it lives.
        """
        if holder is not None and (holder is not self._link or holder.channel.is_closed):
            raise BrokerUnavailable(f"{self.name}: the lease ended with its connection; the message is delivered again")
        try:
            yield await self._opened()
        except REFUSED as error:
            await self.close()
            raise self._refusal(error) from error
        except ChannelPreconditionFailed as error:
            await self.close()
            remedy = "remove the queue that is otherwise, or name another by ?queue=NAME"
            raise self._address.wrong(f"the server refuses ({error})", remedy) from error
        except (AMQPError, ChannelInvalidStateError, OSError, TimeoutError) as error:
            await self.close()
            # What the server says when it ends a connection that is being opened, the client does not tell.
            reason = UNOPENED if isinstance(error, InvalidFrameError) else str(error) or type(error).__name__
            raise BrokerUnavailable(f"{self.name}: {reason}") from error
        except asyncio.CancelledError:
            await self.close()
            raise

    async def _opened(self) -> Link:
        async with self._connecting:
            if self._link is None or self._link.channel.is_closed:
                await self.close()
                self._link = await open_link(self._address)
            return self._link

    def _refusal(self, error: Exception) -> Exception:
        return self._address.wrong(
            f"the server refuses ({error})", "check user, password, virtual host and permissions"
        )

    def _lease(self, message: AbstractIncomingMessage, link: Link) -> "RabbitLease":
        return RabbitLease(
            body=message.body,
            key=key_of(message),
            attempt=attempt_of(message),
            message_id=message.message_id or "",
            media_type=message.content_type or DEFAULT_MEDIA_TYPE,
            message=message,
            link=link,
            source=self,
        )

    async def _is_fit(self, lease: "RabbitLease") -> bool:
        """Whether it can be handed on: it has a body, and a name by which a redelivery is known."""
        if not lease.body:
            await lease.dead_letter("the message has no body")
        elif not lease.message_id:
            await lease.link.publish(copy_of(lease.message, {ATTEMPT: lease.attempt - 1}), self.queue)
            await lease.ack()
        else:
            return True
        return False


@dataclass(kw_only=True, eq=False)
class RabbitLease(Lease):
    """A message that its channel has not acknowledged."""

    message: AbstractIncomingMessage = field(repr=False)
    link: Link = field(repr=False)
    source: RabbitSource = field(repr=False)

    async def _ack(self) -> None:
        async with self.source.link(self.link):
            await self.message.ack()

    async def _retry(self, delay_seconds: float) -> None:
        async with self.source.link(self.link) as link:
            queue = await link.declare_delay(self.source.queue, delay_of(delay_seconds))
            await link.publish(copy_of(self.message, {ATTEMPT: self.attempt}), queue)
            await self.message.ack()

    async def _dead_letter(self, reason: str) -> None:
        async with self.source.link(self.link) as link:
            notes = self.notes(reason, self.source.name)
            await link.publish(copy_of(self.message, notes), self.source.dead_queue)
            await self.message.ack()
