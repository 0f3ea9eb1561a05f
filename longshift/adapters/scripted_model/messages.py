"""The messages endpoint: checks a request, finds its turn and its fault, and sends what follows."""

import asyncio
from dataclasses import dataclass

from starlette.types import Receive, Scope, Send

from longshift.adapters.scripted_model.answer import ScriptedAnswer, answer_of
from longshift.adapters.scripted_model.chaos import FaultPlan
from longshift.adapters.scripted_model.connection import Connection, HangUp
from longshift.adapters.scripted_model.conversation import RequestView, handoff_note, view_request
from longshift.adapters.scripted_model.endpoint import Endpoint
from longshift.adapters.scripted_model.errors import ApiError, error_of, too_long
from longshift.adapters.scripted_model.prompt import PrefixCache, Prompt, prompt_of
from longshift.adapters.scripted_model.recording import Recorder, RequestRecord
from longshift.adapters.scripted_model.rules import Rules
from longshift.adapters.scripted_model.script import HANDOFF, Fault, FaultKind, Policy, Turn
from longshift.adapters.scripted_model.stream import PING, error_event, message_events, whole_message
from longshift.adapters.scripted_model.validation import find_problem

_STREAM_HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
_JSON_HEADERS = [(b"content-type", b"application/json")]
_BREAKS = frozenset({FaultKind.CUT, FaultKind.ERROR_EVENT, FaultKind.SILENT, FaultKind.ENDLESS_PINGS})


@dataclass(frozen=True)
class _Reply:
    """An answer that is ready to be sent."""

    answer: ScriptedAnswer
    turn: Turn
    fault: Fault | None
    message_id: str
    model: str
    usage: dict[str, int]


class MessagesEndpoint(Endpoint):
    """`POST …/v1/messages` as an ASGI application."""

    def __init__(
        self,
        policy: Policy,
        rules: Rules,
        plan: FaultPlan,
        recorder: Recorder,
        closing: asyncio.Event,
        hang_up: HangUp,
    ) -> None:
        super().__init__(rules, recorder, closing, hang_up)
        self._policy = policy
        self._plan = plan
        self._cache = PrefixCache()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        connection, body_bytes, record = await self._received(scope, receive, send)
        prepared = self._check(connection, body_bytes, record)
        if isinstance(prepared, ApiError):
            await self._refuse(connection, prepared, record)
            return
        view, prompt = prepared
        turn = self._turn_for(view)
        fault = self._plan.next_fault(record.ordinal, view.user_id, view.turn_index, view.is_handoff, turn)
        if fault is not None:
            record.fault = fault.kind
        if not await connection.pause(turn.delay_seconds):
            return
        if fault is not None and fault.kind is FaultKind.RESET:
            await connection.break_off(reset=True)
        elif fault and (error := error_of(fault, self._rules.window_tokens, prompt.tokens)):
            await self._refuse(connection, error, record)
        else:
            await self._answer(connection, view, self._reply(view, prompt, turn, fault, record), record)

    def _check(
        self, connection: Connection, body_bytes: bytes | None, record: RequestRecord
    ) -> tuple[RequestView, Prompt] | ApiError:
        body = self._rules.parse(
            connection,
            body_bytes,
            lambda body: find_problem(body, self._rules.models, self._rules.require_thinking),
        )
        if isinstance(body, ApiError):
            return body
        prompt = prompt_of(body)
        view = view_request(body, prompt.messages)
        record.user_id, record.model = view.user_id, body["model"]
        record.turn_index, record.is_handoff = view.turn_index, view.is_handoff
        record.messages, record.max_tokens = len(view.messages), body["max_tokens"]
        record.prompt_tokens = prompt.tokens
        if prompt.tokens + body["max_tokens"] > self._rules.window_tokens:
            return too_long(self._rules.window_tokens, prompt.tokens + body["max_tokens"])
        return view, prompt

    def _turn_for(self, view: RequestView) -> Turn:
        turn = self._policy(view)
        if view.is_handoff:
            text = handoff_note(view, turn.text or HANDOFF.text)
            turn = turn.model_copy(update={"text": text, "calls": (), "stop_reason": None})
        if self._rules.require_thinking and not turn.thinking:
            turn = turn.model_copy(update={"thinking": f"This is turn {view.turn_index}."})
        return turn

    def _reply(
        self, view: RequestView, prompt: Prompt, turn: Turn, fault: Fault | None, record: RequestRecord
    ) -> _Reply:
        answer = answer_of(turn, view.turn_index, view.body["max_tokens"], fault)
        cached = self._cache.cached_tokens(view.user_id, prompt)
        record.cached_tokens, record.output_tokens = cached, answer.output_tokens
        usage = {
            "input_tokens": prompt.tokens - cached,
            "cache_read_input_tokens": cached,
            "cache_creation_input_tokens": 0,
        }
        return _Reply(answer, turn, fault, f"msg_{record.ordinal:08d}", view.body["model"], usage)

    async def _answer(self, connection: Connection, view: RequestView, reply: _Reply, record: RequestRecord) -> None:
        if view.body.get("stream") is True:
            await self._stream(connection, reply, record)
        else:
            await self._send_whole(connection, reply, record)

    async def _stream(self, connection: Connection, reply: _Reply, record: RequestRecord) -> None:
        fault, turn = reply.fault, reply.turn
        events = list(message_events(reply.answer, reply.message_id, reply.model, reply.usage, turn.chunk_characters))
        delay_seconds = turn.chunk_delay_seconds
        if fault is not None:
            if fault.kind is FaultKind.SLOW:
                delay_seconds = fault.seconds
            elif fault.kind is FaultKind.NO_END:
                events.pop()
            elif fault.kind in _BREAKS:
                events = events[: min(fault.after_events, len(events) - 1)]
        record.status = 200
        await connection.start(200, [*_STREAM_HEADERS, *_id_headers(record)])
        if delay_seconds == 0:
            events = [b"".join(events)]
        for chunk in events:
            if not await connection.pause(delay_seconds):
                return
            if chunk:
                await connection.write(chunk)
        if fault is not None and fault.kind in _BREAKS:
            await self._break(connection, fault)
            return
        await connection.write(b"", more=False)
        record.is_complete = fault is None or fault.kind is not FaultKind.NO_END

    async def _break(self, connection: Connection, fault: Fault) -> None:
        if fault.kind is FaultKind.CUT:
            await connection.break_off(reset=False)
        elif fault.kind is FaultKind.ERROR_EVENT:
            error = ApiError(529, "overloaded_error", fault.message or "Overloaded")
            await connection.write(error_event(error), more=False)
        elif fault.kind is FaultKind.SILENT:
            await connection.pause(None)
        else:
            while await connection.pause(fault.seconds):
                await connection.write(PING)

    async def _send_whole(self, connection: Connection, reply: _Reply, record: RequestRecord) -> None:
        body = whole_message(reply.answer, reply.message_id, reply.model, reply.usage)
        headers = [*_JSON_HEADERS, *_id_headers(record)]
        kind = reply.fault.kind if reply.fault else None
        if kind in (FaultKind.SILENT, FaultKind.ENDLESS_PINGS):
            await connection.pause(None)
            return
        if kind is FaultKind.SLOW and reply.fault and not await connection.pause(reply.fault.seconds):
            return
        record.status = 200
        if kind in (FaultKind.CUT, FaultKind.NO_END, FaultKind.ERROR_EVENT):
            await connection.start(200, [*headers, (b"content-length", str(len(body)).encode())])
            await connection.write(body[: len(body) // 2])
            await connection.break_off(reset=False)
            return
        await connection.respond(200, headers, body)
        record.is_complete = True

    async def _refuse(self, connection: Connection, error: ApiError, record: RequestRecord) -> None:
        await self._refused(connection, error, record, request_id=_request_id(record), headers=_id_headers(record))


def _request_id(record: RequestRecord) -> str:
    return f"req_{record.ordinal:08d}"


def _id_headers(record: RequestRecord) -> list[tuple[bytes, bytes]]:
    request_id = _request_id(record).encode()
    return [(b"request-id", request_id), (b"x-trace-id", request_id)]
