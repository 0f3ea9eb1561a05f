"""How values become what the engine keeps: JSON, and with payload keys encrypted, messages of failures included.

Encrypted are inputs, results, signals, updates, queries, memos, summaries, heartbeats, and messages and stack traces of
failures. Never encrypted are ids, names of workflows, activities, signals and queues, search attributes, kinds of
failures and the reasons of terminations: docs/encryption.md has the list. How keys seal is `adapters.codec`.
"""

from collections.abc import Sequence

import structlog
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import (
    DataConverter,
    DefaultFailureConverter,
    DefaultFailureConverterWithEncodedAttributes,
    PayloadCodec,
    PayloadConverter,
)

from longshift.adapters.codec import KeyRing
from longshift.adapters.codec.key_ring import VERSION
from longshift.contracts.errors import PayloadError

log = structlog.get_logger("longshift.codec")

ENCODING = b"binary/encrypted"
KEY_ID = "encryption-key-id"
FORMAT = "encryption-format"


class SealedPayloads(PayloadCodec):
    """Encrypts whole payloads, metadata included; what is not encrypted passes through when it is read."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring
        self._told: set[str] = set()

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypt with the first key of the ring; without a key they stay as they are."""
        return [self._sealed(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypt those that are encrypted.

        Raises:
            PayloadError: one cannot be; the message names its key and the remedy.
        """
        return self.opened(payloads)

    def opened(self, payloads: Sequence[Payload]) -> list[Payload]:
        """The same, for who has no event loop.

        Raises:
            PayloadError: one cannot be decrypted.
        """
        return [self._opened(payload) for payload in payloads]

    def _sealed(self, payload: Payload) -> Payload:
        key_id = self._ring.first_id
        if key_id is None or is_sealed(payload):  # a schedule that is read and written again brings its own
            return payload
        about = {"encoding": ENCODING, KEY_ID: key_id.encode(), FORMAT: VERSION.encode()}
        return Payload(metadata=about, data=self._ring.seal(payload.SerializeToString()))

    def _opened(self, payload: Payload) -> Payload:
        if not is_sealed(payload):
            return payload
        key_id = key_id_of(payload)
        try:
            version = payload.metadata.get(FORMAT, b"").decode(errors="replace")
            return Payload.FromString(self._ring.open(payload.data, key_id=key_id, version=version))
        except PayloadError as error:
            if key_id not in self._told:  # the engine asks again and again: once is enough
                self._told.add(key_id)
                log.error("payload cannot be decrypted", key_id=key_id, error=str(error))
            raise


class SealedFailures(DefaultFailureConverterWithEncodedAttributes):
    """Puts message and stack trace of each failure where the codec encrypts them.

    That a key is missing stays readable: whoever looks at the engine without keys has to see why a session stands.
    """

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        """Translate an exception, its causes included."""
        super().to_failure(exception, payload_converter, failure)
        if isinstance(exception, PayloadError):
            failure.ClearField("encoded_attributes")
            failure.message = str(exception)


def is_sealed(payload: Payload) -> bool:
    """Whether it is encrypted."""
    return payload.metadata.get("encoding") == ENCODING


def key_id_of(payload: Payload) -> str:
    """The id of the key that an encrypted payload names; empty where it names none."""
    return payload.metadata.get(KEY_ID, b"").decode(errors="replace")


def data_converter(ring: KeyRing) -> DataConverter:
    """What every client, and so every worker, is made with. Without keys it says of an encrypted payload what it is."""
    return DataConverter(
        payload_converter_class=_shared_payload_converter(),
        payload_codec=SealedPayloads(ring),
        failure_converter_class=SealedFailures if ring.ids else DefaultFailureConverter,
    )


def _shared_payload_converter() -> type[PayloadConverter]:
    """A class with one instance, which learns once how each type is read; the SDK makes two for each activation."""
    shared = PydanticPayloadConverter()

    class Shared(PayloadConverter):
        def __new__(cls) -> PayloadConverter:
            return shared

    return Shared
