"""Takes secrets out of text before it leaves: values that this process knows, and shapes that tokens have.

Hygiene, not a wall: whoever may print a secret may also encode it in a way that nobody thought of. The time that it
takes is linear in the text.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from longshift.policy.secret_forms import forms

MASK = "[redacted]"
LOOSE_CHARACTERS = 20
"""A form at least this long is found also where white space breaks it: `base64` ends its lines after 76 characters."""
DEEPEST = 6
SECRET_KEYS = frozenset(
    {"authorization", "x-api-key", "api_key", "apikey", "password", "passwd", "secret", "access_token", "private_key"}
)

# Each starts where no token character precedes and has no tail to fail on after an open-ended run: no backtracking.
TOKEN_SHAPES = {
    "sk-": r"(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]{16,}",
    "gh": r"(?<![A-Za-z0-9])gh[pousr]_[A-Za-z0-9]{20,}",
    "github_pat_": r"(?<![A-Za-z0-9])github_pat_[A-Za-z0-9_]{20,}",
    "glpat-": r"(?<![A-Za-z0-9])glpat-[A-Za-z0-9_-]{16,}",
    "xox": r"(?<![A-Za-z0-9])xox[abeprs]-[A-Za-z0-9-]{10,}",
    "xapp-": r"(?<![A-Za-z0-9])xapp-[A-Za-z0-9-]{10,}",
    "ls_": r"(?<![A-Za-z0-9])ls_[0-9a-f]{16}_[A-Za-z0-9_-]{20,}",
    "whsec_": r"(?<![A-Za-z0-9])whsec_[A-Za-z0-9+/=]{16,}",
    "AKIA": r"(?<![A-Za-z0-9])AKIA[0-9A-Z]{16}(?![0-9A-Z])",
    "AIza": r"(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{30,}",
    "eyJ": r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*",
    "Bearer ": r"(?<=Bearer )[A-Za-z0-9._~+/=-]{12,}",
    "://": r"(?<=://)[^\s/@:]{1,200}:[^\s/@]{1,200}(?=@)",
    "-----BEGIN ": r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^-]*(?:-----END [A-Z ]{0,40}PRIVATE KEY-----)?",
}
"""By what text must hold to have any of that shape."""
_SHAPES = {word: re.compile(pattern) for word, pattern in TOKEN_SHAPES.items()}

Known = Iterable[str] | Callable[[], Iterable[str]]
"""Secret values; a function where more of them become known with time."""


class Redactor:
    """Masks `secrets`, in all their forms, and everything that looks like a token."""

    def __init__(self, secrets: Known = ()) -> None:
        fixed = None if callable(secrets) else frozenset(secrets)
        self._source: Callable[[], Iterable[str]] = secrets if callable(secrets) else lambda: fixed or ()
        self._values: frozenset[str] = frozenset()
        self._needles: tuple[_Needle, ...] = ()

    def text(self, text: str) -> str:
        """`text` with a mask in place of each secret."""
        text = self.known(text)
        for word, shape in _SHAPES.items():
            if word in text:
                text = shape.sub(MASK, text)
        return text

    def known(self, text: str) -> str:
        """`text` with a mask in place of each value that is known. What only looks like a token stays: files are full
        of examples, and who is to edit a file has to see what it says.
        """
        needles = self._known_needles()
        if needles:
            squeezed = "".join(text.split())
            for needle in needles:
                if needle.squeezed in squeezed:
                    text = needle.sub(text)
        return text

    def known_bytes(self, body: bytes) -> bytes:
        """The same for UTF-8; the very same object where nothing is masked."""
        text = body.decode("utf-8", "surrogateescape")
        clean = self.known(text)
        return body if clean == text else clean.encode("utf-8", "surrogateescape")

    def _known_needles(self) -> "tuple[_Needle, ...]":
        values = frozenset(self._source())
        if values != self._values:
            found = sorted({form for value in values for form in forms(value)}, key=len, reverse=True)
            self._needles = tuple(map(_Needle, found))
            self._values = values
        return self._needles

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


class _Needle:
    """One form of one value. The pattern is made when it is needed: most never are."""

    def __init__(self, form: str) -> None:
        self.squeezed = "".join(form.split())
        self._form = form
        self._pattern: re.Pattern[str] | None = None

    def sub(self, text: str) -> str:
        if self._pattern is None:
            is_loose = len(self.squeezed) >= LOOSE_CHARACTERS
            loose = r"\s{0,80}".join(map(re.escape, self.squeezed))
            self._pattern = re.compile(loose if is_loose else re.escape(self._form))
        return self._pattern.sub(MASK, text)
