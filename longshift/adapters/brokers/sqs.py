"""Amazon SQS: the visibility timeout is the lease, and dead letters go to a queue of their own with their reasons.

The queue itself is not made here, as whoever sends to it needs it first. Credentials come from where AWS clients look.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    TokenRetrievalError,
)

from longshift.adapters.brokers.port import DeadLetter, Depth, Lease, TaskSource
from longshift.adapters.brokers.sqs_address import QueueAddress, parse_queue_address
from longshift.adapters.brokers.sqs_messages import (
    Message,
    attempt_of,
    body_of,
    copy_of,
    dead_letter,
    key_of,
    media_type_of,
)
from longshift.contracts.errors import BrokerUnavailable

BATCH = 10
"""The most messages of one call (SQS quota)."""
LONGEST_WAIT_SECONDS = 20
LONGEST_DELAY_SECONDS = 43_000
"""SQS takes 43,200 s counted from the receipt of the message; the rest is for what was done since."""
DEAD_RETENTION_SECONDS = 1_209_600
"""Fourteen days, the longest that SQS keeps a message."""
LOOKING_SECONDS = 30
"""How long dead letters that are looked at are hidden from others, should this process die meanwhile."""
CONNECT_SECONDS = 10
READ_SECONDS = LONGEST_WAIT_SECONDS + 20
COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")

NO_CREDENTIALS = (
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    TokenRetrievalError,
)
REFUSED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSecurity",
        "MissingAuthenticationToken",
        "NotAuthorized",
        "OptInRequired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
"""Codes that say that the credentials are wrong or not enough."""
ABSENT = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})


def open_queue(url: str) -> "SqsSource":
    """The queue that an `sqs://` or `https://` URL names.

    Raises:
        BadInput: the URL cannot be used.
    """
    return SqsSource(parse_queue_address(url))


@dataclass(frozen=True)
class Queues:
    """A client, and the URLs of the queues."""

    client: Any
    url: str
    dead_url: str


class SqsSource(TaskSource):
    """A queue and, beside it, `<queue>-dead`."""

    def __init__(self, where: QueueAddress) -> None:
        super().__init__(where.address)
        self._where = where
        self._stack = AsyncExitStack()
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
            await self._look(queues, seen, limit)
            return [dead_letter(message) for message in seen.values()][:limit]

    async def requeue_dead(self, message_id: str | None = None) -> int:
        """See the port."""
        async with self.queues() as queues, self._looked_at(queues) as seen:
            requeued = 0
            while await self._look(queues, seen, len(seen) + BATCH):
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
        self._queues = None
        await self._stack.aclose()

    @asynccontextmanager
    async def queues(self) -> AsyncGenerator[Queues]:
        """Client and queues; failures are ours."""
        try:
            async with self._connecting:
                if self._queues is None:
                    self._queues = await self._opened()
            yield self._queues
        except NO_CREDENTIALS as error:
            raise self._address.wrong(str(error), "give credentials in AWS_… variables or a profile") from error
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in REFUSED:
                raise self._address.wrong(
                    f"AWS refuses ({error})", "check credentials and the queue's policy"
                ) from error
            if code in ABSENT:
                self._queues = None
                raise self._address.wrong("there is no such queue", "create it, or mend region and name") from error
            raise BrokerUnavailable(f"{self.name}: {error}") from error
        except (BotoCoreError, HTTPClientError, OSError, TimeoutError) as error:
            raise BrokerUnavailable(f"{self.name}: {error}") from error

    async def _opened(self) -> Queues:
        await self._stack.aclose()
        session: Any = get_session()
        config = AioConfig(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            # One error per lost connection: waiting and trying again is the caller's.
            retries={"total_max_attempts": 1, "mode": "standard"},
        )
        creating = session.create_client(
            "sqs",
            region_name=self._where.region,
            endpoint_url=self._where.endpoint_url,
            verify=self._address.ca_file or None,
            config=config,
        )
        client: Any = await self._stack.enter_async_context(creating)
        owner = {"QueueOwnerAWSAccountId": self._where.account} if self._where.account else {}
        url = (await client.get_queue_url(QueueName=self._address.queue, **owner))["QueueUrl"]
        return Queues(client, url, await self._dead_url(client, owner))

    async def _dead_url(self, client: Any, owner: dict[str, str]) -> str:
        name = self._where.dead_queue
        try:
            return str((await client.get_queue_url(QueueName=name, **owner))["QueueUrl"])
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") not in ABSENT:
                raise
        attributes = {"MessageRetentionPeriod": str(DEAD_RETENTION_SECONDS)}
        if self.is_fifo:
            attributes["FifoQueue"] = "true"
        try:
            return str((await client.create_queue(QueueName=name, Attributes=attributes))["QueueUrl"])
        except ClientError as error:
            raise self._address.wrong(
                f"the queue {name} for dead letters cannot be made ({error})", "create it"
            ) from error

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

    async def _look(self, queues: Queues, seen: dict[str, Message], until: int) -> bool:
        """Take dead letters out to look at them, until there are so many; whether any came."""
        before = len(seen)
        while len(seen) < until:
            answer = await queues.client.receive_message(
                QueueUrl=queues.dead_url,
                MaxNumberOfMessages=min(BATCH, until - len(seen)),
                # Long enough that all of SQS's servers are asked.
                WaitTimeSeconds=1,
                VisibilityTimeout=LOOKING_SECONDS,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["All"],
            )
            messages = answer.get("Messages", [])
            if not messages:
                break
            seen.update((message["MessageId"], message) for message in messages)
        return len(seen) > before

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
