"""What stands in SQS messages: bodies are text there, and all else is in attributes. Nothing is sent from here.

Attributes are `key`, `media_type` and `encoding`; a body that is no text is sent in base64, with `encoding` saying so.
"""

from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from longshift.adapters.brokers.port import DEFAULT_MEDIA_TYPE, NOTES, DeadLetter

KEY, MEDIA_TYPE, ENCODING = "key", "media_type", "encoding"
KEPT = (KEY, MEDIA_TYPE, ENCODING)
BASE64 = "base64"

Message = Mapping[str, Any]
"""As `ReceiveMessage` returns it."""


def body_of(message: Message) -> bytes:
    """The body's bytes.

    Raises:
        ValueError: it is not in the encoding that it is said to be in.
    """
    encoding = attribute(message, ENCODING)
    if not encoding:
        return str(message["Body"]).encode()
    if encoding != BASE64:
        raise ValueError(f"the attribute encoding is {encoding!r}; only {BASE64} is known")
    return b64decode(message["Body"], validate=True)


def key_of(message: Message) -> str:
    """The sender's idempotency key; in a FIFO queue its deduplication id is one."""
    return attribute(message, KEY) or str(message.get("Attributes", {}).get("MessageDeduplicationId", ""))


def media_type_of(message: Message) -> str:
    """What the sender says, or the default."""
    return attribute(message, MEDIA_TYPE) or DEFAULT_MEDIA_TYPE


def attempt_of(message: Message) -> int:
    """How often the message was handed over, this time included."""
    return int(message.get("Attributes", {}).get("ApproximateReceiveCount", 1))


def attribute(message: Message, name: str) -> str:
    """An attribute's text; empty if there is none."""
    return str(message.get("MessageAttributes", {}).get(name, {}).get("StringValue", ""))


def copy_of(message: Message, notes: Mapping[str, str], *, is_fifo: bool) -> dict[str, Any]:
    """Arguments of `SendMessage` for a copy; one that is sent twice within minutes is one in a FIFO queue."""
    values = {name: attribute(message, name) for name in KEPT} | {KEY: key_of(message)} | dict(notes)
    attributes = {name: {"DataType": "String", "StringValue": value} for name, value in values.items() if value}
    copy: dict[str, Any] = {"MessageBody": message["Body"], "MessageAttributes": attributes}
    if is_fifo:
        copy["MessageGroupId"] = message.get("Attributes", {}).get("MessageGroupId", "longshift")
        copy["MessageDeduplicationId"] = f"copy-of-{message['MessageId']}"
    return copy


def dead_letter(message: Message) -> DeadLetter:
    """From a message of the dead queue."""
    try:
        body = body_of(message)
    except ValueError:
        # It may be dead for just that: people see what was sent.
        body = str(message["Body"]).encode()
    return DeadLetter.of(
        {name: attribute(message, name) for name in NOTES},
        message_id=str(message["MessageId"]),
        body=body,
        key=key_of(message),
        media_type=media_type_of(message),
    )
