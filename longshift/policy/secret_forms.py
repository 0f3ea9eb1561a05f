"""In which forms a secret value may turn up in text: as it is, and as programs commonly write it.

Whoever may print a value may also reverse it; no list is complete. What is done with what is found is the callers'.
"""

import base64
import html
import json
import re
from urllib.parse import quote, quote_plus

SHORTEST_SECRET = 8
"""A shorter value, such as `none`, would be found in ordinary words."""
SHORTEST_LINE = 32
"""A line of a longer value, such as a key file, counts by itself from here on, if it holds no white space."""
_FIRST_OWN = (0, 2, 3)
"""How many base64 characters depend on the bytes before, when so many of them share the first group."""


def forms(value: str) -> frozenset[str]:
    """All forms of a value: plain, in JSON, in an address, in HTML, in hex, in base64 at each of its three alignments.

    White space is part of them as it is part of the value; programs may break the long ones into lines. Empty for a
    value that is too short to be told from ordinary text.
    """
    if len(value) < SHORTEST_SECRET:
        return frozenset()
    found = {value}
    for each in [value, *_lines(value)]:
        raw = each.encode("utf-8", "surrogatepass")
        found |= {each, html.escape(each), raw.hex(), raw.hex().upper()} | _addresses(each) | _json(each) | _base64(raw)
    return frozenset(form for form in found if len(form) >= SHORTEST_SECRET)


def _lines(value: str) -> list[str]:
    lines = [line.strip() for line in value.splitlines()]
    return [line for line in lines if len(line) >= SHORTEST_LINE and line != value and len(line.split()) == 1]


def _addresses(text: str) -> set[str]:
    escaped = {quote(text, safe="/", errors="surrogatepass"), quote(text, safe="", errors="surrogatepass")}
    escaped.add(quote_plus(text, errors="surrogatepass"))
    return escaped | {re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), each) for each in escaped}


def _json(text: str) -> set[str]:
    once = {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
    return once | {json.dumps(each, ensure_ascii=False)[1:-1] for each in once}


def _base64(raw: bytes) -> set[str]:
    """Without the characters at both ends that depend on what stands before and after."""
    found: set[str] = set()
    for before, first in enumerate(_FIRST_OWN):
        size_bits = 8 * (before + len(raw))
        own = base64.b64encode(bytes(before) + raw).decode()[first : size_bits // 6]
        found |= {own, own.replace("+", "-").replace("/", "_")}
    return found
