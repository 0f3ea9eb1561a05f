"""A small shadow repository in memory, to be written out again for the next workspace that begins with the same.

Whose it is, and when two begin with the same, is for the callers to say.
"""

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from longshift.adapters.workspace.beneath import read_beneath

LIMIT_BYTES = 4_000_000
LOCK = "longshift.lock"


@dataclass(frozen=True)
class KeptRepository:
    """Its folders, and the content of its files, by their paths below the repository."""

    folders: tuple[str, ...]
    files: dict[str, bytes]

    @classmethod
    def read(cls, git_dir: Path, without: Collection[str] = ()) -> "KeptRepository | None":
        """Read a repository whose lock is held, but for the files `without`; None where it is too large to be kept."""
        folders, files, left_bytes = list[str](), dict[str, bytes](), LIMIT_BYTES
        for path, is_folder in _walked(git_dir):
            name = os.fspath(path.relative_to(git_dir))
            if is_folder:
                folders.append(name)
            elif name != LOCK and name not in without:
                files[name] = read_beneath(git_dir, name, left_bytes + 1)
                left_bytes -= len(files[name])
            if left_bytes < 0:
                return None
        return cls(tuple(folders), files)

    def write(self, git_dir: Path) -> None:
        """Write it to a new folder, or over what an earlier call has left; objects are forced to disk, as by git."""
        git_dir.mkdir(parents=True, exist_ok=True)
        for name in self.folders:
            (git_dir / name).mkdir(exist_ok=True)
        for name, body in self.files.items():
            path, is_object = git_dir / name, name.startswith("objects/")
            if is_object:
                path.unlink(missing_ok=True)  # git makes its objects read-only
            with path.open("wb") as file:
                file.write(body)
                if is_object:
                    file.flush()
                    os.fsync(file.fileno())


def _walked(git_dir: Path) -> Iterator[tuple[Path, bool]]:
    """Every folder, before what is in it, and every file."""
    for folder, folders, files in os.walk(git_dir):
        folders.sort()
        yield from ((Path(folder, name), True) for name in folders)
        yield from ((Path(folder, name), False) for name in sorted(files))
