"""Mends half characters: lone UTF-16 surrogates, which models and gateways emit and no store or wire format takes."""

from typing import Any, cast


def mended(text: str) -> str:
    """`text` with surrogate pairs joined and lone surrogates replaced by U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def mended_value(value: Any) -> Any:
    """A JSON value with every string and key mended."""
    if isinstance(value, str):
        return mended(value)
    if isinstance(value, list):
        return [mended_value(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {mended(key): mended_value(item) for key, item in cast("dict[str, Any]", value).items()}
    return value
