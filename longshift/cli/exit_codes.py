"""What the command's exit code says. Scripts rely on it: a number keeps its meaning for ever (`docs/cli.md`)."""

from enum import IntEnum

from longshift.contracts.session import SessionState


class ExitCode(IntEnum):
    """The exit codes of every command."""

    OK = 0
    """Done: the command did its work, or the session ended as done."""
    FAILED = 1
    """The session failed, a request was refused, or `doctor` found a fault."""
    USAGE = 2
    """Bad input: an option, a task file, a setting, or a session that does not exist."""
    UNREACHABLE = 3
    """The engine, a worker or the store does not answer."""
    CANCELLED = 4
    EXPIRED = 5
    """Time or budget was used up."""
    NEEDS_PERSON = 6
    """The session waits for a person, and `--no-wait-for-people` was given."""
    INTERRUPTED = 130
    """Ctrl-C. A session that was followed goes on."""


_OF_STATE = {
    SessionState.DONE: ExitCode.OK,
    SessionState.FAILED: ExitCode.FAILED,
    SessionState.CANCELLED: ExitCode.CANCELLED,
    SessionState.EXPIRED: ExitCode.EXPIRED,
}


def of_state(state: SessionState) -> ExitCode:
    """The exit code of a command that followed a session to this final state."""
    return _OF_STATE[state]
