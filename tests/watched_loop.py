"""An event loop that knows how long it did not come round. `conftest.py` runs every asynchronous test on one.

It measures from the end of one poll to the begin of the next: that is the time in which nothing else could run. Time
that the process's threads waited for a processor does not count, so a loaded machine fails no test: the loop's own
thread may wait for a processor, or for the interpreter's lock while the thread that holds it waits for one. Nor does
the time of garbage collections: how long a full one takes depends on how many tests ran before.
"""

import asyncio
import contextlib
import gc
import selectors
import threading
import time

BLOCKED_LIMIT_SECONDS = 2.0
WAITS_FRESH_SECONDS = 0.05
"""Waits for a processor are read that often: a turn may be taken for shorter by what was waited in this time."""


class Collections:
    """How long garbage collections have taken since the begin of `counted`, in seconds."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._began = 0.0

    def counted(self) -> "Collections":
        """Count from now on, for as long as the process lives."""
        gc.callbacks.append(self._take)
        return self

    def _take(self, phase: str, info: object) -> None:
        del info
        if phase == "start":
            self._began = time.monotonic()
        else:
            self.seconds += time.monotonic() - self._began


COLLECTIONS = Collections().counted()


def processor_waits() -> dict[int, float]:
    """Seconds that each thread of Python's has waited for a processor, by thread id; empty where nobody counts.

    The second of the numbers in `/proc/…/schedstat` (Linux, `sched-stats.rst`).
    """
    waits: dict[int, float] = {}
    for thread in threading.enumerate():
        with contextlib.suppress(OSError), open(f"/proc/self/task/{thread.native_id}/schedstat", "rb") as file:
            waits[thread.native_id or 0] = int(file.read().split()[1]) / 1e9
    return waits


class WatchedSelector(selectors.DefaultSelector):
    """A selector that notes every turn of its loop that took too long."""

    def __init__(self, limit_seconds: float, blocked_seconds: list[float]) -> None:
        super().__init__()
        self._limit_seconds = limit_seconds
        self._blocked_seconds = blocked_seconds
        self._polled: float | None = None
        self._waits: dict[int, float] = {}
        self._read = float("-inf")
        self._collecting = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Poll, and judge the turn that ends with this poll."""
        if self._polled is not None and (turn_seconds := time.monotonic() - self._polled) > self._limit_seconds:
            self._judge(turn_seconds)
        events = super().select(timeout)
        self._polled, self._collecting = time.monotonic(), COLLECTIONS.seconds
        if self._polled - self._read > WAITS_FRESH_SECONDS:
            self._waits, self._read = processor_waits(), self._polled
        return events

    def forget(self) -> None:
        """The loop has not been running: the time since the last poll is not its own."""
        self._polled = None

    def _judge(self, turn_seconds: float) -> None:
        waited = sum(now - self._waits.get(thread, 0.0) for thread, now in processor_waits().items())
        own_seconds = turn_seconds - waited - (COLLECTIONS.seconds - self._collecting)
        if own_seconds > self._limit_seconds:
            self._blocked_seconds.append(own_seconds)


class WatchedLoop(asyncio.SelectorEventLoop):
    """Adds every turn beyond the limit to `blocked_seconds`."""

    def __init__(self, blocked_seconds: list[float], *, limit_seconds: float = BLOCKED_LIMIT_SECONDS) -> None:
        self._watch = WatchedSelector(limit_seconds, blocked_seconds)
        super().__init__(self._watch)

    def run_forever(self) -> None:
        """Run until stopped."""
        self._watch.forget()
        super().run_forever()
