"""Reads what providers and gateways put into error bodies: five JSON shapes, plain text and HTML."""

import html
import json
import re
from dataclasses import dataclass
from typing import Any, cast

from longshift.adapters.model.surrogates import mended

_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.IGNORECASE | re.DOTALL)
_READ_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """What an error body says, as far as it says it."""

    type: str = ""
    code: str = ""
    message: str = ""
    request_id: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Type and code in lower case, those that are there."""
        return tuple(name.lower() for name in (self.type, self.code) if name)


def read_error_body(body: bytes) -> ErrorBody:
    """Takes `{"type":"error","error":{…}}`, `{"error":{…}}`, `{"error":"…"}`, `{"code","message"}`, `{"detail":…}`."""
    text = body.decode("utf-8", "replace").strip().removeprefix("\ufeff")
    if text.startswith("<"):
        return ErrorBody(message=_page_text(text[:_READ_CHARACTERS]))
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        return ErrorBody(message=_one_line(text[:_READ_CHARACTERS]))
    if not isinstance(value, dict):
        return ErrorBody(message=_text(value))
    outer = cast("dict[str, Any]", value)
    request_id = _text(outer.get("request_id"))
    error: Any = outer.get("error") or outer
    if isinstance(error, str):
        error = mended(error)
        return ErrorBody(type=error, message=_text(outer.get("message")) or error, request_id=request_id)
    if not isinstance(error, dict):
        return ErrorBody(message=_text(error), request_id=request_id)
    inner = cast("dict[str, Any]", error)
    kind = _text(inner.get("type"))
    message = next((text for key in ("message", "msg", "detail") if (text := _text(inner.get(key)))), "")
    return ErrorBody(
        type="" if kind == "error" else kind,
        code=_text(inner.get("code")),
        message=_one_line(message),
        request_id=request_id or _text(inner.get("request_id")),
    )


def _text(value: Any) -> str:
    if value is None:
        return ""
    return mended(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _page_text(page: str) -> str:
    title = _TITLE.search(page)
    return _one_line(html.unescape(title.group(1) if title else _TAG.sub(" ", page)))


def _one_line(text: str) -> str:
    return " ".join(text.split())
