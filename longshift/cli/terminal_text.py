"""Text of models, commands and repositories, made safe to print: no escape sequence of theirs reaches a terminal."""

import re

_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_PICTURES = 0x2400
"""Unicode has a visible picture for every control character below 0x20, from here on."""


def clean(text: str) -> str:
    """`text` with control and direction characters made visible; line ends and tabs stay."""
    return _UNSAFE.sub(_visible, text.replace("\r\n", "\n"))


def one_line(text: str, limit: int = 200) -> str:
    """The first line that says something, shortened."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    line = clean(line).replace("\t", " ")
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _visible(found: re.Match[str]) -> str:
    code = ord(found[0])
    return chr(_PICTURES + code) if code < 0x20 else f"\\u{code:04x}"
