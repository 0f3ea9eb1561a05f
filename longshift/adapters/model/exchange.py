"""One HTTP exchange with a provider: send, read to the terminal event, keep to both deadlines.

The only place that awaits an answer. Limits of the account and repeated attempts are not here.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from longshift.adapters.model.answer import ModelAnswer, StreamProgress
from longshift.adapters.model.failures import NEVER_SENT, classify, classify_transport, request_id
from longshift.adapters.model.reading import AnswerReader
from longshift.adapters.model.request import RequestBody
from longshift.contracts.errors import ProviderError, ProviderFailure
from longshift.contracts.model import ModelProfile

_ERROR_BODY_LIMIT_BYTES = 64_000
_DRAIN_SECONDS = 0.2
"""After the terminal event the end of the body is awaited this long, so that the connection can be used again."""


@dataclass(frozen=True, slots=True)
class Call:
    """What goes over the wire."""

    url: str
    headers: dict[str, str]
    body: RequestBody


class _Watch:
    """The two deadlines of an attempt: no progress for too long, and too long altogether."""

    def __init__(self, timeout: asyncio.Timeout, profile: ModelProfile) -> None:
        self._timeout = timeout
        self._profile = profile
        self._now = asyncio.get_running_loop().time
        self.started = self._now()
        self._end = self.started + profile.request_timeout_seconds
        self.note_progress()

    @property
    def seconds(self) -> float:
        """Since the request was sent."""
        return self._now() - self.started

    def note_progress(self) -> None:
        self._timeout.reschedule(min(self._end, self._now() + self._profile.progress_timeout_seconds))

    def note_complete(self) -> None:
        self._timeout.reschedule(self._now() + _DRAIN_SECONDS)

    def explain(self) -> ProviderError:
        """The error that the passed deadline stands for."""
        if self._now() >= self._end:
            limit = f"the answer was not complete after {self._profile.request_timeout_seconds:g} s"
        else:
            limit = f"no content for {self._profile.progress_timeout_seconds:g} s"
        return ProviderError(ProviderFailure.INCOMPLETE, limit)


class Exchange:
    """One attempt."""

    def __init__(self, http: httpx.AsyncClient, profile: ModelProfile, call: Call) -> None:
        self._http = http
        self._profile = profile
        self._call = call
        self._reader: AnswerReader | None = None
        self._first_token_seconds: float | None = None
        self._is_refused = False
        """The provider said no, with a status or in the stream."""
        self.request_id = ""
        """The provider's, once the response's headers have come."""

    async def answer(self, on_progress: Callable[[StreamProgress], None]) -> ModelAnswer:
        """The whole answer.

        Raises:
            ProviderError: There is none.
        """
        try:
            seconds = await self._run(on_progress, only_start=False)
            assert self._reader is not None
            assembly = self._reader.assembly
            content, raw_inputs = assembly.content()
        except ProviderError as error:
            self._bill(error)
            raise
        return ModelAnswer(
            content=content,
            raw_inputs=raw_inputs,
            stop_reason=assembly.stop_reason,
            usage=assembly.usage,
            model=assembly.model,
            request_id=self.request_id,
            first_token_seconds=seconds if self._first_token_seconds is None else self._first_token_seconds,
            duration_seconds=seconds,
        )

    async def start(self) -> None:
        """Return once the provider has accepted the request and begun to answer.

        Raises:
            ProviderError: It has not.
        """
        await self._run(lambda _progress: None, only_start=True)
        assert self._reader is not None
        if not self._reader.assembly.started:
            raise ProviderError(ProviderFailure.INCOMPLETE, "the stream ended before an answer began")

    async def _run(self, on_progress: Callable[[StreamProgress], None], *, only_start: bool) -> float:
        """Read until the answer is complete (or has begun); returns the seconds that it took."""
        watch: _Watch | None = None
        complete_seconds: float | None = None
        try:
            async with asyncio.timeout(None) as timeout:
                watch = _Watch(timeout, self._profile)
                async with self._http.stream(
                    "POST", self._call.url, headers=self._call.headers, content=self._call.body.__aiter__()
                ) as response:
                    reader = await self._accepted(response)
                    async for chunk in response.aiter_bytes():
                        if complete_seconds is not None:
                            continue
                        if reader.feed(chunk):
                            watch.note_progress()
                            self._report(watch.seconds, on_progress)
                        if only_start and reader.assembly.started:
                            return watch.seconds
                        if reader.assembly.complete:
                            complete_seconds = watch.seconds
                            watch.note_complete()
                    if complete_seconds is None:
                        reader.finish()
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL) as error:
            # Once the terminal event has come, nothing that happens to the connection matters.
            if complete_seconds is None:
                raise self._explained(error, watch) from error
        assert watch is not None
        return watch.seconds if complete_seconds is None else complete_seconds

    async def _accepted(self, response: httpx.Response) -> AnswerReader:
        if not response.is_success:
            self._is_refused = True
            raise classify(response.status_code, response.headers, await error_body(response), self._profile)
        self.request_id = request_id(response.headers)

        def refused(data: bytes) -> ProviderError:
            self._is_refused = True
            return classify(200, response.headers, data, self._profile)

        self._reader = AnswerReader(refused)
        return self._reader

    def _bill(self, error: ProviderError) -> None:
        """Note what the failed attempt cost: nothing where it was refused or never sent."""
        assembly = self._reader.assembly if self._reader else None
        if assembly is not None and assembly.started:
            error.began, error.usage, error.output_characters = True, assembly.usage, assembly.characters
        elif not self._is_refused and not isinstance(error.__cause__, NEVER_SENT):
            error.usage = None

    def _report(self, seconds: float, on_progress: Callable[[StreamProgress], None]) -> None:
        assert self._reader is not None
        assembly = self._reader.assembly
        if self._first_token_seconds is None and assembly.characters:
            self._first_token_seconds = seconds
        on_progress(StreamProgress(characters=assembly.characters, blocks=assembly.blocks, seconds=seconds))

    def _explained(
        self, error: TimeoutError | httpx.HTTPError | httpx.InvalidURL, watch: _Watch | None
    ) -> ProviderError:
        if isinstance(error, TimeoutError):
            assert watch is not None
            return watch.explain()
        return classify_transport(error, answering=self._reader is not None)


async def error_body(response: httpx.Response) -> bytes:
    """The start of an error's body: it may be endless, or break off."""
    body = bytearray()
    try:
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) >= _ERROR_BODY_LIMIT_BYTES:
                break
    except httpx.HTTPError:
        # The status alone says enough.
        pass
    return bytes(body)
