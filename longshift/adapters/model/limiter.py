"""Keeps a worker within its accounts' limits: calls in flight, requests and tokens per minute, and shared pauses.

Providers count the prompt plus the output that was asked for, so that is reserved, and corrected once the real usage
is known. Limits come with each call (profiles of one account may state their own), counts belong to the account.
Other workers are not known here: `Limits.share` is how they share an account. What the account bears below its stated
limits is learned in `pressure`.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from longshift.adapters.model.pressure import Pressure
from longshift.contracts.errors import ProviderError, ProviderFailure
from longshift.contracts.model import Limits, ModelProfile

WINDOW_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 3_600.0
"""After an hour one call goes out to see, whatever the provider said."""


@dataclass(slots=True)
class _Admission:
    at: float
    tokens: int


class Slot:
    """A call's place in its account."""

    def __init__(self, admission: _Admission, changed: asyncio.Event) -> None:
        self._admission = admission
        self._changed = changed

    def settle(self, tokens: int) -> None:
        """Replace the reservation by what was really used."""
        self._admission.tokens = tokens
        self._changed.set()


class Limiter:
    """One account's counts. Callers are served strictly in the order they came."""

    def __init__(self, now: Callable[[], float], sleep: Callable[[float], Awaitable[None]]) -> None:
        self._now = now
        self._sleep = sleep
        self._turn = asyncio.Lock()
        """Held by the caller that is next; asyncio's locks are fair."""
        self._changed = asyncio.Event()
        """Set when the caller that is next should look again."""
        self._window: deque[_Admission] = deque()
        self._in_flight = 0
        self._paused_until = 0.0
        self._pressure = Pressure(now)

    @property
    def in_flight(self) -> int:
        """Calls that hold a slot."""
        return self._in_flight

    def pause(self, seconds: float) -> None:
        """Let nobody in for this long; a longer pause in force stays."""
        self._paused_until = max(self._paused_until, self._now() + min(seconds, LONGEST_PAUSE_SECONDS))
        self._changed.set()

    def throttled(self) -> None:
        """The provider refused a call that holds a slot, as there are too many."""
        self._pressure.throttled(self._in_flight)

    def succeeded(self) -> None:
        """The provider answered a call that holds a slot."""
        self._pressure.succeeded()
        self._changed.set()

    @asynccontextmanager
    async def slot(
        self, limits: Limits, tokens: int, longest_pause_seconds: float | None = None
    ) -> AsyncGenerator[Slot]:
        """Hold a slot for a call that may use `tokens`; waits for one as long as it takes.

        Raises:
            ProviderError: The provider asked for a pause longer than `longest_pause_seconds`; raised at once.
        """
        self._refuse_pause_beyond(longest_pause_seconds)
        async with self._turn:
            admission = await self._admit(limits, tokens, longest_pause_seconds)
        try:
            yield Slot(admission, self._changed)
        finally:
            self._in_flight -= 1
            self._changed.set()

    async def _admit(self, limits: Limits, tokens: int, longest_pause_seconds: float | None) -> _Admission:
        while True:
            self._changed.clear()
            self._refuse_pause_beyond(longest_pause_seconds)
            delay_seconds = self._seconds_until_free(limits, tokens)
            if delay_seconds == 0.0:
                admission = _Admission(self._now(), tokens)
                self._window.append(admission)
                self._in_flight += 1
                return admission
            await self._wait(delay_seconds)

    async def _wait(self, seconds: float | None) -> None:
        """Until something changed, or `seconds` have passed."""
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._changed.wait())]
        if seconds is not None:
            waits.append(asyncio.ensure_future(self._sleep(seconds)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _refuse_pause_beyond(self, longest_seconds: float | None) -> None:
        left = self._pause_left()
        if longest_seconds is not None and left > longest_seconds:
            raise ProviderError(
                ProviderFailure.RATE_LIMITED,
                f"the provider asked this account to pause; {left:.0f} s are left",
                retry_after_seconds=left,
            )

    def _pause_left(self) -> float:
        return max(self._paused_until - self._now(), 0.0)

    def _seconds_until_free(self, limits: Limits, tokens: int) -> float | None:
        """0 when a call may go now; None when only the end of another call can help."""
        if pause := self._pause_left():
            return pause
        if limits.concurrency is not None and self._in_flight >= _part(limits.concurrency, limits.share):
            return None
        borne = self._pressure.limit
        if borne is not None and self._in_flight >= borne:
            return None
        now = self._now()
        while self._window and self._window[0].at <= now - WINDOW_SECONDS:
            self._window.popleft()
        opens_at = now
        if limits.requests_per_minute is not None:
            too_many = len(self._window) - _part(limits.requests_per_minute, limits.share)
            if too_many >= 0:
                opens_at = self._window[too_many].at + WINDOW_SECONDS
        if limits.tokens_per_minute is not None:
            opens_at = max(opens_at, self._tokens_free_at(_part(limits.tokens_per_minute, limits.share) - tokens))
        return opens_at - now

    def _tokens_free_at(self, room: int) -> float:
        """When the window holds no more than `room` tokens, or nothing at all: a huge call still gets its turn."""
        held = sum(admission.tokens for admission in self._window)
        free_at = 0.0
        for admission in self._window:
            if held <= room or held == 0:
                break
            held -= admission.tokens
            free_at = admission.at + WINDOW_SECONDS
        return free_at


class LimiterPool:
    """The limiters of one process, one per account: endpoint and key."""

    def __init__(
        self,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._now = now
        self._sleep = sleep
        self._limiters: dict[tuple[str, str], Limiter] = {}

    def of(self, profile: ModelProfile) -> Limiter:
        """The limiter of the profile's account."""
        account = (profile.base_url.rstrip("/"), profile.api_key_env)
        if account not in self._limiters:
            self._limiters[account] = Limiter(self._now, self._sleep)
        return self._limiters[account]


def _part(limit: int, share: float) -> int:
    return max(int(limit * share), 1)
