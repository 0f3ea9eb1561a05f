"""What file tools hold open once a path is resolved, and what a failed operation on it means. Resolving is `paths`."""

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from longshift.adapters.tools.folder_names import listing
from longshift.adapters.tools.outcome import ToolRefused
from longshift.contracts.errors import DiskFull

_KINDS: Final[tuple[tuple[Callable[[int], bool], str], ...]] = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISLNK, "a symbolic link"),
)

_REASONS: Final[dict[int, str]] = {
    errno.EXDEV: "leads out of the workspace; file tools stay inside of it (links must be relative and stay inside)",
    errno.ELOOP: "goes through too many or forbidden symbolic links",
    errno.ENOTDIR: "uses a file as if it were a folder",
    errno.EACCES: "cannot be opened: permission denied",
    errno.EPERM: "cannot be changed: operation not permitted",
    errno.EROFS: "cannot be changed: the file system is read-only",
    errno.ENAMETOOLONG: "is too long for the file system",
    errno.EDQUOT: "cannot be written: the disk quota is used up",
    errno.EFBIG: "cannot be written: the file would be too large",
}


def failure_of(error: OSError, path: str) -> ToolRefused | DiskFull:
    """What a failed operation on `path` means: for the model, or, on a full disk, for those who run the host."""
    if error.errno == errno.ENOSPC:
        return DiskFull(f"no space is left on the device for {path}")
    reason = _REASONS.get(error.errno or 0) or f"cannot be used: {error.strerror or error}"
    return ToolRefused(f"{path} {reason}.")


@dataclass(frozen=True)
class Located:
    """Something that exists beneath the folder, held open with O_PATH."""

    descriptor: int
    relative: str
    """The path beneath the folder without links or `..`; `.` for the folder itself."""
    status: os.stat_result

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return stat.S_ISDIR(self.status.st_mode)

    def open_file(self) -> int:
        """A readable descriptor of an ordinary file: of the very file that was located, whatever its name is now.

        Raises:
            ToolRefused: It is a folder, a pipe, a socket or a device.
        """
        mode = self.status.st_mode
        if self.is_folder:
            raise ToolRefused(f"{self.relative} is a folder; list it with glob. It holds {listing(self.descriptor)}.")
        if not stat.S_ISREG(mode):
            kind = next((name for is_kind, name in _KINDS if is_kind(mode)), "not an ordinary file")
            raise ToolRefused(f"{self.relative} is {kind}, not an ordinary file.")
        return os.open(f"/proc/self/fd/{self.descriptor}", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)


@dataclass(frozen=True)
class Target:
    """A place for a file: an open folder and a name in it."""

    folder: int
    name: str
    relative: str
    existing: os.stat_result | None
    """Of the file that is there now."""
