"""A request's payloads, decrypted: Temporal's JSON form `{"payloads": [{"metadata", "data"}]}`."""

import base64
from typing import Any

import orjson
from pydantic import Base64Bytes, BaseModel, ConfigDict, ValidationError
from temporalio.api.common.v1 import Payload

from longshift.adapters.codec import KeyRing
from longshift.contracts.errors import PayloadError
from longshift.intake.http.problems import Problem
from longshift.payload_codec import SealedPayloads


class GivenPayload(BaseModel):
    """A payload as JSON has it."""

    model_config = ConfigDict(frozen=True)

    metadata: dict[str, Base64Bytes] | None = None
    data: Base64Bytes | None = None


class GivenPayloads(BaseModel):
    """What is asked for; fields that are not known here are left out of the answer."""

    model_config = ConfigDict(frozen=True)

    payloads: list[GivenPayload] | None = None


def decoded(ring: KeyRing, raw: bytes) -> bytes:
    """The answer to a body. Payloads in clear come back as they are.

    Raises:
        Problem: 400, it is no such body; 422, a payload cannot be decrypted.
    """
    try:
        given = GivenPayloads.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise Problem(400, "bad_json", f"{where}: {first['msg']}", field=where) from None
    codec = SealedPayloads(ring)
    try:
        found = codec.opened(
            [Payload(metadata=each.metadata or {}, data=each.data or b"") for each in given.payloads or ()]
        )
    except PayloadError as error:
        raise Problem(422, error.kind, str(error)) from None
    return orjson.dumps({"payloads": [_as_json(payload) for payload in found]})


def _as_json(payload: Payload) -> dict[str, Any]:
    return {
        "metadata": {name: base64.b64encode(value).decode() for name, value in payload.metadata.items()},
        "data": base64.b64encode(payload.data).decode(),
    }
