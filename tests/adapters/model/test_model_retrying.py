"""Patience: which failures are repeated, when, and when no longer."""

from random import Random

import httpx
import pytest
from model_wire import client_over, hello, ignore, profile_of, request_of, stream_response

from longshift.adapters.model.answer import ModelAnswer
from longshift.adapters.model.limiter import LimiterPool
from longshift.adapters.model.retrying import complete_with_patience
from longshift.contracts.errors import ProviderError, ProviderFailure


class Clock:
    """Sleeping moves the time."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.sleeps: list[float] = []

    def now(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.seconds += seconds


class NoJitter(Random):
    def random(self) -> float:
        return 0.0


class Provider:
    """Plays responses in turn, the last one for ever; each attempt may take a while."""

    def __init__(self, clock: Clock, *responses: httpx.Response, seconds: float = 0.0) -> None:
        self._clock = clock
        self._responses = list(responses)
        self._seconds = seconds
        self.attempts = 0

    def __call__(self, _request: httpx.Request) -> httpx.Response:
        self.attempts += 1
        self._clock.seconds += self._seconds
        return self._responses.pop(0) if len(self._responses) > 1 else self._responses[0]


def broken(status: int = 500, **headers: str) -> httpx.Response:
    return httpx.Response(status, headers={name.replace("_", "-"): value for name, value in headers.items()})


async def ask(clock: Clock, provider: Provider, patience_seconds: float = 100.0) -> ModelAnswer:
    client = client_over(provider, limiters=LimiterPool(now=clock.now, sleep=clock.sleep))
    try:
        return await complete_with_patience(
            client,
            profile_of(),
            request_of(),
            ignore,
            patience_seconds=patience_seconds,
            random=NoJitter(),
            sleep=clock.sleep,
            now=clock.now,
        )
    finally:
        await client.aclose()


async def failure_of(clock: Clock, provider: Provider, patience_seconds: float = 100.0) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await ask(clock, provider, patience_seconds)
    return caught.value


async def test_first_answer_is_returned_without_a_wait() -> None:
    clock = Clock()
    answer = await ask(clock, Provider(clock, stream_response(hello())))
    assert ("end_turn", []) == (answer.stop_reason, clock.sleeps)


async def test_passing_trouble_is_repeated_with_growing_delays() -> None:
    clock = Clock()
    cut = stream_response(hello()[:-10])
    provider = Provider(clock, broken(500), broken(529), cut, broken(429), stream_response(hello()))
    assert "Hello" == (await ask(clock, provider)).content[0]["text"]
    assert [0.5, 1, 2, 4] == clock.sleeps


@pytest.mark.parametrize("status", [400, 401, 402, 404, 413])
async def test_lasting_trouble_is_raised_at_once(status: int) -> None:
    clock = Clock()
    provider = Provider(clock, broken(status))
    await failure_of(clock, provider)
    assert (1, []) == (provider.attempts, clock.sleeps)


async def test_last_failure_is_raised_when_patience_is_used_up() -> None:
    clock = Clock()
    error = await failure_of(clock, Provider(clock, broken(500), broken(500), broken(503)), 10.0)
    assert (503, [0.5, 1, 2, 4, 2.5]) == (error.status, clock.sleeps)


async def test_retry_after_is_waited_for() -> None:
    clock = Clock()
    provider = Provider(clock, broken(429, retry_after="20"), stream_response(hello()))
    await ask(clock, provider)
    assert [20.0] == clock.sleeps


async def test_retry_after_beyond_patience_is_raised_at_once() -> None:
    clock = Clock()
    provider = Provider(clock, broken(429, retry_after="101"))
    error = await failure_of(clock, provider)
    assert (101.0, 1, []) == (error.retry_after_seconds, provider.attempts, clock.sleeps)


async def test_retry_after_of_a_second_failure_counts_against_what_is_left() -> None:
    clock = Clock()
    provider = Provider(clock, broken(429, retry_after="60"))
    error = await failure_of(clock, provider)
    assert (60.0, 2, [60.0]) == (error.retry_after_seconds, provider.attempts, clock.sleeps)


async def test_patience_counts_from_the_first_failure_not_from_the_start() -> None:
    clock = Clock()
    cut = stream_response(hello()[:-10])
    provider = Provider(clock, cut, stream_response(hello()), seconds=1_000.0)
    assert "end_turn" == (await ask(clock, provider, 30.0)).stop_reason


async def test_attempts_after_the_first_failure_cost_patience() -> None:
    clock = Clock()
    provider = Provider(clock, broken(500), seconds=40.0)
    error = await failure_of(clock, provider, 100.0)
    assert (ProviderFailure.SERVER, 4) == (error.failure, provider.attempts)


async def test_pause_of_the_account_beyond_patience_is_raised_without_a_request() -> None:
    clock = Clock()
    provider = Provider(clock, stream_response(hello()))
    limiters = LimiterPool(now=clock.now, sleep=clock.sleep)
    limiters.of(profile_of()).pause(500)
    client = client_over(provider, limiters=limiters)
    with pytest.raises(ProviderError) as caught:
        await complete_with_patience(
            client,
            profile_of(),
            request_of(),
            ignore,
            patience_seconds=100,
            random=NoJitter(),
            sleep=clock.sleep,
            now=clock.now,
        )
    assert (500.0, 0, []) == (caught.value.retry_after_seconds, provider.attempts, clock.sleeps)
    await client.aclose()


async def test_each_retry_is_told_with_its_delay() -> None:
    clock = Clock()
    told: list[tuple[int | None, float]] = []
    client = client_over(Provider(clock, broken(500), broken(529), stream_response(hello())))
    await complete_with_patience(
        client,
        profile_of(),
        request_of(),
        ignore,
        patience_seconds=100,
        random=NoJitter(),
        sleep=clock.sleep,
        now=clock.now,
        on_retry=lambda error, delay_seconds: told.append((error.status, delay_seconds)),
    )
    assert [(500, 0.5), (529, 1.0)] == told
    await client.aclose()
