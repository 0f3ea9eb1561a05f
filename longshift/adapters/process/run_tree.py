"""Where runs live: keys to directories, listing, free space, removal. What a directory means is `run_directory`."""

import os
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from longshift.adapters.process import supervisor
from longshift.adapters.process.run_directory import RunDirectory
from longshift.contracts.errors import DiskFull

_RUN_SUFFIX = ".run"
"""Sets a run's directory apart, so that a key may also be the beginning of other keys."""
_TRASH = ".trash"
_KEY_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


class RunTree:
    """The folder that holds all runs of a host; on a local file system."""

    def __init__(self, root: Path, disk_floor_bytes: int) -> None:
        self._root = root.absolute()
        self._disk_floor_bytes = disk_floor_bytes

    def run(self, key: str) -> RunDirectory:
        """The directory of a run, whether it exists or not.

        Raises: ValueError, for a key that could leave the folder or be taken for something else.
        """
        *parents, last = _parts(key)
        return RunDirectory(self._root.joinpath(*parents, last + _RUN_SUFFIX))

    def key_of(self, path: Path) -> str | None:
        """The key of the run that has this directory; None where no run of this folder could be."""
        if not path.is_relative_to(self._root) or not path.name.endswith(_RUN_SUFFIX):
            return None
        key = path.relative_to(self._root).as_posix().removesuffix(_RUN_SUFFIX)
        try:
            return None if self.run(key).path != path else key
        except ValueError:
            return None

    def keys(self, prefix: str) -> list[str]:
        """The keys of all claimed runs below the prefix, in order."""
        return sorted(self._walk(_parts(prefix) if prefix.strip("/") else []))

    def remove(self, prefix: str, keys: list[str]) -> None:
        """Remove these runs, then the folders below the prefix that are empty."""
        trash = self._root / _TRASH
        trash.mkdir(mode=0o700, parents=True, exist_ok=True)
        for key in keys:
            # Renamed first: a directory that is half removed would look like a run that has not started.
            self.run(key).path.rename(trash / uuid.uuid4().hex)
        for leftover in trash.iterdir():
            shutil.rmtree(leftover, ignore_errors=True)  # also what an earlier removal did not finish
        if prefix.strip("/"):
            _remove_empty(self._root.joinpath(*_parts(prefix)))

    def require_space(self) -> None:
        """Raises: DiskFull, when less than the floor is free."""
        if self._free_bytes() < self._disk_floor_bytes:
            raise self.disk_full("no command is started below the floor")

    def disk_full(self, detail: str) -> DiskFull:
        """The error for a disk without space, with its numbers and the remedy."""
        return DiskFull(
            f"{self._root} has {self._free_bytes()} bytes free, the floor is {self._disk_floor_bytes} ({detail}): "
            "free space on that disk, or keep the runs on a larger one"
        )

    def _free_bytes(self) -> int:
        existing = next(path for path in (self._root, *self._root.parents) if path.exists())
        return shutil.disk_usage(existing).free

    def _walk(self, parts: list[str]) -> Iterator[str]:
        if parts and (self.run("/".join(parts)).path / supervisor.SPEC).exists():
            yield "/".join(parts)
        for folder, names, _ in os.walk(self._root.joinpath(*parts)):
            runs = [name for name in names if name.endswith(_RUN_SUFFIX)]
            names[:] = [name for name in names if not name.endswith(_RUN_SUFFIX) and name != _TRASH]
            for name in runs:
                path = Path(folder, name)
                if (path / supervisor.SPEC).exists():
                    yield path.relative_to(self._root).as_posix().removesuffix(_RUN_SUFFIX)


def _parts(key: str) -> list[str]:
    parts = key.strip("/").split("/")
    for part in parts:
        if _KEY_PART.fullmatch(part) is None or part.endswith(_RUN_SUFFIX):
            raise ValueError(f"not the key of a run: {key!r}")
    return parts


def _remove_empty(folder: Path) -> None:
    for path, names, files in os.walk(folder, topdown=False):
        if not files and not any(Path(path, name).exists() for name in names):
            os.rmdir(path)
