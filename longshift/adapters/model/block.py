"""One content block on its way: deltas in, the whole block out; sans-I/O.

Fields are collected by name, known or not, so that a block of a kind that did not exist when this was written still
comes out whole and can be sent back.
"""

import json
from typing import Any, cast

from longshift.adapters.model.surrogates import mended, mended_value
from longshift.contracts.transcript import Block


class BlockBuilder:
    """One content block on its way."""

    def __init__(self, block: Block) -> None:
        self.block = block
        self._pieces: dict[str, list[str]] = {}
        self._json: list[str] = []

    def add(self, delta: dict[str, Any]) -> int:
        """Take a delta; returns how many characters it brought."""
        characters = 0
        for field, value in delta.items():
            if field == "type" or value is None:
                continue
            if field == "partial_json":
                piece = value if isinstance(value, str) else json.dumps(value)
                self._json.append(piece)
                characters += len(piece)
            elif field == "citation":
                known: Any = self.block.get("citations")
                self.block["citations"] = [*(cast("list[Any]", known) if isinstance(known, list) else []), value]
                characters += 1
            elif field == "signature" or not isinstance(value, str):
                # A signature comes whole; a later one replaces it.
                self.block[field] = value
                characters += 1
            else:
                self._pieces.setdefault(field, []).append(value)
                characters += len(value)
        return characters

    def finished(self) -> tuple[Block, str | None]:
        """The block, and the JSON text of its arguments if it is a call."""
        block = dict(self.block)
        for field, pieces in self._pieces.items():
            start = block.get(field)
            block[field] = "".join([start if isinstance(start, str) else "", *pieces])
        block = {key: mended_value(value) for key, value in block.items()}
        if not self._json and block.get("type") != "tool_use":
            return block, None
        raw = mended("".join(self._json))
        if not raw.strip():
            given = block.get("input")
            raw = given if isinstance(given, str) else json.dumps(given or {}, ensure_ascii=False)
        block["input"] = _object(raw)
        return block, raw


def _object(raw: str) -> dict[str, Any]:
    """The arguments as an object; `{}` where they are none, for the caller to repair or reject from the raw text."""
    # The strict, fast parser is not used: it turns integers beyond 64 bits into floats.
    try:
        value: Any = json.loads(raw, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", mended_value(value)) if isinstance(value, dict) else {}


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
