"""Gates: at most so many sessions of one key hold a slot at once. One workflow per key that has a cap."""

from longshift.contracts.wire import Wire


class GateEntry(Wire):
    """A session at the gate."""

    session: str
    """Its workflow id."""
    priority: int = 3
    limit: int = 1
    """How many the session knows to be allowed; the latest word holds for all."""


class GateState(Wire):
    """All that a gate carries from run to run."""

    limit: int = 1
    inside: tuple[str, ...] = ()
    """Workflow ids of the sessions that were let in."""
    waiting: tuple[GateEntry, ...] = ()
    """In the order of their arrival."""


class EnterGateInput(Wire):
    """Brings a session to the gate of its key, which is opened for the first."""

    key: str
    entry: GateEntry


class FindEndedInput(Wire):
    """Asks which of these sessions run no more."""

    sessions: tuple[str, ...]


class EndedSessions(Wire):
    """Those that do not."""

    sessions: tuple[str, ...] = ()
