"""A sender that gives its messages no id, as pika and most others do by default; aio-pika always gives one."""

import socket
from collections.abc import Iterable

from pamqp import commands, frame
from pamqp.body import ContentBody
from pamqp.header import ContentHeader, ProtocolHeader


def publish_bare(port: int, queue: str, bodies: Iterable[bytes]) -> None:
    """Publish to a queue of the server on this port, and return when it has got all."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        said = connection.makefile("rb")

        def say(*frames: object, channel: int = 1) -> None:
            for each in frames:
                connection.sendall(frame.marshal(each, channel))  # pyright: ignore[reportArgumentType]  # frames of all kinds

        def hear() -> object:
            head = said.read(7)
            return frame.unmarshal(head + said.read(int.from_bytes(head[3:7], "big") + 1))[2]

        connection.sendall(ProtocolHeader(0, 9, 1).marshal())
        hear()
        say(commands.Connection.StartOk(mechanism="PLAIN", response="\0guest\0guest"), channel=0)
        hear()
        say(commands.Connection.TuneOk(channel_max=1, frame_max=131_072, heartbeat=0), channel=0)
        say(commands.Connection.Open(), channel=0)
        hear()
        say(commands.Channel.Open())
        hear()
        say(commands.Confirm.Select())
        hear()
        for body in bodies:
            header = ContentHeader(body_size=len(body), properties=commands.Basic.Properties(delivery_mode=2))
            say(commands.Basic.Publish(routing_key=queue), header, ContentBody(body))
            hear()
