"""The client over real sockets: cut, reset, stalled and sliced streams are never taken for answers."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from model_wire import KEY, Wire, event, hello, ignore, loopback, profile_of, request_of, started, text_block

from longshift.adapters.model.answer import ModelAnswer, StreamProgress
from longshift.adapters.model.client import ModelClient
from longshift.adapters.model.limiter import LimiterPool
from longshift.contracts.errors import ProviderError, ProviderFailure

HALF = started() + text_block(0, "Hel")
F = ProviderFailure


@pytest.fixture(autouse=True)
def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's proxy must not sit between the client and the loopback."""
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")


async def ask(
    address: str, on_progress: Callable[[StreamProgress], None] = ignore, *, calls: int = 1, **fields: Any
) -> ModelAnswer:
    client = ModelClient(key_of=lambda _name: KEY, limiters=LimiterPool())
    profile = profile_of(base_url=address, auth="none", **fields)
    try:
        for _ in range(calls - 1):
            await client.complete(profile, request_of(), on_progress)
        return await client.complete(profile, request_of(), on_progress)
    finally:
        await client.aclose()


async def failure_of(script: Callable[[Wire], Awaitable[None]], **fields: Any) -> ProviderError:
    async with loopback(script) as address:
        with pytest.raises(ProviderError) as caught:
            await ask(address, **fields)
    return caught.value


async def whole(wire: Wire) -> None:
    await wire.head(chunked=True)
    await wire.chunk(hello())
    await wire.chunk(b"")


async def test_whole_stream_is_an_answer_and_its_connection_is_used_again() -> None:
    connections: set[int] = set()
    requests = itertools.count(1)
    served = 0

    async def script(wire: Wire) -> None:
        nonlocal served
        served = next(requests)
        connections.add(wire.connection)
        await whole(wire)

    async with loopback(script) as address:
        answer = await ask(address, calls=3)
    assert ("Hello", 3, 1) == (answer.content[0]["text"], served, len(connections))


async def test_close_in_the_middle_of_a_chunked_stream_is_incomplete() -> None:
    async def script(wire: Wire) -> None:
        await wire.head(chunked=True)
        await wire.chunk(HALF)
        wire.close()

    assert F.INCOMPLETE == (await failure_of(script)).failure


async def test_close_in_the_middle_of_a_close_delimited_stream_is_incomplete() -> None:
    async def script(wire: Wire) -> None:
        await wire.head(chunked=False)
        await wire.send(HALF)
        wire.close()

    assert F.INCOMPLETE == (await failure_of(script)).failure


async def test_close_delimited_stream_that_is_whole_is_an_answer() -> None:
    async def script(wire: Wire) -> None:
        await wire.head(chunked=False)
        await wire.send(hello())
        wire.close()

    async with loopback(script) as address:
        assert "Hello" == (await ask(address)).content[0]["text"]


async def test_reset_in_the_middle_is_incomplete() -> None:
    received = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.head(chunked=True)
        await wire.chunk(HALF)
        # A reset discards what the other side has not read yet.
        await received.wait()
        wire.reset()

    async with loopback(script) as address:
        with pytest.raises(ProviderError) as caught:
            await ask(address, lambda _progress: received.set())
    assert F.INCOMPLETE == caught.value.failure


async def test_reset_before_the_headers_is_a_failed_connection() -> None:
    async def script(wire: Wire) -> None:
        wire.reset()

    assert F.CONNECTION == (await failure_of(script)).failure


async def test_close_before_the_headers_is_a_failed_connection() -> None:
    async def script(wire: Wire) -> None:
        wire.close()

    assert F.CONNECTION == (await failure_of(script)).failure


async def test_refused_connection_is_a_failed_connection() -> None:
    async with loopback(whole) as address:
        pass
    with pytest.raises(ProviderError) as caught:
        await ask(address)
    assert F.CONNECTION == caught.value.failure


@pytest.mark.parametrize("sent", [b"", HALF])
async def test_silence_is_incomplete_after_the_progress_deadline(sent: bytes) -> None:
    async def script(wire: Wire) -> None:
        await wire.head(chunked=True)
        if sent:
            await wire.chunk(sent)
        await wire.hang_up.wait()

    error = await failure_of(script, progress_timeout_seconds=0.1)
    assert (F.INCOMPLETE, "no content for 0.1 s") == (error.failure, str(error))


async def test_silence_before_the_headers_is_incomplete_after_the_progress_deadline() -> None:
    async def script(wire: Wire) -> None:
        await wire.hang_up.wait()

    assert F.INCOMPLETE == (await failure_of(script, progress_timeout_seconds=0.1)).failure


@pytest.mark.parametrize(
    "noise",
    [
        event("ping"),
        b": keep-alive\n\n",
        b"\n",
        event("content_block_delta", index=0, delta={"type": "text_delta", "text": ""}),
    ],
)
async def test_endless_pings_do_not_stretch_the_progress_deadline(noise: bytes) -> None:
    async def script(wire: Wire) -> None:
        await wire.head(chunked=True)
        await wire.chunk(started() + text_block(0, "x"))
        while not wire.hang_up.is_set():
            await wire.chunk(noise)
            await asyncio.sleep(0.005)

    error = await failure_of(script, progress_timeout_seconds=0.2)
    assert (F.INCOMPLETE, "no content for 0.2 s") == (error.failure, str(error))


async def test_endless_content_ends_at_the_overall_deadline() -> None:
    piece = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "x"})

    async def script(wire: Wire) -> None:
        await wire.head(chunked=True)
        await wire.chunk(started() + text_block(0, "x"))
        while not wire.hang_up.is_set():
            await wire.chunk(piece)
            await asyncio.sleep(0.005)

    error = await failure_of(script, request_timeout_seconds=0.2)
    assert (F.INCOMPLETE, "the answer was not complete after 0.2 s") == (error.failure, str(error))


async def test_content_stretches_the_progress_deadline() -> None:
    """Twelve pieces, each within the deadline, take longer than it together."""
    piece = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "x"})
    end = hello()[len(started()) :]

    async def script(wire: Wire) -> None:
        await wire.head(chunked=True)
        await wire.chunk(started() + text_block(0, ""))
        for _ in range(12):
            await wire.chunk(piece)
            await asyncio.sleep(0.1)
        await wire.chunk(end)
        await wire.chunk(b"")

    async with loopback(script) as address:
        answer = await ask(address, progress_timeout_seconds=1.0)
    assert "x" * 12 == answer.content[0]["text"]


async def test_single_bytes_are_put_together_with_their_characters_intact() -> None:
    text = "Grüße 😀"

    async def script(wire: Wire) -> None:
        await wire.head(chunked=True)
        stream = started() + text_block(0, text) + hello()[len(started() + text_block(0, "Hel", "lo")) :]
        for byte in stream:
            await wire.chunk(bytes([byte]))
        await wire.chunk(b"")

    async with loopback(script) as address:
        assert text == (await ask(address)).content[0]["text"]


async def test_corrupt_byte_is_incomplete() -> None:
    async def script(wire: Wire) -> None:
        await wire.head(chunked=True)
        await wire.chunk(hello().replace(b'"lo"', b'"l\xff"'))
        await wire.chunk(b"")

    assert F.INCOMPLETE == (await failure_of(script)).failure


@pytest.mark.parametrize("after", ["open", "reset", "garbage"])
async def test_whatever_follows_the_terminal_event_does_not_matter(after: str) -> None:
    async def script(wire: Wire) -> None:
        await wire.head(chunked=True)
        await wire.chunk(hello())
        match after:
            case "open":
                await wire.hang_up.wait()
            case "reset":
                wire.reset()
            case _:
                await wire.send(b"no chunk at all\r\n")

    async with loopback(script) as address:
        assert "Hello" == (await ask(address)).content[0]["text"]


async def test_error_with_an_endless_body_is_classified_by_what_came() -> None:
    async def script(wire: Wire) -> None:
        await wire.send(b"HTTP/1.1 529 Overloaded\r\nconnection: close\r\n\r\n")
        while not wire.hang_up.is_set():
            await wire.send(b"x" * 10_000)

    assert F.OVERLOADED == (await failure_of(script)).failure


async def test_error_whose_body_breaks_off_is_classified_by_its_status() -> None:
    async def script(wire: Wire) -> None:
        await wire.send(b'HTTP/1.1 402 Pay\r\ncontent-length: 999\r\n\r\n{"error":')
        wire.close()

    assert F.QUOTA == (await failure_of(script)).failure


async def test_cancelling_closes_the_connection() -> None:
    begun = asyncio.Event()
    gone = asyncio.Event()

    async def script(wire: Wire) -> None:
        await wire.head(chunked=True)
        await wire.chunk(HALF)
        await wire.hang_up.wait()
        gone.set()

    async with loopback(script) as address:
        call = asyncio.ensure_future(ask(address, lambda _progress: begun.set()))
        await begun.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await gone.wait()
