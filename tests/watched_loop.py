"""An event loop that knows how long it did not come round. `conftest.py` runs every asynchronous test on one.

It measures from the end of one poll to the begin of the next: that is the time in which nothing else could run. Time
that the thread waited for a processor does not count, so a loaded machine fails no test.
"""

import asyncio
import contextlib
import os
import selectors
import time

BLOCKED_LIMIT_SECONDS = 2.0
RUN_DELAY_FILE = "/proc/thread-self/schedstat"
"""Nanoseconds on a processor, nanoseconds waiting for one, time slices (Linux, `sched-stats.rst`)."""


class WatchedSelector(selectors.DefaultSelector):
    """A selector that notes every turn of its loop that took too long."""

    def __init__(self, limit_seconds: float, blocked_seconds: list[float]) -> None:
        super().__init__()
        self._limit_seconds = limit_seconds
        self._blocked_seconds = blocked_seconds
        self._polled: tuple[float, float] | None = None
        self._run_delay: int | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Poll, and judge the turn that ends with this poll."""
        if self._polled is not None:
            ended_seconds, ended_delay_seconds = self._clocks()
            busy_seconds = ended_seconds - self._polled[0] - (ended_delay_seconds - self._polled[1])
            if busy_seconds > self._limit_seconds:
                self._blocked_seconds.append(busy_seconds)
        events = super().select(timeout)
        self._polled = self._clocks()
        return events

    def forget(self) -> None:
        """The loop has not been running: the time since the last poll is not its own."""
        self._polled = None
        if self._run_delay is not None:
            os.close(self._run_delay)
            self._run_delay = None
        with contextlib.suppress(OSError):
            self._run_delay = os.open(RUN_DELAY_FILE, os.O_RDONLY | os.O_CLOEXEC)

    def close(self) -> None:
        """Close the poll and the clock."""
        super().close()
        if self._run_delay is not None:
            os.close(self._run_delay)
            self._run_delay = None

    def _clocks(self) -> tuple[float, float]:
        """Now, and how long this thread has waited for a processor; both in seconds."""
        if self._run_delay is None:
            return time.monotonic(), 0.0
        return time.monotonic(), int(os.pread(self._run_delay, 80, 0).split()[1]) / 1e9


class WatchedLoop(asyncio.SelectorEventLoop):
    """Adds every turn beyond the limit to `blocked_seconds`."""

    def __init__(self, blocked_seconds: list[float], *, limit_seconds: float = BLOCKED_LIMIT_SECONDS) -> None:
        self._watch = WatchedSelector(limit_seconds, blocked_seconds)
        super().__init__(self._watch)

    def run_forever(self) -> None:
        """Run until stopped."""
        self._watch.forget()
        super().run_forever()
