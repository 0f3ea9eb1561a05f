"""An engine failure in words for people."""

from temporalio.exceptions import ApplicationError, FailureError, TimeoutError


def in_words(error: FailureError) -> str:
    """The root cause: its kind and its message, without the layers around it."""
    cause: BaseException = error
    while isinstance(cause, FailureError) and cause.cause is not None:
        cause = cause.cause
    if isinstance(cause, ApplicationError):
        return f"{cause.type}: {cause.message}" if cause.type else cause.message
    if isinstance(cause, TimeoutError):
        return f"no worker finished this in time ({cause})"
    return str(cause)
