"""How far the poll has come, kept in `intake/github.json` of the data directory so that a restart misses nothing."""

import asyncio
import os
from pathlib import Path

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

log = structlog.get_logger("longshift.github")

FOLDER = "intake"
FILE = "github.json"


class RepositoryPosition(BaseModel):
    """One repository."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    issues_etag: str = ""
    """Of the list of labelled issues whose tasks were all handed on."""
    issues_rules: str = ""
    """What it was asked under; with another label the list is another."""
    handled: tuple[int, ...] = ()
    """Labelled issues that are open and were handed on."""
    comments_since: str = ""
    """All comments up to this moment were looked at (GitHub's clock, ISO 8601)."""


class Position(BaseModel):
    """All of them, by name."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    repositories: dict[str, RepositoryPosition] = {}

    def of(self, repository: str) -> RepositoryPosition:
        """Where the poll stands in a repository."""
        return self.repositories.get(repository, RepositoryPosition())

    def moved(self, repository: str, place: RepositoryPosition) -> "Position":
        """The position after a step in a repository."""
        return Position(repositories={**self.repositories, repository: place})


class PositionFile:
    """Reads and writes it."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / FOLDER / FILE

    async def read(self) -> Position:
        """The last position; the beginning when there is none. To begin anew doubles nothing: the keys are the same."""
        return await asyncio.to_thread(self._read)

    async def write(self, position: Position) -> None:
        """Keep it, in one piece and safe from a power cut.

        Raises:
            OSError: it cannot be written.
        """
        await asyncio.to_thread(self._write, position.model_dump_json(indent=2))

    def _read(self) -> Position:
        try:
            return Position.model_validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return Position()
        except ValidationError:
            log.warning("the position of the poll makes no sense, beginning anew", path=str(self.path))
            return Position()

    def _write(self, text: str) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        with part.open("w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.path)
