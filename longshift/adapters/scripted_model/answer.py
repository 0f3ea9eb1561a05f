"""A turn as the blocks of an answer: ids, filler, the output limit, and the faults that change content."""

import hashlib
from dataclasses import dataclass, replace
from typing import Any, Literal

import orjson

from longshift.adapters.scripted_model.prompt import BYTES_PER_TOKEN
from longshift.adapters.scripted_model.script import Fault, FaultKind, ScriptedCall, Turn

_FILLER = "The quick brown fox jumps over the lazy dog. "


@dataclass(frozen=True)
class Piece:
    """One content block; `text` is a call's raw JSON."""

    kind: Literal["thinking", "text", "tool_use"]
    text: str
    call_id: str = ""
    name: str = ""
    signature: str = ""


@dataclass(frozen=True)
class ScriptedAnswer:
    """What will be sent."""

    pieces: tuple[Piece, ...]
    stop_reason: str
    output_tokens: int

    def content(self) -> list[dict[str, Any]]:
        """The blocks of an answer that is not streamed."""
        return [_block(piece) for piece in self.pieces]


def answer_of(turn: Turn, turn_index: int, max_tokens: int, fault: Fault | None) -> ScriptedAnswer:
    """The answer to play `turn` with, cut at `max_tokens` as a provider would."""
    pieces: list[Piece] = []
    if turn.thinking:
        signature = hashlib.sha256(turn.thinking.encode()).hexdigest()[:32] if turn.signed else ""
        pieces.append(Piece("thinking", turn.thinking, signature=signature))
    if text := _filled_up(turn.text, turn.answer_bytes):
        pieces.append(Piece("text", text))
    pieces.extend(_call_piece(call, turn_index, position) for position, call in enumerate(turn.calls))
    stop_reason = turn.stop_reason or ("tool_use" if turn.calls else "end_turn")
    answer = ScriptedAnswer(tuple(pieces), stop_reason, _tokens(pieces))
    answer = _with_fault(answer, fault) if fault else answer
    return answer if answer.output_tokens <= max_tokens else _cut(answer, max_tokens)


def call_id(name: str, turn_index: int, position: int) -> str:
    """`functions.bash:7`, and `functions.bash:7.1` for the second call of the same turn."""
    return f"functions.{name}:{turn_index}" + (f".{position}" if position else "")


def _filled_up(text: str, size_bytes: int) -> str:
    missing = size_bytes - len(text.encode())
    if missing <= 0:
        return text
    return text + (_FILLER * (missing // len(_FILLER) + 1))[:missing]


def _call_piece(call: ScriptedCall, turn_index: int, position: int) -> Piece:
    raw = orjson.dumps(call.input).decode() if call.raw_input is None else call.raw_input
    return Piece("tool_use", raw, call_id=call.id or call_id(call.name, turn_index, position), name=call.name)


def _with_fault(answer: ScriptedAnswer, fault: Fault) -> ScriptedAnswer:
    if fault.kind is FaultKind.EMPTY:
        return ScriptedAnswer((), "end_turn", 0)
    if fault.kind is FaultKind.REFUSAL:
        text = fault.message or "I cannot help with that."
        return ScriptedAnswer((Piece("text", text),), "refusal", len(text) // BYTES_PER_TOKEN)
    if fault.kind not in (FaultKind.DAMAGED_JSON, FaultKind.BROKEN_JSON):
        return answer
    pieces = list(answer.pieces)
    first = next((index for index, piece in enumerate(pieces) if piece.kind == "tool_use"), None)
    if first is None:
        return answer
    raw = pieces[first].text
    damaged = raw[: max(1, len(raw) // 2)]
    if fault.kind is FaultKind.DAMAGED_JSON:
        damaged = f"```json\n{raw[:-1]}{',' if raw != '{}' else ''}}}\n```"
    pieces[first] = replace(pieces[first], text=damaged)
    return replace(answer, pieces=tuple(pieces))


def _cut(answer: ScriptedAnswer, max_tokens: int) -> ScriptedAnswer:
    """The beginning that fits; the last block ends in its middle."""
    left_bytes = max_tokens * BYTES_PER_TOKEN
    kept: list[Piece] = []
    for piece in answer.pieces:
        encoded = piece.text.encode()
        kept.append(replace(piece, text=encoded[:left_bytes].decode(errors="ignore")))
        left_bytes -= len(encoded)
        if left_bytes <= 0:
            break
    return ScriptedAnswer(tuple(kept), "max_tokens", max_tokens)


def _tokens(pieces: list[Piece]) -> int:
    return -(-sum(len(piece.text.encode()) for piece in pieces) // BYTES_PER_TOKEN)


def _block(piece: Piece) -> dict[str, Any]:
    if piece.kind == "text":
        return {"type": "text", "text": piece.text}
    if piece.kind == "thinking":
        signature = {"signature": piece.signature} if piece.signature else {}
        return {"type": "thinking", "thinking": piece.text, **signature}
    try:
        value = orjson.loads(piece.text)
    except orjson.JSONDecodeError:
        value = {}  # JSON that is broken can only be streamed
    return {"type": "tool_use", "id": piece.call_id, "name": piece.name, "input": value}
