"""An answer as server-sent events, or as one JSON message. Nothing here knows of connections."""

from collections.abc import Iterator
from typing import Any

import orjson

from longshift.adapters.scripted_model.answer import Piece, ScriptedAnswer
from longshift.adapters.scripted_model.errors import ApiError

_DELTAS = {"text": ("text_delta", "text"), "thinking": ("thinking_delta", "thinking")}


def event(kind: str, **fields: Any) -> bytes:
    """One server-sent event."""
    return b"event: " + kind.encode() + b"\ndata: " + orjson.dumps({"type": kind, **fields}) + b"\n\n"


def error_event(error: ApiError) -> bytes:
    """An error inside a stream that began well."""
    return event("error", error={"type": error.type, "message": error.message})


PING = event("ping")


def message_events(
    answer: ScriptedAnswer, message_id: str, model: str, usage: dict[str, int], chunk_characters: int
) -> Iterator[bytes]:
    """The stream of `answer`; `usage` is the prompt's part."""
    start = _message(message_id, model, [], None, {**usage, "output_tokens": 0})
    yield event("message_start", message=start)
    yield PING
    for index, piece in enumerate(answer.pieces):
        yield from _block_events(index, piece, chunk_characters)
    yield event(
        "message_delta",
        delta={"stop_reason": answer.stop_reason, "stop_sequence": None},
        usage={**usage, "output_tokens": answer.output_tokens},
    )
    yield event("message_stop")


def whole_message(answer: ScriptedAnswer, message_id: str, model: str, usage: dict[str, int]) -> bytes:
    """The answer to a request without `stream`."""
    full_usage = {**usage, "output_tokens": answer.output_tokens}
    return orjson.dumps(_message(message_id, model, answer.content(), answer.stop_reason, full_usage))


def _message(
    message_id: str, model: str, content: list[dict[str, Any]], stop_reason: str | None, usage: dict[str, int]
) -> dict[str, Any]:
    return {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": usage,
    }


def _block_events(index: int, piece: Piece, chunk_characters: int) -> Iterator[bytes]:
    if piece.kind == "tool_use":
        delta, key = "input_json_delta", "partial_json"
        block: dict[str, Any] = {"type": "tool_use", "id": piece.call_id, "name": piece.name, "input": {}}
    else:
        delta, key = _DELTAS[piece.kind]
        block = {"type": piece.kind, key: ""}
    yield event("content_block_start", index=index, content_block=block)
    for start in range(0, len(piece.text), chunk_characters):
        chunk = piece.text[start : start + chunk_characters]
        yield event("content_block_delta", index=index, delta={"type": delta, key: chunk})
    if piece.signature:
        signature = {"type": "signature_delta", "signature": piece.signature}
        yield event("content_block_delta", index=index, delta=signature)
    yield event("content_block_stop", index=index)
