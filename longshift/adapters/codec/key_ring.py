"""Seals bytes with the first key of a ring, and opens them with whichever key they name: AES-256-GCM.

A sealed text is the nonce, 96 random bits, and then what AES-GCM makes of the plain text, with its tag. Format version
and key id are bound to it as associated data: neither can be exchanged. Random nonces are good for 2^32 payloads of a
key (NIST SP 800-38D, 8.3); docs/encryption.md says when to change it.
"""

import secrets
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from longshift.adapters.codec.payload_key import PayloadKey
from longshift.contracts.errors import BadInput, PayloadError

VERSION = "1"
NONCE_BYTES = 12
TAG_BYTES = 16
REMEDY = "add it to LONGSHIFT_PAYLOAD_KEYS of this process, behind the key that encrypts"


class KeyRing:
    """The keys of a process, the one that encrypts first; one without keys seals nothing."""

    def __init__(self, keys: Sequence[PayloadKey] = ()) -> None:
        """Take the keys.

        Raises:
            BadInput: two have the same id.
        """
        self.ids = tuple(key.id for key in keys)
        twice = next((key_id for key_id in self.ids if self.ids.count(key_id) > 1), None)
        if twice is not None:
            raise BadInput(f"payload_keys: two keys have the id {twice!r}; give a new key an id of its own")
        self._ciphers = {key.id: AESGCM(key.secret) for key in keys}

    @property
    def first_id(self) -> str | None:
        """The id of the key that encrypts; None: nothing is encrypted."""
        return self.ids[0] if self.ids else None

    def seal(self, plain: bytes) -> bytes:
        """The plain text, sealed with the first key; 28 bytes longer.

        Raises:
            PayloadError: there is no key.
        """
        if self.first_id is None:
            raise PayloadError("no payload key is configured; set LONGSHIFT_PAYLOAD_KEYS")
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._ciphers[self.first_id].encrypt(nonce, plain, _bound(VERSION, self.first_id))

    def open(self, sealed: bytes, *, key_id: str, version: str) -> bytes:
        """The plain text.

        Raises:
            PayloadError: the key is not here, the format is not known, or it is not what was sealed.
        """
        if version != VERSION:
            raise PayloadError(
                f"a payload is encrypted in the format {version[:20]!r}, and this release knows {VERSION!r} only; "
                "it is of another release, or of another program"
            )
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            there = f"this process has {', '.join(self.ids)}" if self.ids else "this process has none"
            raise PayloadError(f"a payload is encrypted with the key {key_id[:40]!r}, and {there}; {REMEDY}")
        try:
            return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _bound(version, key_id))
        except (InvalidTag, ValueError):  # ValueError: shorter than a nonce
            raise PayloadError(
                f"a payload cannot be decrypted with the key {key_id!r}: it was damaged, or another key goes by "
                "this id elsewhere; compare LONGSHIFT_PAYLOAD_KEYS of all processes"
            ) from None


def _bound(version: str, key_id: str) -> bytes:
    return f"longshift\0{version}\0{key_id}".encode()
