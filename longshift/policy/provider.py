"""What a provider's failure means for the agent: one table, and a test that it is complete."""

from longshift.contracts.errors import ProviderError, ProviderFailure
from longshift.contracts.model import ModelOutcome

OUTCOMES: dict[ProviderFailure, ModelOutcome] = {
    ProviderFailure.OVERLOADED: ModelOutcome.UNAVAILABLE,
    ProviderFailure.RATE_LIMITED: ModelOutcome.UNAVAILABLE,
    ProviderFailure.SERVER: ModelOutcome.UNAVAILABLE,
    ProviderFailure.CONNECTION: ModelOutcome.UNAVAILABLE,
    ProviderFailure.INCOMPLETE: ModelOutcome.UNAVAILABLE,
    ProviderFailure.QUOTA: ModelOutcome.QUOTA,
    ProviderFailure.OVERFLOW: ModelOutcome.OVERFLOW,
    ProviderFailure.TOO_LARGE: ModelOutcome.OVERFLOW,
    ProviderFailure.AUTH: ModelOutcome.MISCONFIGURED,
    ProviderFailure.UNKNOWN_MODEL: ModelOutcome.MISCONFIGURED,
    ProviderFailure.INVALID: ModelOutcome.MISCONFIGURED,
    ProviderFailure.REFUSED: ModelOutcome.REFUSED,
}

DETAIL_LIMIT_CHARACTERS = 500
REQUEST_ID_LIMIT_CHARACTERS = 100


def outcome_of(error: ProviderError) -> ModelOutcome:
    """How a model call that failed with `error` ended."""
    return OUTCOMES[error.failure]


def detail_of(error: ProviderError) -> str:
    """The failure in words for people: what kind, what the provider said, and its request id."""
    status = f" (HTTP {error.status})" if error.status else ""
    request = f" [request {error.request_id[:REQUEST_ID_LIMIT_CHARACTERS]}]" if error.request_id else ""
    return f"{error.failure.value}{status}: {error}"[:DETAIL_LIMIT_CHARACTERS] + request
