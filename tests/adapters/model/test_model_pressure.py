"""What an account bears is learned from its 429s: the rule, and calls to a server that allows so many at a time."""

import asyncio
import json
import random

from model_wire import KEY, Wire, hello, ignore, loopback, profile_of, request_of

from longshift.adapters.context.tab import Tab
from longshift.adapters.model import complete_with_patience
from longshift.adapters.model.client import ModelClient
from longshift.adapters.model.limiter import LimiterPool
from longshift.adapters.model.pressure import Pressure
from longshift.contracts.errors import ProviderError, ProviderFailure

ALLOWED = 8
CALLS = 240
SECONDS_PER_REQUEST = 0.1


class Clock:
    """A time that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_429_halves_what_is_in_flight_once_in_two_seconds() -> None:
    clock = Clock()
    pressure = Pressure(clock)
    assert None is pressure.limit
    pressure.throttled(40)
    assert 20 == pressure.limit
    clock.now += 1.9
    pressure.throttled(20)
    assert 20 == pressure.limit
    clock.now += 0.1
    pressure.throttled(20)
    assert 10 == pressure.limit


def test_one_call_is_always_allowed() -> None:
    clock = Clock()
    pressure = Pressure(clock)
    for _ in range(10):
        clock.now += 5
        pressure.throttled(1)
    assert 1 == pressure.limit


def test_it_grows_quickly_to_near_what_was_refused_and_then_by_one_for_each_windowful() -> None:
    pressure = Pressure(Clock())
    pressure.throttled(16)
    for _ in range(6):
        pressure.succeeded()
    assert 14 == pressure.limit
    for _ in range(13):
        pressure.succeeded()
    assert 14 == pressure.limit
    pressure.succeeded()
    assert 15 == pressure.limit


def test_after_a_quiet_minute_the_profiles_own_limits_count_again() -> None:
    clock = Clock()
    pressure = Pressure(clock)
    pressure.throttled(16)
    clock.now += 60.0
    assert None is pressure.limit


class Provider:
    """Allows so many at a time, and refuses the others at once."""

    def __init__(self, allowed: int) -> None:
        self._allowed = allowed
        self.at_work = 0
        self.requests = 0
        self.refused = 0

    async def answer(self, wire: Wire) -> None:
        self.requests += 1
        if self.at_work >= self._allowed:
            self.refused += 1
            body = json.dumps({"type": "error", "error": {"type": "rate_limit_error", "message": "too many"}}).encode()
            head = f"HTTP/1.1 429 Too Many\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
            await wire.send(head.encode() + body)
            return
        self.at_work += 1
        try:
            await asyncio.sleep(0.1)
        finally:
            self.at_work -= 1
        await wire.head(chunked=True)
        await wire.chunk(hello())
        await wire.chunk(b"")


async def test_calls_settle_to_what_the_provider_allows_and_all_get_their_answers() -> None:
    # Time goes on with the requests: how many are refused does not depend on how fast the machine is.
    provider, tab = Provider(ALLOWED), Tab()
    limiters = LimiterPool(now=lambda: provider.requests * SECONDS_PER_REQUEST)
    client = ModelClient(key_of=lambda _name: KEY, limiters=limiters)
    async with loopback(provider.answer) as address:
        profile = profile_of(base_url=address)

        def failed(error: ProviderError) -> bool:
            tab.failed(error)
            return True

        async def ask() -> str:
            answer = await complete_with_patience(
                client,
                profile,
                request_of(),
                ignore,
                patience_seconds=60,
                random=random.Random(1),
                sleep=lambda seconds: asyncio.sleep(min(seconds, 0.2)),
                on_failure=failed,
            )
            return answer.stop_reason

        try:
            reasons = await asyncio.gather(*(ask() for _ in range(CALLS)))
        finally:
            await client.aclose()
    assert {"end_turn"} == set(reasons)
    assert provider.refused == tab.booked.throttled > 0
    # Without a limit each round of the others would be refused again, six or seven times each call.
    assert provider.refused < 4 * CALLS
    assert 0 == limiters.of(profile).in_flight


def test_only_the_providers_own_429_counts() -> None:
    tab = Tab()
    tab.failed(ProviderError(ProviderFailure.RATE_LIMITED, "this worker pauses"))
    tab.failed(ProviderError(ProviderFailure.QUOTA, "used up", status=429))
    assert 0 == tab.booked.throttled
