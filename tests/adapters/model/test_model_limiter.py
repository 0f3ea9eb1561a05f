"""The account-wide limiter, on a clock that the tests move."""

import asyncio
import heapq
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from model_wire import profile_of

from longshift.adapters.model.limiter import LONGEST_PAUSE_SECONDS, LimiterPool, Slot
from longshift.contracts.errors import ProviderError, ProviderFailure
from longshift.contracts.model import Limits


class Clock:
    """Time stands still until `advance`."""

    def __init__(self) -> None:
        self.seconds = 1_000.0
        self._sleepers: list[tuple[float, int, asyncio.Event]] = []

    def now(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        heapq.heappush(self._sleepers, (self.seconds + seconds, id(woken), woken))
        await woken.wait()

    async def advance(self, seconds: float) -> None:
        self.seconds += seconds
        while self._sleepers and self._sleepers[0][0] <= self.seconds:
            heapq.heappop(self._sleepers)[2].set()
        await settle_down()


async def settle_down() -> None:
    """Let every task run until it waits for time or for another."""
    for _ in range(50):
        await asyncio.sleep(0)


class Account:
    """Callers of one account, and who of them is in."""

    def __init__(self, clock: Clock, start: Callable[[Awaitable[None]], asyncio.Task[None]]) -> None:
        self.limiter = LimiterPool(now=clock.now, sleep=clock.sleep).of(profile_of())
        self.entered: list[str] = []
        self.slots: dict[str, Slot] = {}
        self._leave: dict[str, asyncio.Event] = {}
        self._start = start

    async def enter(self, name: str, limits: Limits, tokens: int = 0) -> asyncio.Task[None]:
        self._leave[name] = asyncio.Event()

        async def stay() -> None:
            async with self.limiter.slot(limits, tokens) as slot:
                self.entered.append(name)
                self.slots[name] = slot
                await self._leave[name].wait()

        task = self._start(stay())
        await settle_down()
        return task

    async def leave(self, name: str) -> None:
        self._leave[name].set()
        await settle_down()


@asynccontextmanager
async def account(clock: Clock) -> AsyncGenerator[Account]:
    tasks: list[asyncio.Task[None]] = []

    def start(work: Awaitable[None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        assert isinstance(task, asyncio.Task)
        tasks.append(task)
        return task

    try:
        yield Account(clock, start)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_without_limits_everybody_is_in_at_once() -> None:
    async with account(Clock()) as calls:
        for name in "abc":
            await calls.enter(name, Limits())
        assert ["a", "b", "c"] == calls.entered
        assert 3 == calls.limiter.in_flight


async def test_concurrency_is_kept_and_waiting_callers_come_in_order() -> None:
    async with account(Clock()) as calls:
        for name in "abcd":
            await calls.enter(name, Limits(concurrency=2))
        assert ["a", "b"] == calls.entered
        await calls.leave("b")
        await calls.leave("a")
        assert ["a", "b", "c", "d"] == calls.entered


async def test_requests_per_minute_hold_in_every_window_of_a_minute() -> None:
    clock = Clock()
    limits = Limits(requests_per_minute=2)
    async with account(clock) as calls:
        await calls.enter("a", limits)
        await clock.advance(30)
        await calls.enter("b", limits)
        await calls.enter("c", limits)
        await calls.enter("d", limits)
        await calls.leave("a")
        await calls.leave("b")
        await clock.advance(29)
        assert ["a", "b"] == calls.entered
        await clock.advance(1)
        assert ["a", "b", "c"] == calls.entered
        await clock.advance(30)
        assert ["a", "b", "c", "d"] == calls.entered


async def test_reserved_tokens_hold_back_the_next_call_until_they_leave_the_window() -> None:
    clock = Clock()
    limits = Limits(tokens_per_minute=100)
    async with account(clock) as calls:
        await calls.enter("a", limits, 60)
        await calls.enter("b", limits, 60)
        await clock.advance(59)
        assert ["a"] == calls.entered
        await clock.advance(1)
        assert ["a", "b"] == calls.entered


async def test_settling_below_the_reservation_lets_the_next_call_in_at_once() -> None:
    limits = Limits(tokens_per_minute=100)
    async with account(Clock()) as calls:
        await calls.enter("a", limits, 90)
        await calls.enter("b", limits, 60)
        calls.slots["a"].settle(50)
        await settle_down()
        assert ["a"] == calls.entered
        calls.slots["a"].settle(40)
        await settle_down()
        assert ["a", "b"] == calls.entered


async def test_call_larger_than_the_whole_limit_gets_its_turn_in_an_empty_window() -> None:
    clock = Clock()
    limits = Limits(tokens_per_minute=100)
    async with account(clock) as calls:
        await calls.enter("a", limits, 10)
        await calls.enter("huge", limits, 500)
        assert ["a"] == calls.entered
        await clock.advance(60)
        assert ["a", "huge"] == calls.entered


async def test_small_call_does_not_overtake_a_large_one() -> None:
    clock = Clock()
    limits = Limits(tokens_per_minute=100)
    async with account(clock) as calls:
        await calls.enter("a", limits, 90)
        await calls.enter("large", limits, 90)
        await calls.enter("small", limits, 5)
        assert ["a"] == calls.entered
        await clock.advance(60)
        assert ["a", "large", "small"] == calls.entered


async def test_share_is_applied_and_never_rounds_down_to_nothing() -> None:
    async with account(Clock()) as calls:
        for name in "abc":
            await calls.enter(name, Limits(concurrency=5, share=0.5))
        assert ["a", "b"] == calls.entered
    async with account(Clock()) as calls:
        await calls.enter("a", Limits(concurrency=1, requests_per_minute=1, tokens_per_minute=1, share=0.1))
        assert ["a"] == calls.entered


async def test_pause_holds_everybody_until_it_is_over() -> None:
    clock = Clock()
    async with account(clock) as calls:
        calls.limiter.pause(20)
        calls.limiter.pause(5)
        await calls.enter("a", Limits())
        await calls.enter("b", Limits())
        await clock.advance(19)
        assert [] == calls.entered
        await clock.advance(1)
        assert ["a", "b"] == calls.entered


async def test_pause_that_is_made_longer_holds_those_who_already_wait() -> None:
    clock = Clock()
    async with account(clock) as calls:
        calls.limiter.pause(5)
        await calls.enter("a", Limits())
        calls.limiter.pause(20)
        await clock.advance(19)
        assert [] == calls.entered
        await clock.advance(1)
        assert ["a"] == calls.entered


async def test_pause_is_never_longer_than_an_hour() -> None:
    clock = Clock()
    async with account(clock) as calls:
        calls.limiter.pause(1e9)
        await calls.enter("a", Limits())
        await clock.advance(LONGEST_PAUSE_SECONDS)
        assert ["a"] == calls.entered


async def test_pause_beyond_what_a_caller_accepts_fails_at_once_with_the_rest_of_it() -> None:
    clock = Clock()
    limiter = LimiterPool(now=clock.now, sleep=clock.sleep).of(profile_of())
    limiter.pause(30)
    await clock.advance(10)
    with pytest.raises(ProviderError) as caught:
        async with limiter.slot(Limits(), 0, 19.0):
            pass
    assert (ProviderFailure.RATE_LIMITED, 20.0, None) == (
        caught.value.failure,
        caught.value.retry_after_seconds,
        caught.value.status,
    )
    assert 0 == limiter.in_flight


async def test_pause_that_comes_while_waiting_fails_those_who_do_not_accept_it() -> None:
    clock = Clock()
    limiter = LimiterPool(now=clock.now, sleep=clock.sleep).of(profile_of())

    async def enter() -> None:
        async with limiter.slot(Limits(concurrency=1), 0, 10.0):
            pass

    async with limiter.slot(Limits(), 0):
        waiting = asyncio.ensure_future(enter())
        await settle_down()
        limiter.pause(11)
        with pytest.raises(ProviderError):
            await waiting


async def test_cancelled_callers_leave_nothing_behind() -> None:
    async with account(Clock()) as calls:
        await calls.enter("a", Limits(concurrency=1))
        first = await calls.enter("b", Limits(concurrency=1))
        second = await calls.enter("c", Limits(concurrency=1))
        await calls.enter("d", Limits(concurrency=1))
        first.cancel()
        second.cancel()
        await settle_down()
        await calls.leave("a")
        assert (["a", "d"], 1) == (calls.entered, calls.limiter.in_flight)


async def test_failing_call_gives_its_slot_back() -> None:
    limiter = LimiterPool().of(profile_of())
    with pytest.raises(ValueError, match="broken"):
        async with limiter.slot(Limits(concurrency=1), 0):
            raise ValueError("broken")
    assert 0 == limiter.in_flight


def test_account_is_the_endpoint_and_the_key() -> None:
    pool = LimiterPool()
    base = profile_of()
    assert pool.of(base) is pool.of(profile_of(model="other", base_url=base.base_url + "/"))
    assert pool.of(base) is not pool.of(profile_of(api_key_env="OTHER"))
    assert pool.of(base) is not pool.of(profile_of(base_url="http://127.0.0.1:10"))
