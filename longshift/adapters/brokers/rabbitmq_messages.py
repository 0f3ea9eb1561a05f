"""What stands in the messages of a RabbitMQ queue: reading leases and dead letters, and making copies. Nothing is sent.

A delayed or dead message is a copy, whose own count of deliveries begins anew: the attempts before are in a header.
"""

from collections.abc import Mapping
from uuid import uuid4

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractIncomingMessage, HeadersType

from longshift.adapters.brokers.port import ATTEMPT, DEFAULT_MEDIA_TYPE, NOTES, REASON, SOURCE, DeadLetter

DELIVERY_COUNT = "x-delivery-count"
DEATHS = "x-death"
NAMED_HERE = "longshift-named-here"
LARGEST_DELAY_SECONDS = 2**16


def attempt_of(message: AbstractIncomingMessage) -> int:
    """How often the message was handed over, this time included. A classic queue only tells the first from others."""
    returned = _number(message.headers, DELIVERY_COUNT) or int(bool(message.redelivered))
    return _number(message.headers, ATTEMPT) + returned + 1


def key_of(message: AbstractIncomingMessage) -> str:
    """The sender's idempotency key: its message id, unless that is one that we gave."""
    return "" if message.headers.get(NAMED_HERE) else message.message_id or ""


def copy_of(message: AbstractIncomingMessage, headers: Mapping[str, str | int]) -> Message:
    """The same message, to be kept on disk, with our headers anew and without what brokers added.

    One without an id gets one, and the header that says so: a broker's message has no name of its own, and without one
    a redelivery could not be told from a second message.
    """
    named: dict[str, str | int] = {} if message.message_id else {NAMED_HERE: 1}
    kept: HeadersType = {
        name: value
        for name, value in message.headers.items()
        if name not in (*NOTES, ATTEMPT) and not name.startswith("x-")
    }
    return Message(
        message.body,
        headers={**kept, **headers, **named},
        content_type=message.content_type,
        content_encoding=message.content_encoding,
        delivery_mode=DeliveryMode.PERSISTENT,
        priority=message.priority,
        correlation_id=message.correlation_id,
        message_id=message.message_id or uuid4().hex,
        timestamp=message.timestamp,
        type=message.type,
        app_id=message.app_id,
    )


def delay_of(delay_seconds: float) -> int:
    """The delay in whole seconds that a message gets: the next power of two, so that there are few queues of delays.

    A queue's first message holds up those behind it, so that delays of different length cannot share one.
    """
    delay = 1
    while delay < delay_seconds and delay < LARGEST_DELAY_SECONDS:
        delay *= 2
    return delay


def dead_letter(message: AbstractIncomingMessage) -> DeadLetter:
    """From our headers, or, where the broker itself gave the message up, from its own."""
    notes = {name: text(message.headers[name]) for name in NOTES if name in message.headers}
    deaths = message.headers.get(DEATHS)
    if REASON not in notes and isinstance(deaths, list) and deaths and isinstance(deaths[0], dict):
        notes[REASON] = f"given up by the broker: {text(deaths[0].get('reason', ''))}"
        notes[SOURCE] = text(deaths[0].get("queue", ""))
    return DeadLetter.of(
        notes,
        message_id=message.message_id or "",
        body=message.body,
        key=key_of(message),
        media_type=message.content_type or DEFAULT_MEDIA_TYPE,
    )


def text(value: object) -> str:
    """A header's value as text."""
    return value.decode(errors="replace") if isinstance(value, bytes | bytearray) else str(value)


def _number(headers: HeadersType, name: str) -> int:
    value = headers.get(name)
    return value if isinstance(value, int) else 0
