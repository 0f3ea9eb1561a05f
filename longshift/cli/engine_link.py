"""A connection that outlives the engine: who follows a session for hours waits while the engine restarts."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from temporalio.client import Client, RPCError
from temporalio.service import RPCStatusCode

from longshift.cli.invocation import Invocation
from longshift.contracts.errors import EngineError

T = TypeVar("T")

PAUSE_SECONDS = 2.0
_OUTAGE = frozenset(
    {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.INTERNAL,
        RPCStatusCode.UNKNOWN,
    }
)


class EngineLink:
    """A client, made anew when the engine was away: the embedded one may come back on another port."""

    def __init__(self, run: Invocation, client: Client) -> None:
        self._run = run
        self._client = client
        self.is_away = False

    async def ask(self, question: Callable[[Client], Awaitable[T]]) -> T | None:
        """The answer, or None (after a pause) while the engine is away; a person is told once.

        Raises:
            RPCError: the engine is there and refuses.
        """
        try:
            if self.is_away:
                self._client = await self._run.client()
            answer = await question(self._client)
        except RPCError as error:
            if error.status not in _OUTAGE:
                raise
            return await self._wait()
        except EngineError:
            return await self._wait()
        if self.is_away:
            self.is_away = False
            self._run.out.remark("the engine is back")
        return answer

    async def _wait(self) -> None:
        if not self.is_away:
            self.is_away = True
            self._run.out.remark("the engine does not answer; waiting for it (the session is safe)", style="yellow")
        await asyncio.sleep(PAUSE_SECONDS)
