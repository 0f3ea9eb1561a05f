"""A transport whose idle connections cost nothing: each call has a lane, which is a pool of httpx with one connection.

A pool looks at all of its connections, with system calls for each idle one, at the beginning and at the end of every
request. With dozens of calls at a time that is most of what a call costs. How a connection is made is `transport.py`'s
business.
"""

import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import cast

import httpx

Idle = deque[tuple[float, httpx.AsyncBaseTransport]]
"""Since when (monotonic seconds), and the lane; the longest idle first."""
IDLE_LANES = 100
"""For each origin: more are closed."""
IDLE_SECONDS = 60.0
"""What has been idle for longer is closed. It outlasts the tools of a usual step."""


class Lanes(httpx.AsyncBaseTransport):
    """As many calls at a time as are made; the lane that became idle last is taken first."""

    def __init__(
        self,
        make: Callable[[], httpx.AsyncBaseTransport],
        *,
        idle_lanes: int = IDLE_LANES,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        """`make` gives a transport for one call at a time."""
        self._make = make
        self._idle_lanes = idle_lanes
        self._idle_seconds = idle_seconds
        self._idle: defaultdict[str, Idle] = defaultdict(deque)
        """By origin."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request in an idle lane, or in a new one; a lane that fails is closed."""
        idle = self._idle[f"{request.url.scheme}://{request.url.netloc.decode()}"]
        lane = idle.pop()[1] if idle else self._make()
        try:
            response = await lane.handle_async_request(request)
        except BaseException:
            await lane.aclose()
            raise

        async def give_back() -> None:
            idle.append((time.monotonic(), lane))
            await self._close_old(idle)

        response.stream = _Lent(cast("httpx.AsyncByteStream", response.stream), give_back, lane.aclose)
        return response

    async def _close_old(self, idle: Idle) -> None:
        while idle and (len(idle) > self._idle_lanes or idle[0][0] < time.monotonic() - self._idle_seconds):
            await idle.popleft()[1].aclose()

    async def aclose(self) -> None:
        """Close all idle lanes."""
        for idle in self._idle.values():
            while idle:
                await idle.popleft()[1].aclose()


class _Lent(httpx.AsyncByteStream):
    """The body of a response; its lane is given back when it is closed, or dropped where that fails."""

    def __init__(
        self, body: httpx.AsyncByteStream, give_back: Callable[[], Awaitable[None]], drop: Callable[[], Awaitable[None]]
    ) -> None:
        self._body = body
        self._give_back = give_back
        self._drop = drop

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(self._body)

    async def aclose(self) -> None:
        try:
            await self._body.aclose()
        except BaseException:
            await self._drop()
            raise
        await self._give_back()
