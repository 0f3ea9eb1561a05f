"""Asks a model within its window, and learns from refusals how large that window really is.

How an answer is streamed, retried and limited is the client's business; when to compact is `policy.context`'s.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from longshift.adapters.context.tab import Tab
from longshift.adapters.model import ModelAnswer, ModelClient, ModelRequest, StreamProgress, complete_with_patience
from longshift.contracts.errors import ProviderError, ProviderFailure
from longshift.contracts.model import ModelProfile, Reserve, Usage
from longshift.contracts.transcript import EpochBase
from longshift.policy import context, provider

_NEVER_COUNTS = frozenset(
    {ProviderFailure.AUTH, ProviderFailure.INVALID, ProviderFailure.SERVER, ProviderFailure.UNKNOWN_MODEL}
)
"""After one of these an endpoint is not asked again by this worker: there is none, or it speaks another language."""


@dataclass(frozen=True)
class Prompt:
    """What is sent, apart from the output limit."""

    profile: ModelProfile
    task_id: str
    base: EpochBase
    messages: Sequence[bytes]
    tokens: int
    """The estimate of its size."""
    estimated_tokens: int = 0
    """The part of it that no `usage` has counted yet."""

    @property
    def size_bytes(self) -> int:
        """Bytes of the messages."""
        return sum(map(len, self.messages))


class Asker:
    """One request at a time, with patience for a provider's trouble inside."""

    def __init__(self, client: ModelClient, *, patience_seconds: float, jitter: random.Random) -> None:
        self._client = client
        self._patience_seconds = patience_seconds
        self._jitter = jitter
        self._windows: dict[str, int] = {}
        """By profile, where a refusal told a smaller one than the profile's."""
        self._bodies: dict[str, int] = {}
        """The same for the size of a body, in bytes."""
        self._uncounted: set[str] = set()
        """Profiles whose endpoint for counting does not work."""

    def fitted(self, profile: ModelProfile) -> ModelProfile:
        """The profile with the limits that the provider really has, as far as they are known."""
        window = min(profile.window_tokens, self._windows.get(profile.name, profile.window_tokens))
        body = min(profile.body_limit_bytes, self._bodies.get(profile.name, profile.body_limit_bytes))
        if (window, body) == (profile.window_tokens, profile.body_limit_bytes):
            return profile
        return profile.model_copy(update={"window_tokens": window, "body_limit_bytes": body})

    def learn_window(self, profile: ModelProfile, window_tokens: int) -> bool:
        """Keep a window that is smaller than the one known so far; whether it was. 0 says nothing."""
        if not 0 < window_tokens < self.fitted(profile).window_tokens:
            return False
        self._windows[profile.name] = window_tokens
        return True

    def reserve(self, profile: ModelProfile, prompt_tokens: int) -> Reserve:
        """What the next call may cost at most, apart from its prompt, which has about `prompt_tokens`."""
        return profile.prices.reserve(context.output_tokens(self.fitted(profile), prompt_tokens))

    async def ask(self, prompt: Prompt, wanted_tokens: int | None, tab: Tab) -> ModelAnswer:
        """Ask for an answer of at most `wanted_tokens` (the profile's usual number where None), and book what it costs.

        A refusal that tells a smaller window is answered by asking for less, as long as the prompt itself fits.

        Raises:
            ProviderError: there is no answer; one of the kind OVERFLOW or TOO_LARGE wants a smaller prompt.
        """
        prompt = await self._counted(prompt)
        while True:
            profile = self.fitted(prompt.profile)
            _check_body(prompt, profile)
            max_tokens = context.output_tokens(profile, prompt.tokens, wanted_tokens)
            try:
                answer = await self._complete(profile, prompt, max_tokens, tab)
            except ProviderError as error:
                if not self._learnt(profile, prompt, max_tokens, error) or not self._has_room(prompt, max_tokens):
                    raise
                continue
            tab.paid(answer.usage)
            if answer.stop_reason == "refusal":
                text = "the model refused to answer"
                raise ProviderError(ProviderFailure.REFUSED, text, request_id=answer.request_id)
            return answer

    async def _counted(self, prompt: Prompt) -> Prompt:
        """The prompt with its size counted by the provider, where much of it is a guess and the window is near.

        Without a count the estimate stands. A prompt that is counted as too large is refused here, unasked.
        """
        profile = self.fitted(prompt.profile)
        wanted = context.should_count(profile, prompt.tokens, prompt.estimated_tokens)
        if not wanted or not profile.count_tokens_path or profile.name in self._uncounted:
            return prompt
        try:
            tokens = await self._client.count_tokens(profile, _request(prompt, context.MIN_OUTPUT_TOKENS))
        except ProviderError as error:
            if error.failure in _NEVER_COUNTS:
                self._uncounted.add(profile.name)
            return prompt
        if tokens + context.MIN_OUTPUT_TOKENS > profile.window_tokens:
            text = f"the prompt was counted as {tokens} tokens; {profile.name} takes {profile.window_tokens}"
            raise ProviderError(ProviderFailure.OVERFLOW, text)
        return replace(prompt, tokens=tokens, estimated_tokens=0)

    async def _complete(self, profile: ModelProfile, prompt: Prompt, max_tokens: int, tab: Tab) -> ModelAnswer:
        most = most_of(prompt, max_tokens)

        def on_progress(made: StreamProgress) -> None:
            tab.report(f"{made.characters} characters")

        def on_failure(error: ProviderError) -> bool:
            tab.failed(error)
            return tab.affords(most)

        def on_retry(error: ProviderError, delay_seconds: float) -> None:
            tab.report(f"{provider.detail_of(error)}; asking again in {delay_seconds:.0f} s")

        return await complete_with_patience(
            self._client,
            profile,
            _request(prompt, max_tokens),
            on_progress,
            patience_seconds=self._patience_seconds,
            random=self._jitter,
            on_retry=on_retry,
            on_attempt=lambda: tab.sends(most),
            on_failure=on_failure,
        )

    def _learnt(self, profile: ModelProfile, prompt: Prompt, max_tokens: int, error: ProviderError) -> bool:
        """Whether a refusal told a smaller limit than was known; a window without a number is guessed from the size."""
        if error.failure is ProviderFailure.TOO_LARGE:
            self._bodies[profile.name] = min(profile.body_limit_bytes, int(prompt.size_bytes * context.REFUSED_SHARE))
            return False
        if error.failure is not ProviderFailure.OVERFLOW:
            return False
        guess = context.guessed_window_tokens(profile, prompt.tokens + max_tokens)
        return self.learn_window(profile, error.window_tokens or guess)

    def _has_room(self, prompt: Prompt, max_tokens: int) -> bool:
        """Whether the prompt fits the window as it is known now, with less output than `max_tokens`."""
        fitted = self.fitted(prompt.profile)
        less = context.output_tokens(fitted, prompt.tokens, max_tokens)
        return less < max_tokens and prompt.tokens + less <= fitted.window_tokens


def most_of(prompt: Prompt, max_tokens: int) -> Usage:
    """What a request may cost at most: a prompt of its size, from no cache, and the longest answer."""
    return Usage(input_tokens=prompt.tokens, output_tokens=max_tokens)


def _request(prompt: Prompt, max_tokens: int) -> ModelRequest:
    return ModelRequest(
        system=prompt.base.system,
        tools=prompt.base.tools,
        messages=prompt.messages,
        max_tokens=max_tokens,
        prompt_tokens_estimate=prompt.tokens,
        user_id=prompt.task_id,
    )


def _check_body(prompt: Prompt, profile: ModelProfile) -> None:
    if prompt.size_bytes > profile.body_limit_bytes:
        text = f"the request has {prompt.size_bytes} bytes; {profile.name} takes {profile.body_limit_bytes}"
        raise ProviderError(ProviderFailure.TOO_LARGE, text)
