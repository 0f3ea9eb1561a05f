"""Durations such as 1h30m, in seconds."""

import re

_UNITS = {"h": 3600, "m": 60, "s": 1}
_PART = re.compile(r"(\d+)([hms])")


def seconds(text: str) -> int:
    """What `text` amounts to.

    Raises:
        ValueError: it is no duration.
    """
    total, position = 0, 0
    for part in _PART.finditer(text):
        if part.start() != position:
            raise ValueError(f"no duration: {text!r}")
        total += int(part[1]) * _UNITS[part[2]]
        position = part.end()
    if position != len(text) or not text:
        raise ValueError(f"no duration: {text!r}")
    return total
