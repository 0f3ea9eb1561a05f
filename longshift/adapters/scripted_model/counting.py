"""The counting endpoints: the size of a prompt in the two styles that providers offer, or an ordered fault."""

import asyncio
from collections import deque
from typing import Any

import orjson
from starlette.types import Receive, Scope, Send

from longshift.adapters.scripted_model.chat import chat_tokens, find_chat_problem
from longshift.adapters.scripted_model.connection import Connection, HangUp
from longshift.adapters.scripted_model.endpoint import Endpoint
from longshift.adapters.scripted_model.errors import ApiError, error_of
from longshift.adapters.scripted_model.prompt import prompt_of
from longshift.adapters.scripted_model.recording import Recorder, RequestRecord
from longshift.adapters.scripted_model.rules import Rules
from longshift.adapters.scripted_model.script import Fault, FaultKind
from longshift.adapters.scripted_model.validation import find_problem

ESTIMATE = "/tokenizers/estimate-token-count"
_BREAKS = frozenset({FaultKind.CUT, FaultKind.NO_END, FaultKind.ERROR_EVENT})
_SILENCES = frozenset({FaultKind.SILENT, FaultKind.ENDLESS_PINGS})
_BODIES = {FaultKind.EMPTY: b"{}", FaultKind.REFUSAL: b"null"}


class CountingEndpoint(Endpoint):
    """`POST …/v1/messages/count_tokens` and `POST …/v1/tokenizers/estimate-token-count` as one ASGI application.

    Faults are ordered for it alone, and its requests are recorded apart: counts come and go beside the conversation,
    whose script and chaos they must not move.
    """

    def __init__(self, rules: Rules, recorder: Recorder, closing: asyncio.Event, hang_up: HangUp) -> None:
        super().__init__(rules, recorder, closing, hang_up)
        self._faults: deque[Fault] = deque()

    def order(self, faults: tuple[Fault, ...]) -> None:
        """Let the next counts fail, in this order."""
        self._faults.extend(fault for fault in faults for _ in range(fault.times))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        connection, body_bytes, record = await self._received(scope, receive, send)
        counted = self._count(connection, body_bytes, record)
        if isinstance(counted, ApiError):
            await self._refused(connection, counted, record)
            return
        fault = self._faults.popleft() if self._faults else None
        if fault is None:
            await self._send(connection, orjson.dumps(counted), record)
            return
        record.fault = fault.kind
        if error := error_of(fault, self._rules.window_tokens, record.prompt_tokens):
            await self._refused(connection, error, record)
        else:
            await self._fail(connection, fault, orjson.dumps(counted), record)

    def _count(
        self, connection: Connection, body_bytes: bytes | None, record: RequestRecord
    ) -> dict[str, Any] | ApiError:
        models, require_thinking = self._rules.models, self._rules.require_thinking
        is_chat = connection.path.endswith(ESTIMATE)
        body = self._rules.parse(
            connection,
            body_bytes,
            lambda body: (
                find_chat_problem(body, models)
                if is_chat
                else find_problem(body, models, require_thinking, counts_only=True)
            ),
        )
        if isinstance(body, ApiError):
            return body
        record.model, record.messages = body["model"], len(body["messages"])
        record.prompt_tokens = chat_tokens(body) if is_chat else prompt_of(body).tokens
        if is_chat:
            return {"code": 0, "data": {"total_tokens": record.prompt_tokens}, "scode": "0x0", "status": True}
        return {"input_tokens": record.prompt_tokens}

    async def _fail(self, connection: Connection, fault: Fault, body: bytes, record: RequestRecord) -> None:
        """What goes wrong with a count that was not refused; faults that only streams and calls know do nothing."""
        if fault.kind is FaultKind.RESET:
            await connection.break_off(reset=True)
        elif fault.kind in _SILENCES:
            await connection.pause(None)
        elif fault.kind in _BREAKS:
            await connection.start(200, _headers(len(body)))
            await connection.write(body[: len(body) // 2])
            await connection.break_off(reset=False)
        elif fault.kind is not FaultKind.SLOW or await connection.pause(fault.seconds):
            damaged = body[: len(body) // 2] if fault.kind is FaultKind.BROKEN_JSON else body
            await self._send(connection, _BODIES.get(fault.kind, damaged), record)

    async def _send(self, connection: Connection, body: bytes, record: RequestRecord) -> None:
        record.status = 200
        await connection.respond(200, [(b"content-type", b"application/json")], body)
        record.is_complete = True


def _headers(size_bytes: int) -> list[tuple[bytes, bytes]]:
    return [(b"content-type", b"application/json"), (b"content-length", str(size_bytes).encode())]
