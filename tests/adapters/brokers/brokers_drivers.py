"""What a test does to a broker from outside: sends to it as any program would, stops it and starts it again."""

import asyncio
from abc import ABC, abstractmethod
from base64 import b64encode
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import aio_pika
from aiobotocore.session import AioSession
from brokers_bare_amqp import publish_bare
from brokers_servers import (
    NATS_PASSWORD,
    NATS_USER,
    MotoServer,
    ServerProcess,
    nats_server,
    rabbitmq_servers,
    valkey_server,
)
from nats.aio.client import Client as NatsClient
from redis.asyncio import Redis

from longshift.adapters.brokers import open_source
from tests.ports import HOST

REGION = "eu-west-1"


class Driver(ABC):
    """One broker. `url` names a queue of it; senders use the vendor's client, and nothing of ours."""

    servers: "tuple[ServerProcess | MotoServer, ...]"

    def start(self) -> None:
        """Start what has to run."""
        for server in self.servers:
            server.start()
            server.wait()

    def stop(self) -> None:
        """End all of it."""
        for server in reversed(self.servers):
            server.stop()

    async def crash(self) -> None:
        """End the server itself, without a word."""
        await asyncio.to_thread(self.servers[-1].stop)

    async def recover(self) -> None:
        """Start it again on its data."""
        self.servers[-1].start()
        await asyncio.to_thread(self.servers[-1].wait)

    async def prepare(self, queue: str) -> None:
        """Let there be a queue to send to: by default, a source makes it."""
        async with open_source(self.url(queue)) as source:
            await source.depth()

    @abstractmethod
    def url(self, queue: str, *, lease_seconds: int = 60) -> str:
        """Of a queue."""

    @abstractmethod
    def refused_url(self, queue: str) -> str:
        """With credentials that the server does not take."""

    @abstractmethod
    async def send(self, queue: str, *bodies: bytes, key: str = "", media_type: str = "") -> None:
        """Send messages; `key` has {} for the number of each."""

    @abstractmethod
    async def send_foreign(self, queue: str) -> None:
        """Send what is no task."""


class ValkeyDriver(Driver):
    """Streams."""

    def __init__(self, folder: Path) -> None:
        server = valkey_server(folder)
        self.port, self.servers = server.port, (server,)

    def url(self, queue: str, *, lease_seconds: int = 60) -> str:
        return f"valkey://{HOST}:{self.port}/0?queue={queue}&lease_seconds={lease_seconds}"

    def refused_url(self, queue: str) -> str:
        return f"redis://nobody:hush@{HOST}:{self.port}?queue={queue}"

    def client(self) -> "Redis":
        return Redis(host=HOST, port=self.port, protocol=2)

    async def send(self, queue: str, *bodies: bytes, key: str = "", media_type: str = "") -> None:
        async with self.client() as client:
            for number, body in enumerate(bodies):
                fields: dict[Any, Any] = {"task": body, "key": key.format(number), "media_type": media_type}
                await client.xadd(queue, {name: value for name, value in fields.items() if value})

    async def send_foreign(self, queue: str) -> None:
        async with self.client() as client:
            await client.xadd(queue, {"colour": b"\xff red", "key": "k"})


class NatsDriver(Driver):
    """JetStream."""

    def __init__(self, folder: Path) -> None:
        server = nats_server(folder)
        self.port, self.servers = server.port, (server,)

    def url(self, queue: str, *, lease_seconds: int = 60) -> str:
        login = f"{NATS_USER}:{quote(NATS_PASSWORD, safe='')}"
        return f"nats://{login}@{HOST}:{self.port}?queue={queue}&lease_seconds={lease_seconds}"

    def refused_url(self, queue: str) -> str:
        return f"nats://{NATS_USER}:hush@{HOST}:{self.port}?queue={queue}"

    async def client(self) -> NatsClient:
        client = NatsClient()
        await client.connect(f"nats://{HOST}:{self.port}", user=NATS_USER, password=NATS_PASSWORD)
        return client

    async def send(self, queue: str, *bodies: bytes, key: str = "", media_type: str = "") -> None:
        client = await self.client()
        jetstream = client.jetstream()  # pyright: ignore[reportUnknownMemberType]  # untyped keywords
        for number, body in enumerate(bodies):
            headers = {"Nats-Msg-Id": key.format(number), "content-type": media_type}
            await jetstream.publish(queue, body, headers={name: value for name, value in headers.items() if value})
        await client.close()

    async def send_foreign(self, queue: str) -> None:
        await self.send(queue, b"", key="k")


class RabbitDriver(Driver):
    """Quorum queues."""

    def __init__(self, folder: Path) -> None:
        server, names = rabbitmq_servers(folder)
        self.port, self.servers = server.port, (names, server)

    def url(self, queue: str, *, lease_seconds: int = 60) -> str:
        return f"amqp://guest:guest@{HOST}:{self.port}/?queue={queue}&lease_seconds={lease_seconds}"

    def refused_url(self, queue: str) -> str:
        return f"amqp://guest:hush@{HOST}:{self.port}/?queue={queue}"

    async def connection(self) -> aio_pika.abc.AbstractConnection:
        return await aio_pika.connect(f"amqp://guest:guest@{HOST}:{self.port}/")

    async def send(self, queue: str, *bodies: bytes, key: str = "", media_type: str = "") -> None:
        if not key:
            await asyncio.to_thread(publish_bare, self.port, queue, bodies)
            return
        async with await self.connection() as connection, connection.channel() as channel:
            for number, body in enumerate(bodies):
                message = aio_pika.Message(
                    body,
                    message_id=key.format(number),
                    content_type=media_type or None,
                    delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                )
                await channel.default_exchange.publish(message, queue)

    async def send_foreign(self, queue: str) -> None:
        await self.send(queue, b"", key="k")


class SqsDriver(Driver):
    """Queues of moto."""

    def __init__(self, folder: Path) -> None:
        del folder  # nothing is kept there
        server = MotoServer()
        self.port, self.servers = server.port, (server,)
        self._session: Any = AioSession()  # it keeps the descriptions of the service that it has read

    def url(self, queue: str, *, lease_seconds: int = 60) -> str:
        endpoint = quote(f"http://{HOST}:{self.port}", safe="")
        return f"sqs://{REGION}/123456789012/{queue}?lease_seconds={lease_seconds}&endpoint_url={endpoint}"

    def refused_url(self, queue: str) -> str:
        return self.url(queue)

    def client(self) -> Any:
        return self._session.create_client("sqs", region_name=REGION, endpoint_url=f"http://{HOST}:{self.port}")

    async def prepare(self, queue: str) -> None:
        attributes = {"FifoQueue": "true"} if queue.endswith(".fifo") else {}
        async with self.client() as client:
            await client.create_queue(QueueName=queue, Attributes=attributes)

    async def send(self, queue: str, *bodies: bytes, key: str = "", media_type: str = "") -> None:
        async with self.client() as client:
            url = cast("str", (await client.get_queue_url(QueueName=queue))["QueueUrl"])
            for number, body in enumerate(bodies):
                text, encoding = _text(body)
                values = {"key": key.format(number), "media_type": media_type, "encoding": encoding}
                attributes = {n: {"DataType": "String", "StringValue": v} for n, v in values.items() if v}
                await client.send_message(QueueUrl=url, MessageBody=text, MessageAttributes=attributes)

    async def send_foreign(self, queue: str) -> None:
        async with self.client() as client:
            url = (await client.get_queue_url(QueueName=queue))["QueueUrl"]
            attributes = {n: {"DataType": "String", "StringValue": v} for n, v in (("encoding", "rot13"), ("key", "k"))}
            await client.send_message(QueueUrl=url, MessageBody="x", MessageAttributes=attributes)


def _text(body: bytes) -> tuple[str, str]:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return b64encode(body).decode(), "base64"
    return text, ""
