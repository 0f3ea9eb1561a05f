"""What may go wrong for who looks at a session or tells it something. The faces map it to exit codes and statuses."""

from temporalio.exceptions import FailureError

from longshift.contracts.errors import LongshiftError

NO_WORKER = "no worker answers; start one with `longshift up` or `longshift worker`"


class SessionMissing(LongshiftError):
    """No session has this id."""

    kind = "session_missing"


class SwarmMissing(SessionMissing):
    """The session has no such swarm, or the swarm no such item."""

    kind = "swarm_missing"


class SessionRefused(LongshiftError):
    """The session does not take this request in its state; the message is the session's own."""

    kind = "refused"


class WorkerAbsent(LongshiftError):
    """The engine runs, but no worker answers for the session."""

    kind = "worker"


def in_words(error: BaseException) -> str:
    """The innermost reason: the outer layers only say that something in them failed."""
    inner = error.cause if isinstance(error, FailureError) else None
    while isinstance(inner, FailureError):
        error, inner = inner, inner.cause
    return getattr(error, "message", "") or str(error) or type(error).__name__
