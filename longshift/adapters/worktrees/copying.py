"""Copying a workspace's files to a worktree beside it, while whoever works there may change them.

No link is followed, and nothing waits at a pipe. Contents are shared by reference where the file system can do that,
else copied; objects of git, which are never changed in place, get another name (a hard link). Modes and times are kept,
so that a build sees what it has made as up to date.
"""

import errno
import fcntl
import os
import stat
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from longshift.adapters.workspace.beneath import folder_beneath
from longshift.adapters.workspace.chunks import NOT_SHARED, copied_chunk, copy_attributes
from longshift.adapters.workspace.quota import Quota

REPORT_BYTES = 64 * 1024 * 1024
_FICLONE = 0x40049409
"""ioctl(2): share the other file's content. `fcntl.FICLONE` is known from Python 3.14 on."""
_READ_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP})
_OF_OTHER_TREES = frozenset({"worktrees"})
"""In a repository's folder: what belongs to other work trees of it."""
_BORROWS = frozenset({"objects/info/alternates", "objects/info/http-alternates"})

Parts = tuple[str, ...]


@dataclass
class Copying:
    """One copy on its way; run it in a thread (`quota.in_thread`)."""

    origin: Path
    into: Path
    """Is made; nobody else works in it yet."""
    quota: Quota
    on_progress: Callable[[str], None] = lambda line: None
    unreadable: list[str] = field(default_factory=list[str])
    """What is missing in the copy, because the worker's user may not read it."""
    can_clone: bool = True
    """Whether to try to share contents; off once the file system has refused."""
    _reported_bytes: int = 0

    def all_files(self) -> None:
        """Copy everything; a repository at the top stands on its own in the copy.

        Raises:
            OSError: the copy cannot be written.
            Interrupted: nobody waits any more.
        """
        self._copy(lambda parts, name: parts[:1] == (".git",) and _is_left_out(parts[1:], name), _is_object_of_tree)

    def objects(self) -> None:
        """Copy the objects of the bare repository `origin`; the caller holds its lock. Raises as `all_files` does."""
        self._copy(lambda parts, name: (*parts, name)[:1] != ("objects",) or _is_left_out(parts, name), _is_object)

    def _copy(self, leaves_out: Callable[[Parts, str], bool], is_object: Callable[[Parts], bool]) -> None:
        self.into.mkdir(exist_ok=True)
        waiting: list[Parts] = [()]
        folders: list[Parts] = []
        while waiting:
            parts = waiting.pop()
            folders.append(parts)
            with self._both(parts) as both:
                if both is None:
                    continue
                source, target = both
                for entry in _entries(source):
                    if leaves_out(parts, entry.name):
                        continue
                    if self._copied(entry, source, target, parts, links=is_object(parts)):
                        waiting.append((*parts, entry.name))
        for parts in reversed(folders):
            self._keep_attributes(parts)

    @contextmanager
    def _both(self, parts: Parts) -> Generator[tuple[int, int] | None]:
        """Descriptors of a folder and of its copy; None where it cannot be read, or has gone meanwhile."""
        with folder_beneath(self.into, parts) as target:
            try:
                with folder_beneath(self.origin, parts) as place:
                    source = os.open(".", _READ_FOLDER, dir_fd=place)
            except (FileNotFoundError, NotADirectoryError):
                yield None
                return
            except PermissionError:
                self.unreadable.append("/".join(parts))
                yield None
                return
            try:
                yield source, target
            finally:
                os.close(source)

    def _copied(self, entry: os.DirEntry[str], source: int, target: int, parts: Parts, *, links: bool) -> bool:
        """Copy one entry; whether it is a folder, whose content is still to be copied."""
        self.quota.take(0)
        try:
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                with suppress(FileExistsError):
                    os.mkdir(entry.name, 0o700, dir_fd=target)
                return True
            if stat.S_ISLNK(status.st_mode):
                os.symlink(os.readlink(entry.name, dir_fd=source), entry.name, dir_fd=target)
            elif stat.S_ISREG(status.st_mode) and not (links and self._linked(entry.name, source, target)):
                self._copy_file(entry.name, source, target)
        except FileNotFoundError:
            return False  # it has gone meanwhile
        except PermissionError:
            self.unreadable.append("/".join((*parts, entry.name)))
        return False

    def _linked(self, name: str, source: int, target: int) -> bool:
        try:
            os.link(name, name, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
        except FileExistsError:
            return True
        except OSError as error:
            if error.errno in _NO_LINK:
                return False
            raise
        return True

    def _copy_file(self, name: str, source: int, target: int) -> None:
        reading = os.open(name, _READ_FILE, dir_fd=source)
        try:
            status = os.fstat(reading)
            if not stat.S_ISREG(status.st_mode):
                return
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=target)
            writing = os.open(name, _WRITE_FILE, 0o600, dir_fd=target)
            try:
                if status.st_size:
                    self._copy_content(reading, writing, status.st_size)
                copy_attributes(status, writing)
            finally:
                os.close(writing)
        finally:
            os.close(reading)

    def _copy_content(self, reading: int, writing: int, size: int) -> None:
        if self.can_clone:
            try:
                fcntl.ioctl(writing, _FICLONE, reading)
            except OSError as error:
                if error.errno not in NOT_SHARED:
                    raise
                self.can_clone = False
            else:
                return
        while copied := copied_chunk(reading, writing):
            self.quota.take(copied)
            if self.quota.total_bytes - self._reported_bytes >= REPORT_BYTES:
                self._reported_bytes = self.quota.total_bytes
                self.on_progress(f"copying files: {self.quota.total_bytes:,} bytes, now one of {size:,}")

    def _keep_attributes(self, parts: Parts) -> None:
        """A folder's time and mode, once all is in it; its owner can always work with it."""
        with suppress(FileNotFoundError, NotADirectoryError):
            with folder_beneath(self.origin, parts) as place:
                status = os.stat(".", dir_fd=place)
            with folder_beneath(self.into, parts) as target:
                folder = os.open(".", _READ_FOLDER, dir_fd=target)
                try:
                    os.fchmod(folder, stat.S_IMODE(status.st_mode) & 0o777 | 0o700)
                    os.utime(folder, ns=(status.st_atime_ns, status.st_mtime_ns))
                finally:
                    os.close(folder)


def _entries(folder: int) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return list(entries)


def _is_left_out(parts: Parts, name: str) -> bool:
    """Of a repository, what would tie it to another one, or belongs to a git that runs at this moment."""
    is_of_others = not parts and name in _OF_OTHER_TREES
    return is_of_others or name.endswith(".lock") or "/".join((*parts, name)) in _BORROWS


def _is_object(parts: Parts) -> bool:
    return parts[:1] == ("objects",) and parts[1:2] != ("info",) and len(parts) > 1


def _is_object_of_tree(parts: Parts) -> bool:
    return parts[:1] == (".git",) and _is_object(parts[1:])
