"""How many calls in flight an account bears, learned from its 429s: halved by one, grown again by successes.

Growth is quick up to near the number that was refused, then slow: one more for each windowful of successes. After a
quiet minute nothing is known any more, and the profile's own limits alone count.
"""

from collections.abc import Callable

STORM_SECONDS = 2.0
"""Further 429s within this time of a halving are the same event."""
QUIET_SECONDS = 60.0
NEAR_SHARE = 0.875
"""Of the number that was refused: up to it every success allows one more."""


class Pressure:
    """One account's."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._limit: int | None = None
        self._refused_at = 0
        """Calls in flight when there was the last 429 that counted."""
        self._successes = 0
        self._halved_at = -STORM_SECONDS
        self._throttled_at = 0.0

    @property
    def limit(self) -> int | None:
        """Calls that may be in flight now; None: as many as the profile allows."""
        if self._limit is not None and self._now() - self._throttled_at >= QUIET_SECONDS:
            self._limit = None
        return self._limit

    def throttled(self, in_flight: int) -> None:
        """The provider said that there are too many requests; `in_flight` counts the refused one."""
        now = self._throttled_at = self._now()
        if now - self._halved_at < STORM_SECONDS:
            return
        self._halved_at, self._successes, self._refused_at = now, 0, in_flight
        self._limit = max(1, in_flight // 2)

    def succeeded(self) -> None:
        """A call got its answer."""
        if self._limit is None:
            return
        self._successes += 1
        if self._limit < self._refused_at * NEAR_SHARE or self._successes >= self._limit:
            self._limit, self._successes = self._limit + 1, 0
