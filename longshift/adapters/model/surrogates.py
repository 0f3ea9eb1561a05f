"""Mends half characters: lone UTF-16 surrogates, which models and gateways emit and no store or wire format takes."""

from typing import Any, cast

_MAX_DEPTH = 200
"""Far more than any store or tool takes; what is deeper is refused there, and must not exhaust the stack here."""


def mended(text: str) -> str:
    """`text` with surrogate pairs joined and lone surrogates replaced by U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def mended_value(value: Any, depth: int = 0) -> Any:
    """A JSON value with every string and key mended; null stands for what is nested too deeply."""
    if depth > _MAX_DEPTH:
        return None
    if isinstance(value, str):
        return mended(value)
    if isinstance(value, list):
        return [mended_value(item, depth + 1) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {mended(key): mended_value(item, depth + 1) for key, item in cast("dict[str, Any]", value).items()}
    return value
