"""Every failure that a person may meet, in one sentence and with an exit code. Anything else is a bug: not caught."""

from dataclasses import dataclass

from temporalio.client import (
    RPCError,
    RPCTimeoutOrCancelledError,
    WorkflowFailureError,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import FailureError
from temporalio.service import RPCStatusCode
from typer.exceptions import TyperException

from longshift.cli.exit_codes import ExitCode
from longshift.contracts.errors import EngineError, LongshiftError, StoreError, StoreMissing

NO_WORKER = "no worker answers; start one with `longshift up` or `longshift worker`"


@dataclass(frozen=True)
class Failure:
    """What is said of a failure."""

    kind: str
    message: str
    code: ExitCode


class SessionMissing(LongshiftError):
    """No session has this id."""

    kind = "session_missing"


class SessionRefused(LongshiftError):
    """The session does not take this request in its state; the message is the session's own."""

    kind = "refused"


class WorkerAbsent(LongshiftError):
    """The engine runs, but no worker answers for the session."""

    kind = "worker"


EXPLAINED = (
    LongshiftError,
    TyperException,
    FailureError,
    RPCError,
    WorkflowFailureError,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
"""What `explain` takes."""

_UNREACHABLE = {
    RPCStatusCode.UNAVAILABLE: "the engine does not answer; look whether `longshift up` still runs",
    RPCStatusCode.DEADLINE_EXCEEDED: "the engine did not answer in time; look whether `longshift up` still runs",
    RPCStatusCode.CANCELLED: "the engine did not answer in time; look whether `longshift up` still runs",
    RPCStatusCode.RESOURCE_EXHAUSTED: "the engine is busy; try again in a moment",
    RPCStatusCode.UNAUTHENTICATED: "the engine refuses the credentials; check TEMPORAL_API_KEY or the certificate",
    RPCStatusCode.PERMISSION_DENIED: "the engine denies access; check TEMPORAL_NAMESPACE and the credentials",
    RPCStatusCode.FAILED_PRECONDITION: NO_WORKER,
}


def explain(error: BaseException) -> Failure:
    """The failure in words."""
    if isinstance(error, LongshiftError):
        return Failure(error.kind, str(error), _code(error))
    if isinstance(error, TyperException):
        return Failure("usage", error.format_message(), ExitCode.USAGE)
    if isinstance(error, (WorkflowUpdateRPCTimeoutOrCancelledError, RPCTimeoutOrCancelledError)):
        return Failure("worker", f"no answer in time: {NO_WORKER}", ExitCode.UNREACHABLE)
    if isinstance(error, RPCError):
        return _of_rpc(error)
    if isinstance(error, WorkflowUpdateFailedError):
        return Failure("refused", in_words(error.cause), ExitCode.FAILED)
    cause = error.cause if isinstance(error, WorkflowFailureError) else error
    return Failure("failed", in_words(cause), ExitCode.FAILED)


def in_words(error: BaseException) -> str:
    """The innermost reason: the outer layers only say that something in them failed."""
    inner = error.cause if isinstance(error, FailureError) else None
    while isinstance(inner, FailureError):
        error, inner = inner, inner.cause
    return getattr(error, "message", "") or str(error) or type(error).__name__


def _code(error: LongshiftError) -> ExitCode:
    if isinstance(error, (EngineError, WorkerAbsent)) or (
        isinstance(error, StoreError) and not isinstance(error, StoreMissing)
    ):
        return ExitCode.UNREACHABLE
    if isinstance(error, (SessionRefused, StoreMissing)):
        return ExitCode.FAILED
    return ExitCode.USAGE if error.kind in {"bad_input", SessionMissing.kind} else ExitCode.FAILED


def _of_rpc(error: RPCError) -> Failure:
    if error.status is RPCStatusCode.NOT_FOUND:
        return Failure(SessionMissing.kind, f"not found: {error.message}", ExitCode.USAGE)
    text = _UNREACHABLE.get(error.status)
    if text is None:
        return Failure("engine", f"the engine refused: {error.message}", ExitCode.FAILED)
    return Failure("engine", f"{text} ({error.message})", ExitCode.UNREACHABLE)
