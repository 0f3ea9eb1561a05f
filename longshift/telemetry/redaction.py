"""Takes secrets out of text before it leaves: values that this process knows, and shapes that tokens have.

Hygiene, not a wall: whoever may print a secret may also encode it first. Every pattern is linear in the text.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

MASK = "[redacted]"
SHORTEST_SECRET = 8
"""A shorter value, such as `none`, would mask ordinary words."""
DEEPEST = 6
SECRET_KEYS = frozenset(
    {"authorization", "x-api-key", "api_key", "apikey", "password", "passwd", "secret", "access_token", "private_key"}
)

# Each starts where no token character precedes and has no tail to fail on after an open-ended run: no backtracking.
TOKEN_SHAPES = (
    r"(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]{16,}",
    r"(?<![A-Za-z0-9])gh[pousr]_[A-Za-z0-9]{20,}",
    r"(?<![A-Za-z0-9])github_pat_[A-Za-z0-9_]{20,}",
    r"(?<![A-Za-z0-9])glpat-[A-Za-z0-9_-]{16,}",
    r"(?<![A-Za-z0-9])xox[abeprs]-[A-Za-z0-9-]{10,}",
    r"(?<![A-Za-z0-9])xapp-[A-Za-z0-9-]{10,}",
    r"(?<![A-Za-z0-9])ls_[0-9a-f]{16}_[A-Za-z0-9_-]{20,}",
    r"(?<![A-Za-z0-9])whsec_[A-Za-z0-9+/=]{16,}",
    r"(?<![A-Za-z0-9])AKIA[0-9A-Z]{16}(?![0-9A-Z])",
    r"(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{30,}",
    r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*",
    r"(?<=Bearer )[A-Za-z0-9._~+/=-]{12,}",
    r"(?<=://)[^\s/@:]{1,200}:[^\s/@]{1,200}(?=@)",
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^-]*(?:-----END [A-Z ]{0,40}PRIVATE KEY-----)?",
)


class Redactor:
    """Masks `secrets` and everything that looks like a token."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted({text for text in secrets if len(text) >= SHORTEST_SECRET}, key=len, reverse=True)
        self._pattern = re.compile("|".join([*map(re.escape, known), *TOKEN_SHAPES]))

    def text(self, text: str) -> str:
        """`text` with a mask in place of each secret."""
        return self._pattern.sub(MASK, text)

    def value(self, value: Any, depth: int = 0) -> Any:
        """Text within lists and tables too; other values as they are."""
        if isinstance(value, str):
            return self.text(value)
        if depth >= DEEPEST:
            return value if value is None or isinstance(value, bool | int | float) else self.text(str(value))
        if isinstance(value, Mapping):
            return self.table(cast("Mapping[Any, Any]", value), depth + 1)
        if isinstance(value, list | tuple | set | frozenset):
            return [self.value(each, depth + 1) for each in cast("Iterable[Any]", value)]
        if isinstance(value, bytes):
            return self.text(value.decode(errors="replace"))
        return value

    def table(self, table: Mapping[Any, Any], depth: int = 0) -> dict[Any, Any]:
        """A table whose keys may tell that a value is secret."""
        return {
            key: MASK if str(key).lower() in SECRET_KEYS and value else self.value(value, depth)
            for key, value in table.items()
        }
