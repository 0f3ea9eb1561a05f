"""The roles that a worker process can take, alone or together."""

from collections.abc import Iterable
from enum import StrEnum

from longshift.contracts.errors import BadInput


class Role(StrEnum):
    """What a worker process is for."""

    CONTROL = "control"
    """Runs workflows, with their bookkeeping in the store."""
    MODEL = "model"
    """Calls model providers, and posts to people; holds nothing, so any number will do."""
    HOST = "host"
    """Holds workspaces and runs tools, with a data directory of its own."""


def as_roles(names: Iterable[str]) -> frozenset[Role]:
    """The roles by name, each argument one or several with commas; all of them where none is named.

    Raises:
        BadInput: a name is not one of a role.
    """
    wanted = [part.strip() for name in names for part in name.split(",") if part.strip()]
    for name in wanted:
        if name not in set(Role):
            raise BadInput(f"--role: {name!r} is no role; use {', '.join(Role)}")
    return frozenset(Role(name) for name in wanted) or frozenset(Role)
