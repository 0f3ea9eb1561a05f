"""A client of Amazon SQS with the URLs of a source's queues, and what AWS's failures mean."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, cast

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    TokenRetrievalError,
)

from longshift.adapters.brokers.address import Address
from longshift.adapters.brokers.sqs_address import QueueAddress
from longshift.contracts.errors import BadInput, BrokerUnavailable

LONGEST_WAIT_SECONDS = 20
CONNECT_SECONDS = 10
READ_SECONDS = LONGEST_WAIT_SECONDS + 20
DEAD_RETENTION_SECONDS = 1_209_600
"""Fourteen days, the longest that SQS keeps a message."""

FAILURES = (BotoCoreError, ClientError, OSError, TimeoutError)
"""All that a call can raise but bugs."""
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


@dataclass(frozen=True)
class Queues:
    """A client, and the URLs of the queues."""

    client: Any
    url: str
    dead_url: str


async def open_client(where: QueueAddress, stack: AsyncExitStack) -> Any:
    """A client for the region, closed with `stack`. It does not connect yet."""
    config = AioConfig(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        # One error per lost connection: waiting and trying again is the caller's.
        retries={"total_max_attempts": 1, "mode": "standard"},
    )
    session: Any = AioSession()
    creating = session.create_client(
        "sqs",
        region_name=where.region,
        endpoint_url=where.endpoint_url,
        verify=where.address.ca_file or None,
        config=config,
    )
    return await stack.enter_async_context(creating)


async def find_queues(client: Any, where: QueueAddress) -> Queues:
    """Find the queue, and its queue of the dead or make that.

    Raises:
        BadInput: the queue of the dead cannot be made.
        BotoCoreError, ClientError: see `failure_of`.
    """
    owner = {"QueueOwnerAWSAccountId": where.account} if where.account else {}
    url = (await client.get_queue_url(QueueName=where.address.queue, **owner))["QueueUrl"]
    return Queues(client, url, await _dead_url(client, where, owner))


def failure_of(error: BaseException, address: Address) -> BadInput | BrokerUnavailable:
    """What a failed call means: a person has to mend something, or AWS is not there."""
    if isinstance(error, NO_CREDENTIALS):
        return address.wrong(str(error), "give credentials in AWS_… variables or a profile")
    code = code_of(error)
    if code in REFUSED:
        return address.wrong(f"AWS refuses ({error})", "check credentials and the queue's policy")
    if code in ABSENT:
        return address.wrong("there is no such queue", "create it, or mend region, account and name")
    return BrokerUnavailable(f"{address.name}: {error}")


def code_of(error: BaseException) -> str:
    """The code of AWS's answer; empty if it gave none."""
    if not isinstance(error, ClientError):
        return ""
    answer = cast("dict[str, Any]", error.response)  # pyright: ignore[reportUnknownMemberType]  # untyped
    return str(answer.get("Error", {}).get("Code", ""))


async def _dead_url(client: Any, where: QueueAddress, owner: dict[str, str]) -> str:
    name = where.dead_queue
    try:
        return str((await client.get_queue_url(QueueName=name, **owner))["QueueUrl"])
    except ClientError as error:
        if code_of(error) not in ABSENT:
            raise
    attributes = {"MessageRetentionPeriod": str(DEAD_RETENTION_SECONDS)}
    if where.is_fifo:
        attributes["FifoQueue"] = "true"
    try:
        return str((await client.create_queue(QueueName=name, Attributes=attributes))["QueueUrl"])
    except ClientError as error:
        raise where.address.wrong(f"the queue {name} for dead letters cannot be made ({error})", "create it") from error
