"""The clock of active time: it runs while the agent works and stands while anybody is waited for."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class ActiveClock:
    """Active seconds used so far; `running_since` is a reading of the caller's clock, None when it stands."""

    limit_seconds: float
    used_seconds: float = 0.0
    running_since: float | None = None

    def used_at(self, now: float) -> float:
        """Active seconds used at `now`."""
        running = 0.0 if self.running_since is None else max(0.0, now - self.running_since)
        return self.used_seconds + running

    def remaining_at(self, now: float) -> float:
        """Active seconds left at `now`; negative when over."""
        return self.limit_seconds - self.used_at(now)

    def started(self, now: float) -> "ActiveClock":
        """Runs from `now`; no change when it runs already."""
        return self if self.running_since is not None else replace(self, running_since=now)

    def stopped(self, now: float) -> "ActiveClock":
        """Stands from `now`; no change when it stands already."""
        return replace(self, used_seconds=self.used_at(now), running_since=None)

    def extended(self, seconds: float) -> "ActiveClock":
        """With a later limit."""
        return replace(self, limit_seconds=self.limit_seconds + seconds)
