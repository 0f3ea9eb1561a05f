"""Amazon SQS: the visibility timeout is the lease, and dead letters go to a queue of their own with their reasons.

The queue itself is not made here, as whoever sends to it needs it first. Credentials come from where AWS clients look.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from longshift.adapters.brokers.port import DeadLetter, Depth, Lease, TaskSource
from longshift.adapters.brokers.sqs_address import QueueAddress, parse_queue_address
from longshift.adapters.brokers.sqs_client import (
    FAILURES,
    LONGEST_WAIT_SECONDS,
    Queues,
    failure_of,
    find_queues,
    open_client,
)
from longshift.adapters.brokers.sqs_messages import (
    Message,
    attempt_of,
    body_of,
    copy_of,
    dead_letter,
    key_of,
    media_type_of,
)

BATCH = 10
"""The most messages of one call (SQS quota)."""
LONGEST_DELAY_SECONDS = 43_000
"""SQS takes 43,200 s counted from the receipt of the message; the rest is for what was done since."""
LOOKING_SECONDS = 30
"""How long dead letters that are looked at are hidden from others, should this process die meanwhile."""
COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")


def open_queue(url: str) -> "SqsSource":
    """The queue that an `sqs://` or `https://` URL names.

    Raises:
        BadInput: the URL cannot be used.
    """
    return SqsSource(parse_queue_address(url))


class SqsSource(TaskSource):
    """A queue and, beside it, `<queue>-dead`."""

    def __init__(self, where: QueueAddress) -> None:
        super().__init__(where.address)
        self._where = where
        self._stack = AsyncExitStack()
        self._client: Any = None
        self._queues: Queues | None = None
        self._connecting = asyncio.Lock()

    @property
    def is_fifo(self) -> bool:
        """Whether the queue keeps an order."""
        return self._where.is_fifo

    async def receive(self, max_messages: int, wait_seconds: float) -> list[Lease]:
        """See the port; at most ten at a time."""
        deadline = asyncio.get_running_loop().time() + wait_seconds
        async with self.queues() as queues:
            while True:
                left_seconds = max(0.0, deadline - asyncio.get_running_loop().time())
                answer = await queues.client.receive_message(
                    QueueUrl=queues.url,
                    MaxNumberOfMessages=min(max_messages, BATCH),
                    WaitTimeSeconds=min(ceil(left_seconds), LONGEST_WAIT_SECONDS),
                    VisibilityTimeout=ceil(self._address.lease_seconds),
                    MessageAttributeNames=["All"],
                    MessageSystemAttributeNames=["All"],
                )
                found = [await self._lease(message) for message in answer.get("Messages", [])]
                leases: list[Lease] = [lease for lease in found if lease is not None]
                if leases or left_seconds <= 0:
                    return leases

    async def depth(self) -> Depth:
        """See the port; approximate."""
        async with self.queues() as queues:
            pending = await self._count(queues.client, queues.url)
            return Depth(pending=pending, dead=await self._count(queues.client, queues.dead_url))

    async def list_dead(self, limit: int) -> list[DeadLetter]:
        """See the port. Who lists at the same time sees only what the other is not looking at."""
        async with self.queues() as queues, self._looked_at(queues) as seen:
            while len(seen) < limit and await self._look(queues, seen, limit - len(seen)):
                pass
            return [dead_letter(message) for message in seen.values()][:limit]

    async def requeue_dead(self, message_id: str | None = None) -> int:
        """See the port."""
        async with self.queues() as queues, self._looked_at(queues) as seen:
            requeued = 0
            while await self._look(queues, seen, BATCH):
                for id in [id for id in seen if message_id in (None, id)]:
                    message = seen.pop(id)
                    copy = copy_of(message, {}, is_fifo=self.is_fifo)
                    await queues.client.send_message(QueueUrl=queues.url, **copy)
                    await queues.client.delete_message(QueueUrl=queues.dead_url, ReceiptHandle=message["ReceiptHandle"])
                    requeued += 1
                if message_id is not None and requeued:
                    break
            return requeued

    async def close(self) -> None:
        """See the port."""
        self._client = self._queues = None
        await self._stack.aclose()

    @asynccontextmanager
    async def queues(self) -> AsyncGenerator[Queues]:
        """Client and queues; failures are ours."""
        try:
            async with self._connecting:
                if self._queues is None:
                    if self._client is None:
                        self._client = await open_client(self._where, self._stack)
                    self._queues = await find_queues(self._client, self._where)
            yield self._queues
        except FAILURES as error:
            # Looked for anew by the next call; the client stays, as others may be waiting on it.
            self._queues = None
            raise failure_of(error, self._address) from error

    async def _lease(self, message: Message) -> "SqsLease | None":
        try:
            body, wrong = body_of(message), ""
        except ValueError as error:
            body, wrong = b"", f"the body cannot be decoded: {error}"
        lease = SqsLease(
            body=body,
            key=key_of(message),
            attempt=attempt_of(message),
            message_id=message["MessageId"],
            media_type=media_type_of(message),
            message=message,
            source=self,
        )
        if wrong or not body:
            await lease.dead_letter(wrong or "the message has no body")
            return None
        return lease

    async def _count(self, client: Any, url: str) -> int:
        answer = await client.get_queue_attributes(QueueUrl=url, AttributeNames=list(COUNTS))
        return sum(int(answer["Attributes"].get(name, 0)) for name in COUNTS)

    async def _look(self, queues: Queues, seen: dict[str, Message], count: int) -> bool:
        """Take up to `count` dead letters out to look at them; whether any came."""
        answer = await queues.client.receive_message(
            QueueUrl=queues.dead_url,
            MaxNumberOfMessages=min(BATCH, count),
            # Long enough that all of SQS's servers are asked.
            WaitTimeSeconds=1,
            VisibilityTimeout=LOOKING_SECONDS,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        messages = answer.get("Messages", [])
        seen.update((message["MessageId"], message) for message in messages)
        return bool(messages)

    @asynccontextmanager
    async def _looked_at(self, queues: Queues) -> AsyncGenerator[dict[str, Message]]:
        """What is taken out to look at; what is left of it in the end goes back at once."""
        seen: dict[str, Message] = {}
        try:
            yield seen
        finally:
            for message in seen.values():
                await queues.client.change_message_visibility(
                    QueueUrl=queues.dead_url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
                )


@dataclass(kw_only=True, eq=False)
class SqsLease(Lease):
    """A message that is not visible to others."""

    message: Message = field(repr=False)
    source: SqsSource = field(repr=False)

    async def _ack(self) -> None:
        async with self.source.queues() as queues:
            await queues.client.delete_message(QueueUrl=queues.url, ReceiptHandle=self.message["ReceiptHandle"])

    async def _retry(self, delay_seconds: float) -> None:
        async with self.source.queues() as queues:
            await queues.client.change_message_visibility(
                QueueUrl=queues.url,
                ReceiptHandle=self.message["ReceiptHandle"],
                VisibilityTimeout=min(ceil(delay_seconds), LONGEST_DELAY_SECONDS),
            )

    async def _dead_letter(self, reason: str) -> None:
        async with self.source.queues() as queues:
            copy = copy_of(self.message, self.notes(reason, self.source.name), is_fifo=self.source.is_fifo)
            await queues.client.send_message(QueueUrl=queues.dead_url, **copy)
            await queues.client.delete_message(QueueUrl=queues.url, ReceiptHandle=self.message["ReceiptHandle"])
