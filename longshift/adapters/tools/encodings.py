"""How the bytes of a file become text and back: UTF-8 with or without a mark, UTF-16 with one, or not text at all.

Bytes that are not valid UTF-8 survive an edit unchanged (surrogateescape).
"""

import codecs
import mimetypes
from dataclasses import dataclass
from typing import Final

SNIFF_BYTES: Final = 8_192
"""How much of the beginning decides what a file is."""


@dataclass(frozen=True)
class TextEncoding:
    """One way to read and write text."""

    name: str
    """For people and the model."""
    codec: str
    mark: bytes = b""
    """The byte order mark at the beginning, kept on writing."""
    errors: str = "strict"

    def decode(self, content: bytes) -> str:
        """The text after the mark.

        Raises:
            UnicodeDecodeError: The content is damaged.
        """
        return content[len(self.mark) :].decode(self.codec, self.errors)

    def encode(self, text: str) -> bytes:
        """The bytes of `text`, mark included.

        Raises:
            UnicodeEncodeError: `text` holds a lone surrogate.
        """
        return self.mark + text.encode(self.codec, self.errors)


UTF_8: Final = TextEncoding("UTF-8", "utf-8", errors="surrogateescape")

_MARKED: Final = (
    TextEncoding("UTF-8 with BOM", "utf-8", codecs.BOM_UTF8, errors="surrogateescape"),
    TextEncoding("UTF-16 LE", "utf-16-le", codecs.BOM_UTF16_LE),
    TextEncoding("UTF-16 BE", "utf-16-be", codecs.BOM_UTF16_BE),
)

_SIGNATURES: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\x89PNG\r\n", "PNG image"),
    (b"\xff\xd8\xff", "JPEG image"),
    (b"GIF8", "GIF image"),
    (b"%PDF-", "PDF document"),
    (b"\x7fELF", "ELF executable or library"),
    (b"PK\x03\x04", "ZIP archive"),
    (b"\x1f\x8b", "gzip data"),
    (b"BZh", "bzip2 data"),
    (b"\xfd7zXZ\x00", "xz data"),
    (b"\x28\xb5\x2f\xfd", "zstd data"),
    (b"SQLite format 3\x00", "SQLite database"),
    (b"\x00asm", "WebAssembly module"),
)


def sniff(beginning: bytes) -> TextEncoding | None:
    """The encoding of a file that begins so; None when it is binary."""
    if beginning.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return None
    for encoding in _MARKED:
        if beginning.startswith(encoding.mark):
            return encoding
    if b"\x00" in beginning or beginning.startswith(b"%PDF-"):
        return None
    return UTF_8


def binary_kind(beginning: bytes, name: str) -> str:
    """What kind of binary file it is, by its first bytes or else its name."""
    for signature, kind in _SIGNATURES:
        if beginning.startswith(signature):
            return kind
    return mimetypes.guess_type(name)[0] or "unknown type"
