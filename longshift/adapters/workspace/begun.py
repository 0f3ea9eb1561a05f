"""Shadow repositories as work in them began, kept in memory for the next workspace that begins with the same files."""

from dataclasses import dataclass, field
from typing import NamedTuple

from longshift.adapters.workspace.kept_repository import KeptRepository

ENTRIES_LIMIT = 2
"""The oldest goes first."""


class Begun(NamedTuple):
    """A repository in which nobody has worked yet."""

    repository: KeptRepository
    checkpoint: str
    """The commit that it was recovered from."""
    base: str
    """The commit that work is counted from, which all its refs name."""
    tree: str
    """That commit's: the first files."""


@dataclass(frozen=True)
class BegunRepositories:
    """Those of one host."""

    _kept: dict[tuple[str, ...], Begun] = field(default_factory=dict[tuple[str, ...], Begun])

    def found(self, beginning: tuple[str, ...]) -> Begun | None:
        """The one with this beginning: whatever settles its base."""
        return self._kept.get(beginning)

    def keep(self, beginning: tuple[str, ...], begun: Begun) -> None:
        """Keep it for the next one."""
        self._kept[beginning] = begun
        if len(self._kept) > ENTRIES_LIMIT:
            del self._kept[next(iter(self._kept))]
