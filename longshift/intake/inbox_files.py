"""Files of the inbox: which of them are whole, what they hold, and how they are put away without losing anything.

What a file says is not looked at here.
"""

import contextlib
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from longshift.taskfile.document import LIMIT_BYTES, SUFFIXES

SETTLED_SECONDS = 1.0
"""A file that did not change for so long is whole."""
UNFINISHED = (".part", ".tmp", "~")


@dataclass(frozen=True)
class Seen:
    """A file as it was at one look: whatever is written to it, or put in its place, changes this."""

    device: int
    inode: int
    size_bytes: int
    changed_at_ns: int

    @classmethod
    def of(cls, found: os.stat_result) -> "Seen":
        """From the answer of `stat`."""
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


class InboxFiles:
    """The task files in one folder. Not for an event loop: each call waits for the disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: dict[str, tuple[Seen, float]] = {}
        """What each file was like, and since when."""

    def settled(self) -> list[Path]:
        """The whole task files, the oldest first; the folders are made where they are missing."""
        for each in (self.folder, self.folder / "done", self.folder / "failed"):
            each.mkdir(parents=True, exist_ok=True)
        now, found = time.monotonic(), dict[str, tuple[Seen, float]]()
        for name, seen in self._candidates():
            before = self._seen.get(name)
            found[name] = before if before and before[0] == seen else (seen, now)
        self._seen = found
        whole = [(seen.changed_at_ns, name) for name, (seen, since) in found.items() if now - since >= SETTLED_SECONDS]
        return [self.folder / name for _, name in sorted(whole)]

    def read(self, path: Path) -> tuple[Seen, bytes] | None:
        """What a file holds (at most one byte more than a task may), or None if it is no longer what was seen."""
        try:
            number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        with os.fdopen(number, "rb") as file:
            seen = Seen.of(os.fstat(number))
            body = file.read(LIMIT_BYTES + 1)
            is_same = seen == Seen.of(os.fstat(number)) == self._seen.get(path.name, (None,))[0]
        return (seen, body) if is_same else None

    def put_away(self, path: Path, seen: Seen, folder: str, remark_suffix: str, remark: str) -> Path | None:
        """Move a file to a folder, with a remark beside it, under a name that both are free to take.

        None, and the file stays, if it is not the one that was `seen`: then a newer one came in its place.
        """
        for name in _names(path):
            target = self.folder / folder / name
            note = target.with_name(target.name + remark_suffix)
            if not _created(note, remark):
                continue
            if not _created(target, ""):
                note.unlink()
                continue
            if self._moved(path, seen, target):
                return target
            note.unlink()
            return None
        raise AssertionError("unreachable: there is always a further name")

    def _moved(self, path: Path, seen: Seen, target: Path) -> bool:
        """Move a file onto an empty one of ours. What came in its place at the last moment goes back."""
        try:
            if Seen.of(path.lstat()) != seen:
                target.unlink()
                return False
            path.replace(target)
        except FileNotFoundError:
            target.unlink(missing_ok=True)
            return False
        if Seen.of(target.lstat()) == seen:
            return True
        for name in _names(path):
            if _created(self.folder / name, ""):
                target.replace(self.folder / name)
                break
        return False

    def _candidates(self) -> Iterator[tuple[str, Seen]]:
        with os.scandir(self.folder) as entries:
            for entry in entries:
                name = entry.name
                if name.startswith(".") or name.endswith(UNFINISHED) or Path(name).suffix.lower() not in SUFFIXES:
                    continue
                with contextlib.suppress(FileNotFoundError):
                    found = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(found.st_mode):
                        yield name, Seen.of(found)


def _names(path: Path) -> Iterator[str]:
    """The file's own name, then `name-2.md` and so on."""
    yield path.name
    number = 2
    while True:
        yield f"{path.stem}-{number}{path.suffix}"
        number += 1


def _created(path: Path, text: str) -> bool:
    """Write a file that does not exist yet; False if there is one."""
    try:
        with path.open("x", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True
