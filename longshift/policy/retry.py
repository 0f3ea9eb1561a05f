"""How long to wait before a model call is repeated, and when no longer to.

Pure: the caller brings the clock and the random number.
"""

from longshift.contracts.errors import ProviderFailure

FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 32.0
JITTER_SHARE = 0.25
"""At most this part is added, so that many agents do not come back at the same moment."""


def backoff_seconds(attempt: int, jitter: float) -> float:
    """The delay after failed attempt number `attempt` (from 0): 0.5 s, doubled up to 32 s, plus up to a quarter.

    `jitter` is a random number from 0 to 1.
    """
    # The exponent is bounded because a float is: the 1,100th attempt must not raise.
    delay_seconds = min(FIRST_DELAY_SECONDS * 2.0 ** min(attempt, 16), LONGEST_DELAY_SECONDS)
    return delay_seconds * (1 + JITTER_SHARE * jitter)


def seconds_before_retry(
    failure: ProviderFailure,
    attempt: int,
    *,
    retry_after_seconds: float | None,
    remaining_seconds: float,
    jitter: float,
) -> float | None:
    """The delay before the next attempt, or None to give up.

    What the provider asks for overrides our own schedule; a wait beyond `remaining_seconds` is not begun. The last
    delay of our own schedule is cut so that the last attempt comes when patience ends.
    """
    if not failure.is_transient or remaining_seconds <= 0:
        return None
    if retry_after_seconds:
        return retry_after_seconds if retry_after_seconds <= remaining_seconds else None
    return min(backoff_seconds(attempt, jitter), remaining_seconds)
