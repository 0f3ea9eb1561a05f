"""A request's body: counted while it comes, cut at its limit, and made into a value."""

import asyncio
import contextlib
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from starlette.requests import ClientDisconnect, Request

from longshift.intake.acceptance import KEY_MAX_CHARACTERS
from longshift.intake.http.endpoint import Body, Call
from longshift.intake.http.meter import Account
from longshift.intake.http.problems import Problem

SECONDS = 30.0
"""A body that takes longer is given up: it would hold its connection for ever."""
SWALLOW_SECONDS = 3.0
KEY = "idempotency-key"
KEY_PATTERN = r"^[!-~]([ -~]*[!-~])?$"

Given = TypeVar("Given", bound=BaseModel)


async def read_body(call: Call, body: Body) -> bytes:
    """The bytes of a call, as `read_bytes` reads them.

    Raises:
        Problem: 413, 415, 408 or 503.
    """
    return await read_bytes(call.request, body, call.account)


async def read_bytes(request: Request, body: Body, account: Account) -> bytes:
    """The bytes of a request; `Content-Length` is not believed, but a length that is too large is refused at once.

    Raises:
        Problem: 413, 415, 408 or 503.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in body.media_types:
        given = f"{media_type!r} is not taken" if media_type else "is missing"
        raise Problem(
            415, "media_type", f"content-type: {given}; send {' or '.join(body.media_types)}", field="content-type"
        )
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > body.limit_bytes:
        if "expect" not in request.headers:  # who waits for a word before sending has sent nothing yet
            await _swallow(request, body.limit_bytes)
        raise _too_large(body)
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size > body.limit_bytes:
                    chunks.clear()
                    await _swallow(request, body.limit_bytes)
                    raise _too_large(body)
                account.add(len(chunk))
                chunks.append(chunk)
    except TimeoutError:
        message = f"body: did not arrive within {SECONDS:.0f} seconds; send it again"
        raise Problem(408, "too_slow", message, headers={"connection": "close"}) from None
    except ClientDisconnect:
        raise Problem(400, "disconnected", "body: the connection ended before it did; send it again") from None
    return b"".join(chunks)


async def _swallow(request: Request, limit_bytes: int) -> None:
    """Read on for a moment: who is cut off while sending would see a broken connection instead of the answer."""
    size = 0
    with contextlib.suppress(TimeoutError, ClientDisconnect):
        async with asyncio.timeout(SWALLOW_SECONDS):
            while size < 2 * limit_bytes:
                message = await request.receive()
                size += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


def _too_large(body: Body) -> Problem:
    text = f"body: is larger than {body.limit_bytes:,} bytes; put large inputs into the workspace instead"
    # what is still on its way is not read
    return Problem(413, "too_large", text, field="body", headers={"connection": "close"})


async def read_value(call: Call, body: Body, model: type[Given]) -> Given:
    """The value in a JSON body; an empty one is `{}` where a body may be left out.

    Raises:
        Problem: it cannot be read, or is not such a value.
    """
    headers = call.request.headers
    nothing = headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers
    raw = b"{}" if nothing and not body.is_required else await read_body(call, body)
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        status, kind = (400, "bad_json") if first["type"] == "json_invalid" else (422, "bad_input")
        raise _complaint(status, kind, first, model, "body") from None


def read_query(request: Request, model: type[Given]) -> Given:
    """The value that the query is.

    Raises:
        Problem: 400; it is not such a value.
    """
    lists = {name for name, about in model.model_fields.items() if "list" in str(about.annotation)}
    values: dict[str, Any] = {}
    for name, value in request.query_params.multi_items():
        if name in lists:
            values.setdefault(name, []).append(value)
        elif name in values:
            raise Problem(400, "bad_query", f"{name}: stands there twice; keep one of them", field=name)
        else:
            values[name] = value
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _complaint(400, "bad_query", error.errors(include_url=False)[0], model, "query") from None


def _complaint(status: int, kind: str, detail: ErrorDetails, model: type[BaseModel], where: str) -> Problem:
    field = ".".join(str(part) for part in detail["loc"]) or where
    text = detail["msg"][0].lower() + detail["msg"][1:]
    if detail["type"] == "extra_forbidden":
        text = f"is not known; there are: {', '.join(model.model_fields) or 'none'}"
    elif detail["type"] == "missing":
        text = "is missing; add it"
    elif detail["type"] == "string_pattern_mismatch" and detail["input"] == "":
        text = "is empty; say something"
    return Problem(status, kind, f"{field}: {text}", field=field)


def idempotency_key(headers: Mapping[str, str]) -> str:
    """The sender's key; empty when it gave none.

    Raises:
        Problem: 400; no key can look like this.
    """
    key = headers.get(KEY)
    if key is None:
        return ""
    if len(key) > KEY_MAX_CHARACTERS or re.fullmatch(KEY_PATTERN, key) is None:
        message = f"{KEY}: must be 1 to {KEY_MAX_CHARACTERS} printable ASCII characters; shorten or encode it"
        raise Problem(400, "bad_key", message, field=KEY)
    return key
