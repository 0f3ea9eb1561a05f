"""Headers of NATS messages: reading them, and what those of a dead or requeued letter are. Nothing is sent from here.

Values are UTF-8 here; what cannot stand in one (line ends) is escaped by the port before it comes to us.
"""

from base64 import b64decode
from collections.abc import Mapping

from longshift.adapters.brokers.port import KEY, NOTES

MESSAGE_ID = "Nats-Msg-Id"
"""The server drops a second message with the same value within the stream's window."""
CONTENT_TYPE = "Content-Type"
OWN = frozenset({KEY, *NOTES})
"""Names that are written anew for each copy."""
ORDERS = "nats-"
"""Names that begin so are orders to the server: they held for the original."""


def read(headers: Mapping[str, str], name: str) -> str:
    """A header's value whatever the case of its name; empty if there is none."""
    return next((value for each, value in headers.items() if each.lower() == name.lower()), "")


def key_of(headers: Mapping[str, str]) -> str:
    """The sender's idempotency key."""
    return read(headers, KEY) or read(headers, MESSAGE_ID)


def dead_headers(headers: Mapping[str, str], notes: Mapping[str, str], key: str, id: str) -> dict[str, str]:
    """Those of the copy among the dead; `id` makes a second copy a duplicate."""
    return {**_kept(headers), **notes, **_keyed(key), MESSAGE_ID: id}


def requeued_headers(headers: Mapping[str, str], id: str) -> dict[str, str]:
    """Those of a dead letter that is put back; the key must not be what the server deduplicates by."""
    return {**_kept(headers), **_keyed(read(headers, KEY)), MESSAGE_ID: id}


def stored_headers(encoded: str | bytes | None) -> dict[str, str]:
    """From the stored form: base64 of a version line and lines of name and value."""
    lines = b64decode(encoded or "").decode(errors="replace").split("\r\n")[1:]
    return {name: value.strip() for name, found, value in (line.partition(":") for line in lines) if found}


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    lower = {name: name.lower() for name in headers}
    return {name: headers[name] for name in headers if lower[name] not in OWN and not lower[name].startswith(ORDERS)}


def _keyed(key: str) -> dict[str, str]:
    return {KEY: key} if key else {}
