"""Encryption of what the engine keeps: keys with ids, and bytes sealed with them. Payloads are not known here."""

from longshift.adapters.codec.key_ring import KeyRing
from longshift.adapters.codec.payload_key import KEY_BYTES, PayloadKey, new_key_text, read_key

__all__ = ["KEY_BYTES", "KeyRing", "PayloadKey", "new_key_text", "read_key"]
