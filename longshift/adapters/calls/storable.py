"""What the store and every provider can take: JSON of bounded depth, 64-bit numbers, valid Unicode.

Judging a call's meaning is not here; see `arguments`.
"""

import math
from typing import Any, cast

MAX_DEPTH = 64
"""Deeper values are refused: serialisers and pydantic recurse."""
_MIN_INTEGER, _MAX_INTEGER = -(2**63), 2**63 - 1


def storage_problem(value: object) -> str:
    """Why `value` cannot be stored as it is; empty when it can."""
    pending: list[tuple[object, int]] = [(value, 0)]
    while pending:
        item, depth = pending.pop()
        if depth > MAX_DEPTH:
            return f"it is nested more than {MAX_DEPTH} levels deep"
        if isinstance(item, dict):
            for key, member in cast(dict[object, object], item).items():
                if not isinstance(key, str) or not _is_unicode(key):
                    return "it has a key that is not valid text"
                pending.append((member, depth + 1))
        elif isinstance(item, list):
            pending.extend((member, depth + 1) for member in cast(list[object], item))
        elif problem := _scalar_problem(item):
            return problem
    return ""


def storable(value: object, depth: int = 0) -> Any:
    """`value` with everything replaced that cannot be stored; for blocks that are kept, never for arguments."""
    if depth > MAX_DEPTH:
        return None
    if isinstance(value, str):
        return value if _is_unicode(value) else _mended_text(value)
    if isinstance(value, dict):
        members = cast(dict[object, object], value).items()
        return {_mended_text(str(key)): storable(member, depth + 1) for key, member in members}
    if isinstance(value, list | tuple):
        return [storable(member, depth + 1) for member in cast(list[object], value)]
    return None if _scalar_problem(value) else value


def _scalar_problem(item: object) -> str:
    if isinstance(item, str):
        return "" if _is_unicode(item) else "it contains half of a Unicode surrogate pair"
    if item is None or isinstance(item, bool):
        return ""
    if isinstance(item, int):
        return "" if _MIN_INTEGER <= item <= _MAX_INTEGER else "it contains an integer beyond 64 bits"
    if isinstance(item, float):
        return "" if math.isfinite(item) else "it contains a number that is not finite"
    return f"it contains a {type(item).__name__}"


def _is_unicode(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _mended_text(text: str) -> str:
    """Joins surrogate pairs that were split; a lone half becomes U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
