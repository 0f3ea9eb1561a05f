"""One key: an id that is no secret, and 32 random bytes that are. Where keys come from is the settings' matter."""

import base64
import binascii
import re
import secrets
from dataclasses import dataclass, field

from longshift.contracts.errors import BadInput

KEY_BYTES = 32
"""AES-256."""
ID_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}"
NEW = "`longshift payload-key new ID` makes one"


@dataclass(frozen=True)
class PayloadKey:
    """A key and the id that each payload sealed with it names."""

    id: str
    secret: bytes = field(repr=False)


def read_key(key_id: str, text: str) -> PayloadKey:
    """A key out of its id and its base64 (either alphabet).

    Raises:
        BadInput: one of them is wrong; the key itself is not repeated.
    """
    checked_id(key_id)
    try:
        secret = base64.b64decode(text.strip().replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        raise BadInput(f"payload_keys: {key_id}: is not base64; {NEW}") from None
    if len(secret) != KEY_BYTES:
        raise BadInput(f"payload_keys: {key_id}: has {len(secret)} bytes instead of {KEY_BYTES}; {NEW}")
    return PayloadKey(key_id, secret)


def checked_id(key_id: str) -> str:
    """An id that a key can have.

    Raises:
        BadInput: it cannot.
    """
    if re.fullmatch(ID_PATTERN, key_id) is None:
        shown = key_id if len(key_id) <= 40 and key_id.isascii() and key_id.isprintable() else "…"
        raise BadInput(
            f"payload_keys: {shown!r} is no id of a key; use letters, digits, '.', '_' and '-', at most 40, "
            "and write each key as ID:KEY"
        )
    return key_id


def new_key_text() -> str:
    """The base64 of a new random key."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
