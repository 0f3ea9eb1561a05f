"""Which tools an agent is not offered, by its task."""

from longshift.contracts.task import TaskSpec
from longshift.contracts.tools import DELEGATE, READ_REPORT


def withheld(task: TaskSpec) -> frozenset[str]:
    """Names of tools that an agent of this task does not have: those about sub-agents where there are none."""
    return frozenset({DELEGATE, READ_REPORT}) if task.sub_agent is not None or not task.swarm.max_items else frozenset()
