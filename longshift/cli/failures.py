"""Every failure that a person may meet, in one sentence and with an exit code. Anything else is a bug: not caught."""

from dataclasses import dataclass

from temporalio.client import RPCError, WorkflowFailureError
from temporalio.service import RPCStatusCode
from typer.exceptions import TyperException

from longshift.cli.exit_codes import ExitCode
from longshift.contracts.errors import (
    BadInput,
    BrokerError,
    EngineError,
    LongshiftError,
    PayloadError,
    StoreError,
    StoreMissing,
)
from longshift.sessions.failures import NO_WORKER, SessionMissing, WorkerAbsent, in_words


@dataclass(frozen=True)
class Failure:
    """What is said of a failure."""

    kind: str
    message: str
    code: ExitCode


EXPLAINED = (LongshiftError, TyperException, RPCError, WorkflowFailureError)
"""What `explain` takes."""

_CODES: tuple[tuple[type[LongshiftError], ExitCode], ...] = (
    (BadInput, ExitCode.USAGE),
    (PayloadError, ExitCode.USAGE),
    (SessionMissing, ExitCode.USAGE),
    (StoreMissing, ExitCode.FAILED),
    (StoreError, ExitCode.UNREACHABLE),
    (BrokerError, ExitCode.UNREACHABLE),
    (EngineError, ExitCode.UNREACHABLE),
    (WorkerAbsent, ExitCode.UNREACHABLE),
)
"""The first that fits; all others mean that it failed."""

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
        code = next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.FAILED)
        return Failure(error.kind, str(error), code)
    if isinstance(error, TyperException):
        return Failure("usage", _usage(error), ExitCode.USAGE)
    if isinstance(error, RPCError):
        return _of_rpc(error)
    cause = error.cause if isinstance(error, WorkflowFailureError) else error
    return Failure("failed", in_words(cause), ExitCode.FAILED)


def _usage(error: TyperException) -> str:
    text, context = error.format_message(), getattr(error, "ctx", None)
    return f"{text.rstrip('.')}; see `{context.command_path} --help`" if text and context else text


def _of_rpc(error: RPCError) -> Failure:
    if error.status is RPCStatusCode.NOT_FOUND:
        # Sessions that are missing are noticed by those who look for them: this is the namespace.
        return Failure(
            "engine", f"the engine does not know it: {error.message}; check TEMPORAL_NAMESPACE", ExitCode.USAGE
        )
    text = _UNREACHABLE.get(error.status)
    if text is None:
        return Failure("engine", f"the engine refused: {error.message}", ExitCode.FAILED)
    return Failure("engine", f"{text} ({error.message})", ExitCode.UNREACHABLE)
