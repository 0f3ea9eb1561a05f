"""Tokens of pages, signed: the engine tries again and again at one that is not of its making, so none gets that far.

The key is this process's own. After a restart a list is begun anew.
"""

import base64
import binascii
import hashlib
import hmac
import secrets

from longshift.intake.http.problems import Problem

SEAL_BYTES = 16


class PageTokens:
    """Gives them out and takes them back, each for one sender."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def given(self, sender: str, token: bytes) -> str:
        """The text for a token of the engine."""
        return base64.urlsafe_b64encode(self._seal(sender, token) + token).decode().rstrip("=")

    def taken(self, sender: str, text: str) -> bytes:
        """The engine's token.

        Raises:
            Problem: 400; it was not given out to this sender by this process.
        """
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except binascii.Error:
            raw = b""
        seal, token = raw[:SEAL_BYTES], raw[SEAL_BYTES:]
        if not hmac.compare_digest(seal, self._seal(sender, token)):
            message = "page_token: is not one that was given out lately; begin without it"
            raise Problem(400, "bad_query", message, field="page_token")
        return token

    def _seal(self, sender: str, token: bytes) -> bytes:
        return hmac.new(self._key, sender.encode() + b"\0" + token, hashlib.sha256).digest()[:SEAL_BYTES]
