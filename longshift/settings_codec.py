"""Settings of the encryption of what the engine keeps, and of the server that decrypts it for the Web UI.

Part of `settings.Settings`.
"""

import os
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode

from longshift.adapters.codec import KeyRing, read_key
from longshift.contracts.errors import BadInput
from longshift.settings_intake import ADDRESS, listed_in_text


class CodecSettings(BaseSettings):
    """Payload keys and the codec server."""

    payload_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    """`ID:KEY`, the one that encrypts first: KEY is 32 bytes in base64, `env:VARIABLE` or `file:PATH`. Without any,
    the engine keeps everything in clear."""
    codec_address: str | None = Field(default=None, pattern=ADDRESS)
    """`host:port` of the codec server for the Web UI; without one it does not run."""

    @field_validator("payload_keys", mode="before")
    @classmethod
    def _keys(cls, value: Any) -> Any:
        return listed_in_text(value)

    @property
    def has_codec_server(self) -> bool:
        """Whether `longshift up` starts one."""
        return self.codec_address is not None and bool(self.payload_keys)

    @cached_property
    def key_ring(self) -> KeyRing:
        """The payload keys; references are resolved at the first use.

        Raises:
            BadInput: a key or a reference to one is wrong; the message names its id and the remedy.
        """
        return KeyRing([read_key(key_id, text) for key_id, text in self._key_texts()])

    def codec_secrets(self) -> set[str]:
        """The secrets among these settings.

        Raises:
            BadInput: a reference cannot be resolved.
        """
        return {text for _, text in self._key_texts()}

    def _key_texts(self) -> list[tuple[str, str]]:
        """Id and base64 of each key."""
        pairs = [key.get_secret_value().partition(":") for key in self.payload_keys]
        return [(key_id.strip(), _resolved(key_id.strip(), text.strip())) for key_id, _, text in pairs]


def _resolved(key_id: str, text: str) -> str:
    """The text itself, or what it refers to: the one place that knows of references to keys."""
    kind, colon, name = text.partition(":")
    if not colon:
        return text
    if kind == "env":
        found = os.environ.get(name, "").strip()
        if not found:
            raise BadInput(f"payload_keys: {key_id}: the variable {name} is not set; set it, or name another")
        return found
    if kind == "file":
        try:
            return Path(name).expanduser().read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            raise BadInput(f"payload_keys: {key_id}: {name} cannot be read ({reason}); mend the path") from None
    raise BadInput(f"payload_keys: {key_id}: {kind}:… is no reference; write base64, env:VARIABLE or file:PATH")
