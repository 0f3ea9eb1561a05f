"""How long a provider asks us to wait, out of its response headers."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_LONGEST_SECONDS = 86_400.0
"""Anything longer is a mistake, or a wait that a person should look at in the meantime anyway."""


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """From `retry-after-ms`, else `retry-after` as seconds or an HTTP date; None where neither makes sense."""
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return _bounded(milliseconds / 1_000)
    text = headers.get("retry-after", "")
    seconds = _number(text)
    if seconds is None:
        until = _date(text)
        if until is None:
            return None
        # The provider's own clock where it is given, so that a wrong clock here does not matter.
        seconds = (until - (_date(headers.get("date", "")) or datetime.now(UTC))).total_seconds()
    return _bounded(seconds)


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), _LONGEST_SECONDS)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError):
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)
