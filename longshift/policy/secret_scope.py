"""Who may use a named secret. A task's author chooses its repository and what its setup runs, so the tenant decides."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from longshift.contracts.task import TaskSpec


def may_use(task: TaskSpec, tenants: Sequence[str], repositories: Sequence[str]) -> bool:
    """Whether a task's tenant is among those named, and its repository too where any are named; both are globs.

    A secret without tenants is nobody's: what is not spelled out is not given.
    """
    is_tenant = any(fnmatchcase(task.tenant, pattern) for pattern in tenants)
    if not is_tenant or not repositories:
        return is_tenant
    # A glob's star also stands for slashes: nobody may climb out of what it names.
    is_straight = ".." not in task.repository.split("/")
    return is_straight and any(fnmatchcase(task.repository, pattern) for pattern in repositories)
