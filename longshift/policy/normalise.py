"""Strips from a tool's result what differs between two runs of the same thing, so that repetition shows.

Numbers that mean something (failure counts, line numbers, exit codes, git hashes) stay. What is done about
a repetition is `policy.stuck`'s business. Every quantifier that can meet a long run is bounded or consumes
the run whole, so the time is linear in the text's length: results are written by whatever the agent runs.
"""

import hashlib
import re
from typing import Final

from longshift.contracts.model import ToolClass

_CLOCK = r"[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?"
_ZONE = r"(?: ?(?:Z|UTC|GMT|CES?T|[+-][0-9]{2}:?[0-9]{2})(?![\w]))?"
_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6}"
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}"
_NUMBER = r"[0-9]{1,12}(?:\.[0-9]{1,12})?"
_SHORT_UNIT = r"(?:ns|us|µs|μs|ms|s|m|h|d)"
_LONG_UNIT = r"(?:nanoseconds?|microseconds?|milliseconds?|msecs?|seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|ms|s)"
_EPHEMERAL_PORT = r"(?:3276[89]|327[7-9][0-9]|32[89][0-9]{2}|3[3-9][0-9]{3}|[45][0-9]{4}|6[0-5][0-9]{3})"

_RULES: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern, re.ASCII | flags), replacement)
    for pattern, flags, replacement in (
        (r"\r\n", 0, "\n"),
        (
            r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
            re.IGNORECASE,
            "<uuid>",
        ),
        # 2026-11-24T03:15:02.123Z, 2026/11/24 03:15, and the date alone.
        (
            r"(?<![\w-])[0-9]{4}([-/])[0-9]{2}\1[0-9]{2}"
            rf"(?:[T _]{{1,2}}{_CLOCK}{_ZONE}|[T ][0-9]{{2}}:[0-9]{{2}})?(?![0-9])",
            0,
            "<time>",
        ),
        # Tue Nov 24 03:15:02 2026, Tue, 24 Nov 2026 03:15:02 GMT, Nov 24 03:15:02.
        (
            rf"\b(?:{_DAY},? {{1,2}})?{_MONTH} {{1,2}}[0-9]{{1,2}},? {{1,2}}{_CLOCK}{_ZONE}(?: [0-9]{{4}}\b)?",
            0,
            "<time>",
        ),
        (
            rf"\b(?:{_DAY},? {{1,2}})?[0-9]{{1,2}}[ /-]{_MONTH}[ /-][0-9]{{4}}(?:[: ]{_CLOCK}{_ZONE})?",
            0,
            "<time>",
        ),
        (rf"(?<![\w:.]){_CLOCK}{_ZONE}(?![\w:])", 0, "<time>"),
        # Seconds or milliseconds since 1970, from 2017 to 2033.
        (r"(?<![\w.])1[5-9][0-9]{8}(?:\.[0-9]{1,9}|[0-9]{3}|[0-9]{9})?(?![\w])", 0, "<time>"),
        # A rate is a duration in disguise.
        (rf"(?<![\w.]){_NUMBER} ?(?:[kKMGT]i?)?(?:B|[bB]ytes?|[bB]its?|it|ops?|req)/s(?:ec)?\b", 0, "<rate>"),
        # 3.21s, 1m23s, 1h 2m 3s, 12 seconds; with the "in" or "took" before it, so that a tool which names
        # only long durations gives the same text either way.
        (
            r"(?:[ (]{1,2}(?:in|took|after))?[ ]{0,8}"
            rf"(?<![\w.])(?:{_NUMBER}{_SHORT_UNIT}(?: ?[0-9]{{1,3}}(?:\.[0-9]{{1,9}})?{_SHORT_UNIT}){{0,4}}"
            rf"|{_NUMBER} {_LONG_UNIT})(?![\w/])",
            0,
            "",
        ),
        (r"\b0x[0-9a-f]{5,16}\b", re.IGNORECASE, "<address>"),
        # `pid=1234`, `Process 1234`, and the syslog form `name[1234]:`.
        (
            r"\b((?:p?pid|tid|pgid|process|thread)(?: id)?)[ =:#-]{1,3}[0-9]{1,10}(?![\w.])",
            re.IGNORECASE,
            r"\1 <pid>",
        ),
        (r"^(<time> [^\n\[]{0,120})\[[0-9]{1,10}\]:", re.MULTILINE, r"\1[<pid>]:"),
        # The random part of a temporary path; what lies beneath it stays.
        (r"(?<![\w/])((?:/var)?/tmp|/private/tmp|/dev/shm)/[^\s/'\"`:;,<>()\[\]{}|]{1,255}", 0, r"\1/<temp>"),
        (r"\bpytest-of-[\w.-]{1,64}/pytest-[0-9]{1,9}", 0, "<temp>"),
        (r"/<temp>/pytest-[0-9]{1,9}", 0, "/<temp>"),
        (
            r"(\b(?:localhost|127\.0\.0\.1|0\.0\.0\.0)|\[::1?\]):" + _EPHEMERAL_PORT + r"(?![\w])",
            re.IGNORECASE,
            r"\1:<port>",
        ),
        (rf"\b(port)[ =:]{{1,2}}{_EPHEMERAL_PORT}(?![\w])", re.IGNORECASE, r"\1 <port>"),
        # Rules drawn to the terminal's width change length with the duration that stands in them.
        (r"([=\-_*~#.])\1{3,}", 0, r"\1\1\1"),
        (r"(?<![ \t])[ \t]{1,}$", re.MULTILINE, ""),
    )
)


def normalise(text: str) -> str:
    """Replace times, durations, addresses, process ids, UUIDs, temporary paths and random ports in `text`."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def result_hash(text: str, tool_class: ToolClass) -> str:
    """SHA-256 (first 16 hex digits) of a result: normalised where a command wrote it.

    What the other tools say depends on the files alone: a time in it stands in a file, and a new one is news.
    """
    compared = normalise(text) if tool_class is ToolClass.EFFECT else text
    return hashlib.sha256(compared.encode("utf-8", "surrogatepass")).hexdigest()[:16]
