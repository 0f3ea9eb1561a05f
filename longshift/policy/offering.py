"""Which tools an agent is not offered, by its task."""

from longshift.contracts.task import TaskSpec
from longshift.contracts.tools import DELEGATE


def withheld(task: TaskSpec) -> frozenset[str]:
    """Names of tools that an agent of this task does not have: sub-agents have no sub-agents of their own."""
    return frozenset({DELEGATE}) if task.sub_agent is not None or not task.swarm.max_items else frozenset()
