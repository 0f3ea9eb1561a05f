"""Finding a secret in whatever clothes it left: encodings that a script can make with what every system has."""

import base64
import codecs
import re
import zlib
from collections.abc import Iterable

_BLOB = re.compile(rb"[A-Za-z0-9+/_-]{24,}={0,2}")
_ZIPPED = re.compile(rb"\x1f\x8b\x08")
_BLANKS = re.compile(rb"\s+")
LONGEST_BLOB = 2_000_000


def found_in(body: bytes, secrets: Iterable[str]) -> list[str]:
    """Those of `secrets` that `body` holds: plain, reversed, in another case, spaced out, hex, rot13, base64, gzip."""
    layers = [body, *_unpacked(body)]
    texts = [text for layer in layers for text in (layer.lower(), _BLANKS.sub(b"", layer).lower())]
    return [secret for secret in secrets if any(form in text for form in _forms(secret) for text in texts)]


def _forms(secret: str) -> list[bytes]:
    plain = secret.lower()
    return [each.encode() for each in (plain, plain[::-1], codecs.encode(plain, "rot13"), plain.encode().hex())]


def _unpacked(body: bytes) -> list[bytes]:
    """What base64 in `body` decodes to, broken into lines or not, and what was zipped in it."""
    found: list[bytes] = []
    for blob in [*_BLOB.findall(body), *_BLOB.findall(_BLANKS.sub(b"", body))]:
        for start in range(4):
            part = blob[start:LONGEST_BLOB].rstrip(b"=")
            decoded = base64.urlsafe_b64decode(part.translate(_TO_URL_SAFE)[: len(part) // 4 * 4])
            found.append(decoded)
            found += [_gunzipped(decoded[match.start() :]) for match in _ZIPPED.finditer(decoded)]
    return found


_TO_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def _gunzipped(body: bytes) -> bytes:
    """As much of a zipped file as there is."""
    try:
        return zlib.decompressobj(31).decompress(body)
    except zlib.error:
        return b""
