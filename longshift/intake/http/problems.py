"""Every failure that a request may meet, with its status; one shape, `{"error": {"kind", "message", "field"?}}`.

A bug is not here: it is answered with 500 by the server's own boundary and logged with its traceback.
"""

import re
from collections.abc import Mapping

from starlette.responses import Response
from temporalio.client import RPCError
from temporalio.service import RPCStatusCode

from longshift.contracts.errors import (
    BadInput,
    BrokerError,
    DeliveryError,
    EngineError,
    HostError,
    KeyTaken,
    LongshiftError,
    PayloadError,
    PeopleError,
    ProviderError,
    QueueFull,
    StoreError,
    StoreMissing,
)
from longshift.intake.http.answers import ErrorAnswer, ErrorDetail
from longshift.intake.http.token_file import TokensUnreadable
from longshift.sessions.failures import SessionMissing, SessionRefused, WorkerAbsent

RETRY_SECONDS = 5
"""After what is not there now."""

STATUSES: tuple[tuple[type[LongshiftError], int], ...] = (
    (KeyTaken, 409),
    (BadInput, 422),
    (QueueFull, 429),
    (SessionMissing, 404),
    (SessionRefused, 409),
    (WorkerAbsent, 503),
    (EngineError, 503),
    (StoreMissing, 404),
    (StoreError, 503),
    (TokensUnreadable, 503),
    (HostError, 503),
    (BrokerError, 503),
    (PeopleError, 503),
    (PayloadError, 503),
    (DeliveryError, 503),
    (ProviderError, 503),
)
"""The first that fits."""

_ENGINE_STATUSES = {
    RPCStatusCode.INVALID_ARGUMENT: 400,
    RPCStatusCode.UNAVAILABLE: 503,
    RPCStatusCode.DEADLINE_EXCEEDED: 503,
    RPCStatusCode.CANCELLED: 503,
    RPCStatusCode.RESOURCE_EXHAUSTED: 503,
    RPCStatusCode.FAILED_PRECONDITION: 503,
}
"""All others: the engine refuses us, which is no fault of who asks (502)."""

_PLACE = re.compile(r"^(?P<source>\S+?)(?::(?P<line>\d+))?: (?P<rest>.*)$", re.DOTALL)
_FIELD = re.compile(r"^([a-z_]+(?:\.[a-z0-9_]+)*): ")


class Problem(Exception):
    """A request cannot be answered as it is."""

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        *,
        field: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.field = field
        self.headers = dict(headers or {})

    def answer(self) -> Response:
        """What the sender gets."""
        detail = ErrorDetail(kind=self.kind, message=self.message, field=self.field)
        body = ErrorAnswer(error=detail).model_dump_json(exclude_none=True)
        return Response(body, self.status, self.headers, media_type="application/json")


EXPLAINED = (Problem, LongshiftError, RPCError)
"""What `explain` takes."""


def explain(error: Problem | LongshiftError | RPCError, *, source: str = "") -> Problem:
    """The failure as an answer. `source` stands in front of messages about tasks, and says nothing to the sender."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RPCError):
        status = _ENGINE_STATUSES.get(error.status, 502)
        return Problem(status, "engine", f"the engine does not take it: {error.message}", headers=_later(status))
    status = next((status for kind, status in STATUSES if isinstance(error, kind)), 500)
    if isinstance(error, BadInput):
        message, field = _told_of(str(error), source)
        return Problem(status, error.kind, message, field=field)
    if isinstance(error, QueueFull):
        seconds = {"retry-after": str(max(1, round(error.retry_after_seconds)))}
        return Problem(status, error.kind, str(error), headers=seconds)
    return Problem(status, error.kind, str(error), headers=_later(status))


def _later(status: int) -> dict[str, str]:
    return {"retry-after": str(RETRY_SECONDS)} if status == 503 else {}


def _told_of(message: str, source: str) -> tuple[str, str | None]:
    """A complaint about a task without the name it went by, and the first field that it names."""
    lines: list[str] = []
    for line in message.split("\n"):
        found = _PLACE.match(line)
        if source and found and found["source"] == source:
            line = f"line {found['line']}: {found['rest']}" if found["line"] else found["rest"]
        lines.append(line)
    field = _FIELD.match(re.sub(r"^line \d+: ", "", lines[0]))
    return "\n".join(lines), field[1] if field else None
