"""What an activity works on, as its input tells: the session, the agent, the step."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Subject:
    """Empty where the input does not say."""

    session: str = ""
    """The task's id."""
    agent: str = ""
    step: int | None = None

    def log_fields(self) -> dict[str, Any]:
        """What every line logged within has."""
        fields = {"session": self.session, "agent": self.agent, "step": self.step}
        return {name: value for name, value in fields.items() if value not in ("", None)}


def subject_of(request: Any) -> Subject:
    """Read from whichever of the usual fields `request` has; ids are built in `contracts.ids`."""
    agent = getattr(request, "agent", "")
    session = (
        getattr(request, "task_id", "")
        or getattr(getattr(request, "task", None), "id", "")
        or getattr(getattr(request, "workspace", None), "workspace_id", "")
        or agent.partition("/")[0]
    )
    return Subject(session=session, agent=agent, step=getattr(request, "step", None))
