"""Repeats a model call while the trouble is one that passes, for as long as its caller has patience.

The schedule of delays is `policy.retry`; the account's pauses and limits are `limiter.py`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from random import Random

from longshift.adapters.model.answer import ModelAnswer, StreamProgress
from longshift.adapters.model.client import ModelClient
from longshift.adapters.model.request import ModelRequest
from longshift.contracts.errors import ProviderError
from longshift.contracts.model import ModelProfile
from longshift.policy.retry import seconds_before_retry


async def complete_with_patience(
    client: ModelClient,
    profile: ModelProfile,
    request: ModelRequest,
    on_progress: Callable[[StreamProgress], None],
    *,
    patience_seconds: float,
    random: Random,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    now: Callable[[], float] = time.monotonic,
    on_retry: Callable[[ProviderError, float], None] | None = None,
    on_attempt: Callable[[], None] | None = None,
    on_failure: Callable[[ProviderError], bool] | None = None,
) -> ModelAnswer:
    """Ask until there is an answer. Patience counts from the first failure, so a long answer costs none of it.

    `on_attempt` hears of each request before it is made, `on_failure` of each that has no answer, and says whether
    another one may be made; `on_retry` hears of each failure that is retried, and of the delay in seconds.

    Raises:
        ProviderError: The last failure: one that does not pass, or patience is used up, or would be by waiting.
    """
    remaining_seconds = patience_seconds
    gives_up_at: float | None = None
    attempt = 0
    while True:
        if on_attempt is not None:
            on_attempt()
        try:
            return await client.complete(profile, request, on_progress, longest_pause_seconds=remaining_seconds)
        except ProviderError as error:
            may_retry = on_failure is None or on_failure(error)
            if gives_up_at is None:
                gives_up_at = now() + patience_seconds
            delay_seconds = seconds_before_retry(
                error.failure,
                attempt,
                retry_after_seconds=error.retry_after_seconds,
                remaining_seconds=gives_up_at - now(),
                jitter=random.random(),
            )
            if delay_seconds is None or not may_retry:
                raise
            if on_retry is not None:
                on_retry(error, delay_seconds)
        attempt += 1
        await sleep(delay_seconds)
        remaining_seconds = max(gives_up_at - now(), 0.0)
