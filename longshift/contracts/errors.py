"""The tree of failures outside, with a verdict on retrying each.

    LongshiftError                 kind                retried by the engine
    ├── BadInput                   bad_input           no   a person mends the named field
    │   └── KeyTaken               key_taken           no   the id or key belongs to another task
    ├── ProviderError              …                   by kind, see `ProviderFailure`
    ├── StoreError
    │   ├── StoreUnavailable       store_unavailable   yes
    │   └── StoreMissing           store_missing       no   an object that must exist is gone
    ├── HostError
    │   ├── WorkspaceFailed        workspace_failed    no   source, setup or checkpoint failed; the text says why
    │   ├── DiskFull               disk_full           no   refused below the free-space floor
    │   ├── StaleGeneration        stale_generation    no   a newer slot holds this workspace
    │   ├── SlotLost               slot_lost           no   the host stops; the session takes another slot
    │   ├── HostFull               host_full           no   no slot is free here; the session asks elsewhere
    │   └── Poisoned               poison              no   it crashed its worker too often; the text has the evidence
    ├── QueueFull                  queue_full          yes  the backlog has reached its limit
    ├── BrokerError
    │   └── BrokerUnavailable      broker_unavailable  yes  leases that were not settled come back by themselves
    ├── PeopleError
    │   ├── PeopleUnavailable      people_unavailable  yes  Slack or a webhook cannot be reached, or is too busy
    │   └── PeopleRefused          people_refused      no   token, channel or message is refused; the text says why
    ├── PayloadError               payload             yes  what the engine keeps cannot be decrypted here
    ├── DeliveryError
    │   ├── DeliveryUnavailable    delivery_unavailable yes  the repository or its host cannot be reached right now
    │   └── DeliveryRefused        delivery_refused    no   token, branch or pull request is refused; the text says why
    └── EngineError                engine              no   the engine cannot be started or reached

A tool's failure is not here: it is a value for the model. A bug is not here either: nothing catches it.
"""

from enum import StrEnum
from typing import ClassVar

from longshift.contracts.model import Usage


class ProviderFailure(StrEnum):
    """Why a provider did not answer, from the providers' own error tables."""

    OVERLOADED = "overloaded"
    RATE_LIMITED = "rate_limited"
    SERVER = "server"
    """5xx, HTML from a gateway, or a body that makes no sense."""
    CONNECTION = "connection"
    """No connection, or it broke."""
    INCOMPLETE = "incomplete"
    """The stream ended or stalled before its terminal event."""
    QUOTA = "quota"
    OVERFLOW = "overflow"
    """The prompt is longer than the window."""
    TOO_LARGE = "too_large"
    """The body is larger than the endpoint takes."""
    AUTH = "auth"
    UNKNOWN_MODEL = "unknown_model"
    REFUSED = "refused"
    INVALID = "invalid"
    """A request the endpoint rejects for any other reason: ours to mend."""

    @property
    def is_transient(self) -> bool:
        """Whether trying the same request again soon can help."""
        return self in _TRANSIENT


_TRANSIENT = frozenset(
    {
        ProviderFailure.OVERLOADED,
        ProviderFailure.RATE_LIMITED,
        ProviderFailure.SERVER,
        ProviderFailure.CONNECTION,
        ProviderFailure.INCOMPLETE,
    }
)


class LongshiftError(Exception):
    """A failure outside of this program; `kind` names it on the wire."""

    kind: ClassVar[str] = "longshift"
    retryable: ClassVar[bool] = False


class BadInput(LongshiftError):
    """What a person gave cannot be used. The message names the field and the remedy."""

    kind = "bad_input"


class KeyTaken(BadInput):
    """The id or idempotency key belongs to another task."""

    kind = "key_taken"


class ProviderError(LongshiftError):
    """A model provider did not give an answer."""

    kind = "provider"

    def __init__(
        self,
        failure: ProviderFailure,
        message: str,
        *,
        status: int | None = None,
        retry_after_seconds: float | None = None,
        request_id: str = "",
        window_tokens: int | None = None,
    ) -> None:
        super().__init__(message)
        self.failure = failure
        self.status = status
        self.retry_after_seconds = retry_after_seconds
        self.request_id = request_id
        self.window_tokens = window_tokens
        """The real window, where an overflow error states it."""
        self.usage: Usage | None = Usage()
        """What the failed request cost, as far as it was told; None: unknown, it may have been worked on."""
        self.began = False
        """An answer had begun: the prompt was read, whatever `usage` says of it."""
        self.output_characters = 0
        """How much of that answer had come."""


class StoreError(LongshiftError):
    """The object store failed."""

    kind = "store"


class StoreUnavailable(StoreError):
    """The object store cannot be reached or written right now."""

    kind = "store_unavailable"
    retryable = True


class StoreMissing(StoreError):
    """An object that must exist does not."""

    kind = "store_missing"


class HostError(LongshiftError):
    """A host cannot do what was asked."""

    kind = "host"


class WorkspaceFailed(HostError):
    """A workspace could not be prepared, checkpointed or exported."""

    kind = "workspace_failed"


class DiskFull(HostError):
    """Free space is below the floor."""

    kind = "disk_full"


class StaleGeneration(HostError):
    """The call was scheduled under an older slot than the one that holds the workspace now."""

    kind = "stale_generation"


class SlotLost(HostError):
    """The host gives a slot up before its session does."""

    kind = "slot_lost"


class HostFull(HostError):
    """A session asked a particular host for a slot, and none is free."""

    kind = "host_full"


class Poisoned(HostError):
    """Something was being done at too many crashes of its worker."""

    kind = "poison"


class QueueFull(LongshiftError):
    """Nothing more is taken in until hosts have caught up."""

    kind = "queue_full"
    retryable = True

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class BrokerError(LongshiftError):
    """A message broker failed."""

    kind = "broker"


class BrokerUnavailable(BrokerError):
    """A broker cannot be reached, or does not take or give messages right now; the next call connects anew."""

    kind = "broker_unavailable"
    retryable = True


class PeopleError(LongshiftError):
    """A message to people could not be posted."""

    kind = "people"


class PeopleUnavailable(PeopleError):
    """Slack or a webhook cannot be reached, or takes no more messages right now; whether it has this one is unknown."""

    kind = "people_unavailable"
    retryable = True


class PeopleRefused(PeopleError):
    """Slack or a webhook refuses the message; it has not been posted. The text names the remedy."""

    kind = "people_refused"


class PayloadError(LongshiftError):
    """A payload of the engine cannot be decrypted by this process. The text names the key and the remedy."""

    kind = "payload"
    retryable = True


class DeliveryError(LongshiftError):
    """A branch or a pull request did not get to where it was to go."""

    kind = "delivery"


class DeliveryUnavailable(DeliveryError):
    """The repository or its host cannot be reached right now; whether it took the last request is unknown."""

    kind = "delivery_unavailable"
    retryable = True


class DeliveryRefused(DeliveryError):
    """The repository or its host does not take it. The text names the remedy."""

    kind = "delivery_refused"


class EngineError(LongshiftError):
    """The Temporal server cannot be started or reached."""

    kind = "engine"
