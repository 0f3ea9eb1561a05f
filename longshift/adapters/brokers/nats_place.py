"""A connection to a NATS server with the streams and the consumer that a queue needs, found or made."""

import re
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DiscardPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

from longshift.adapters.brokers.address import Address

DURABLE = "longshift"
MAX_ACK_PENDING = 10_000
"""Messages that are put off count as pending, and beyond this none would be delivered."""
DUPLICATE_WINDOW_SECONDS = 120.0
ANSWER_SECONDS = 5
"""A server that does not answer a request for longer is not there."""
PING_SECONDS = 20


@dataclass(frozen=True)
class Place:
    """A connection, and what is there."""

    client: Client
    jetstream: JetStreamContext
    stream: str
    dead_stream: str


async def open_place(address: Address, dead_subject: str) -> Place:
    """Connect, and make what is not there yet.

    Raises:
        BadInput: the server refuses the credentials.
        NatsError, OSError, TimeoutError: it is not there, or refuses a stream.
    """
    client = await _connected(address)
    try:
        jetstream = JetStreamContext(client, timeout=ANSWER_SECONDS)
        replicas = int(address.parameters.get("replicas", "1"))
        stream = await _stream(jetstream, address.queue, RetentionPolicy.WORK_QUEUE, replicas)
        dead_stream = await _stream(jetstream, dead_subject, RetentionPolicy.LIMITS, replicas)
        consumer = ConsumerConfig(
            durable_name=DURABLE,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=address.lease_seconds,
            max_deliver=-1,
            max_ack_pending=MAX_ACK_PENDING,
            filter_subject=address.queue,
        )
        await jetstream.add_consumer(stream, consumer)  # pyright: ignore[reportUnknownMemberType]  # its keywords are untyped
    except BaseException:
        await client.close()
        raise
    return Place(client=client, jetstream=jetstream, stream=stream, dead_stream=dead_stream)


async def _connected(address: Address) -> Client:
    options: dict[str, Any] = {}
    if address.user is not None:
        login = ("token",) if address.password is None else ("user", "password")
        options.update(zip(login, (address.user, address.password), strict=False))
    if credentials := address.parameters.get("credentials_file"):
        options["user_credentials"] = credentials
    if address.scheme == "tls" or address.ca_file:
        options["tls"] = ssl.create_default_context(cafile=address.ca_file or None)
    client, errors = Client(), list[str]()

    async def note(error: Exception) -> None:
        errors.append(str(error))
        _let_go(client)

    try:
        await client.connect(
            f"{address.scheme}://{address.host}",
            # One error per lost connection: waiting and trying again is the caller's.
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=ANSWER_SECONDS,
            ping_interval=PING_SECONDS,
            # A refusal is read before anything else is sent: what follows it would meet a closed socket, and the reset
            # would take the server's reason with it.
            verbose=True,
            error_cb=note,
            **options,
        )
    except NatsError as error:
        # A refused client keeps its socket.
        await client.close()
        reason = errors[-1] if errors else str(error)
        if "authorization" in reason.lower():
            remedy = "check user, password, token or credentials_file"
            raise address.wrong(f"the server refuses ({reason})", remedy) from error
        raise NatsError(reason) from error
    except BaseException:
        # Cancelled in the middle of it, say.
        _let_go(client)
        await client.close()
        raise
    return client


def _let_go(client: Client) -> None:
    """Close the socket of an attempt that came to nothing; the client tries once more and forgets it."""
    transport = client._transport  # pyright: ignore[reportPrivateUsage]  # nothing public closes it
    if transport is not None and not client.is_connected:
        transport.close()


async def _stream(jetstream: JetStreamContext, subject: str, retention: RetentionPolicy, replicas: int) -> str:
    with suppress(NotFoundError):
        return await jetstream.find_stream_name_by_subject(subject)
    name = re.sub(r"[^A-Za-z0-9_-]", "_", subject)
    config = StreamConfig(
        name=name,
        subjects=[subject],
        retention=retention,
        storage=StorageType.FILE,
        # A full stream refuses its senders; it never drops what it has.
        discard=DiscardPolicy.NEW,
        num_replicas=replicas,
        duplicate_window=DUPLICATE_WINDOW_SECONDS,
    )
    await jetstream.add_stream(config)  # pyright: ignore[reportUnknownMemberType]  # its keywords are untyped
    return name
