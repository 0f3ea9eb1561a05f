"""The schedule of repeated model calls."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshift.contracts.errors import ProviderFailure
from longshift.policy.retry import backoff_seconds, seconds_before_retry

TRANSIENT = [failure for failure in ProviderFailure if failure.is_transient]
LASTING = [failure for failure in ProviderFailure if not failure.is_transient]


def delay(
    failure: ProviderFailure = ProviderFailure.SERVER,
    attempt: int = 0,
    *,
    asked: float | None = None,
    remaining: float = 1_000.0,
    jitter: float = 0.0,
) -> float | None:
    return seconds_before_retry(failure, attempt, retry_after_seconds=asked, remaining_seconds=remaining, jitter=jitter)


def test_delays_double_from_half_a_second_to_thirty_two() -> None:
    assert [0.5, 1, 2, 4, 8, 16, 32, 32, 32] == [backoff_seconds(attempt, 0.0) for attempt in range(9)]


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_jitter_adds_at_most_a_quarter(attempt: int, jitter: float) -> None:
    plain = backoff_seconds(attempt, 0.0)
    assert plain <= backoff_seconds(attempt, jitter) <= plain * 1.25


@pytest.mark.parametrize("failure", TRANSIENT)
def test_passing_trouble_is_retried(failure: ProviderFailure) -> None:
    assert 0.5 == delay(failure)


@pytest.mark.parametrize("failure", LASTING)
def test_lasting_trouble_is_not_retried_even_if_asked_to(failure: ProviderFailure) -> None:
    assert delay(failure, asked=1.0) is None


def test_what_the_provider_asks_for_overrides_the_schedule() -> None:
    assert [0.1, 70.0] == [delay(attempt=9, asked=asked, jitter=1.0) for asked in (0.1, 70.0)]


def test_asking_for_nothing_keeps_the_schedule() -> None:
    assert 4.0 == delay(attempt=3, asked=0.0)


def test_wait_beyond_patience_is_not_begun() -> None:
    assert [None, 10.0] == [delay(asked=10.1, remaining=10.0), delay(asked=10.0, remaining=10.0)]


def test_last_attempt_comes_when_patience_ends() -> None:
    assert 3.0 == delay(attempt=9, remaining=3.0)


@pytest.mark.parametrize("remaining", [0.0, -1.0])
def test_used_up_patience_gives_up(remaining: float) -> None:
    assert delay(remaining=remaining) is None
