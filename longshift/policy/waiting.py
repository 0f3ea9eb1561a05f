"""How long to wait for a provider between activities. Waits inside one activity are in `policy.retry`."""

from longshift.contracts.model import ModelOutcome

UNAVAILABLE_FIRST_SECONDS = 30.0
UNAVAILABLE_LONGEST_SECONDS = 300.0
QUOTA_FIRST_SECONDS = 300.0
QUOTA_LONGEST_SECONDS = 3_600.0


def provider_wait_seconds(outcome: ModelOutcome, waits: int, retry_after_seconds: float | None) -> float:
    """Seconds before the next try: doubled with every wait, at least what the provider asked for."""
    first, longest = (
        (QUOTA_FIRST_SECONDS, QUOTA_LONGEST_SECONDS)
        if outcome is ModelOutcome.QUOTA
        else (UNAVAILABLE_FIRST_SECONDS, UNAVAILABLE_LONGEST_SECONDS)
    )
    delay = min(longest, first * 2 ** min(waits, 10))
    return max(delay, retry_after_seconds or 0.0)
