"""Lengths of time as people write them: `90s`, `6h`, `1d12h`."""

import re
from datetime import timedelta

from longshift.contracts.errors import BadInput

_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_FORM = re.compile("".join(rf"(?:(\d{{1,9}}){unit})?" for unit in _UNITS))


def parse_duration(field: str, text: str) -> timedelta:
    """The length of time that `text` says, in whole seconds; `field` is how messages call it.

    Raises:
        BadInput: it says none.
    """
    found = _FORM.fullmatch(re.sub(r"\s", "", text.lower()))
    parts = found.groups() if found else ()
    seconds = sum(int(part or 0) * size for part, size in zip(parts, _UNITS.values(), strict=False))
    if not seconds or seconds > timedelta.max.total_seconds():
        raise BadInput(f"{field}: {text!r} is no length of time; write it like 90s, 30m, 6h, 1d12h or 2w")
    return timedelta(seconds=seconds)


def show_duration(duration: timedelta) -> str:
    """The shortest way to write it, down to seconds."""
    rest, parts = int(duration.total_seconds()), list[str]()
    for unit, size in _UNITS.items():
        if unit != "w" and rest >= size:
            parts.append(f"{rest // size}{unit}")
            rest %= size
    return "".join(parts) or "0s"
