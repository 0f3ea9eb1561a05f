"""A place in the queue of the hosts."""

from longshift.contracts.wire import Wire


class QueuePlace(Wire):
    """Where a session stands in the queue, resolved when its task was submitted."""

    priority: int = 3
    """1 to 5, 1 first."""
    fairness_key: str = ""
    """At most 64 bytes; keys of one priority take turns."""
    fairness_weight: float = 1.0
    cap_key: str = ""
    """What the cap below counts, such as `repository:…`; empty: no cap."""
    cap_sessions: int = 0
    """How many sessions of that key may hold a slot at once."""
