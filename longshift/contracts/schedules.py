"""Values of schedules: what each fire starts with, and what came of it. When it fires is the engine's business."""

from longshift.contracts.session import SessionInput, SessionState
from longshift.contracts.wire import Wire


class FiringInput(Wire):
    """Starts one fire of a schedule."""

    schedule: str
    """Its name; the task ids of its fires begin with it."""
    session: SessionInput
    """Resolved when the schedule was added. The id of its task is replaced at each fire."""


class FiringReport(Wire):
    """What came of a fire."""

    task_id: str
    state: SessionState | None = None
    """In which the session ended; None for one that had been started before and is not waited for."""
