"""Passes pieces both ways between a client and a server, within a limit and not for ever in silence."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import Any

from longshift.adapters.network.byte_count import RECEIVED, SENT, ByteCount


@dataclass(frozen=True)
class End:
    """One of the two connections."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def close(self) -> None:
        """Close it, with what was written still going out; a peer that is gone is no matter."""
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


class Relay:
    """One client and one server."""

    def __init__(self, client: End, server: End, used: ByteCount, *, idle_seconds: float) -> None:
        self._client = client
        self._server = server
        self._used = used
        self._idle_seconds = idle_seconds
        self._silence = asyncio.timeout(idle_seconds)
        self.bytes = [0, 0]
        """Passed on here: sent to the server, received from it."""

    async def tunnel(self, from_client: AsyncIterator[bytes], from_server: AsyncIterator[bytes]) -> None:
        """Until both have ended; one that has ended can still be sent to.

        Raises: TimeoutError, OSError, UsedUp, and what the sources raise.
        """
        await self._both(self._pump(from_client, SENT, ends=True), self._pump(from_server, RECEIVED, ends=True))

    async def exchange(self, head: bytes, body: AsyncIterator[bytes], answer: AsyncIterator[bytes]) -> None:
        """One request, until it is answered; a server may answer before it has got the whole body.

        Raises: TimeoutError, OSError, UsedUp, and what the sources raise.
        """
        await self._both(self._request(head, body), self._pump(answer, RECEIVED, ends=True), until_received=True)

    async def _request(self, head: bytes, body: AsyncIterator[bytes]) -> None:
        await self._pass_on(head, SENT)
        # The connection is not half closed behind the body: servers take that for a client that has given up.
        await self._pump(body, SENT, ends=False)

    async def _pump(self, source: AsyncIterator[bytes], way: int, *, ends: bool) -> None:
        async for piece in source:
            await self._pass_on(piece, way)
        writer = self._writer(way)
        if ends and writer.can_write_eof():
            with contextlib.suppress(OSError):  # it was closed meanwhile
                writer.write_eof()

    async def _pass_on(self, piece: bytes, way: int) -> None:
        self._used.count(way, len(piece))
        self.bytes[way] += len(piece)
        writer = self._writer(way)
        writer.write(piece)
        await writer.drain()
        self._silence.reschedule(asyncio.get_running_loop().time() + self._idle_seconds)

    def _writer(self, way: int) -> asyncio.StreamWriter:
        return self._server.writer if way == SENT else self._client.writer

    async def _both(
        self, sending: Coroutine[Any, Any, None], receiving: Coroutine[Any, Any, None], *, until_received: bool = False
    ) -> None:
        tasks = [asyncio.create_task(sending), asyncio.create_task(receiving)]
        try:
            async with self._silence:
                pending = set(tasks)
                while pending and not (until_received and tasks[RECEIVED].done()):
                    done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            for task in tasks:
                if not task.cancelled():
                    task.exception()  # one failure is told; the other is seldom more than its echo
