"""Settings of the encryption of what the engine keeps, and of the server that decrypts it for the Web UI.

Part of `settings.Settings`.
"""

from functools import cached_property
from typing import Annotated, Any

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode

from longshift.adapters.codec import KeyRing, read_key
from longshift.adapters.secrets import ReferredSecret, SecretReference
from longshift.contracts.errors import BadInput
from longshift.settings_intake import ADDRESS, listed_in_text


class CodecSettings(BaseSettings):
    """Payload keys and the codec server."""

    payload_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    """`ID:KEY`, the one that encrypts first: KEY is 32 bytes in base64, or a reference as other secrets have it.
    Without any, the engine keeps everything in clear."""
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
        """The payload keys; references are resolved at the first use, and once. May block.

        Raises:
            BadInput: a key or a reference to one is wrong; the message names its id and the remedy.
        """
        return KeyRing([read_key(key_id, secret.get_secret_value()) for key_id, secret in self._texts])

    def codec_secrets(self) -> dict[str, SecretStr]:
        """The secrets among these settings, by name.

        Raises:
            BadInput: a reference names nothing.
        """
        return {f"payload_keys: {key_id}": secret for key_id, secret in self._texts}

    @cached_property
    def _texts(self) -> list[tuple[str, SecretStr]]:
        """Id and base64 of each key, or where that is."""
        pairs = [key.get_secret_value().partition(":") for key in self.payload_keys]
        return [(key_id.strip(), _placed(key_id.strip(), text.strip())) for key_id, _, text in pairs]


def _placed(key_id: str, text: str) -> SecretStr:
    name = f"payload_keys: {key_id}"
    try:
        reference = SecretReference.parse(text)
    except BadInput as error:
        raise BadInput(f"{name}: {error}") from None
    return SecretStr(text) if reference is None else ReferredSecret(reference, name=name)
