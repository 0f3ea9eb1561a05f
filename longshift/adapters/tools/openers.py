"""Two ways to open a path that cannot lead out of a folder: by the kernel (`openat2`), and step by step.

The tree is written by code that nobody trusts, while the worker reads it: a check of the path followed by an
ordinary open could be tricked by a link swapped in between. What a path may be used for is in `paths`.
"""

import ctypes
import errno
import os
import stat
from collections import deque
from typing import Final, Protocol

_OPENAT2: Final = 437
"""The same number on every architecture (linux/include/uapi/asm-generic/unistd.h)."""
_RESOLVE_NO_MAGICLINKS: Final = 0x02
_RESOLVE_BENEATH: Final = 0x08
_AGAIN_TRIES: Final = 64
"""openat2 answers EAGAIN when a rename elsewhere disturbs the resolution of `..`."""
_LINKS_LIMIT: Final = 40
"""As the kernel's own limit."""


class PathOpener(Protocol):
    """Opens paths beneath a folder."""

    def open_path(self, root: int, relative: str) -> int:
        """Open `relative` beneath the folder descriptor `root` with O_PATH.

        Raises:
            OSError: EXDEV when the path leads out (`..`, an absolute link), else as open(2).
        """
        ...


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


class KernelOpener:
    """`openat2(RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)`, Linux 5.6 and later."""

    def __init__(self) -> None:
        self._syscall = ctypes.CDLL(None, use_errno=True).syscall
        self._syscall.restype = ctypes.c_long

    def open_path(self, root: int, relative: str) -> int:
        """See `PathOpener`."""
        how = _OpenHow(os.O_PATH | os.O_CLOEXEC, 0, _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS)
        for _ in range(_AGAIN_TRIES):
            descriptor: int = self._syscall(
                ctypes.c_long(_OPENAT2),
                ctypes.c_int(root),
                ctypes.c_char_p(os.fsencode(relative)),
                ctypes.byref(how),
                ctypes.c_size_t(ctypes.sizeof(how)),
            )
            if descriptor >= 0:
                return descriptor
            if ctypes.get_errno() not in (errno.EAGAIN, errno.EINTR):
                break
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), relative)


class WalkingOpener:
    """The same without the kernel's help: one component at a time, each link read and walked by hand."""

    def open_path(self, root: int, relative: str) -> int:
        """See `PathOpener`."""
        opened = [os.dup(root)]
        pending = deque(relative.split("/"))
        links = 0
        if relative.startswith("/"):
            pending.appendleft("..")
        try:
            while pending:
                part = pending.popleft()
                if part in ("", "."):
                    continue
                if part == "..":
                    if len(opened) == 1:
                        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), relative)
                    os.close(opened.pop())
                    continue
                descriptor = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=opened[-1])
                opened.append(descriptor)
                if stat.S_ISLNK(os.fstat(descriptor).st_mode):
                    links += 1
                    target = os.readlink("", dir_fd=descriptor)
                    os.close(opened.pop())
                    if target.startswith("/"):
                        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), relative)
                    if links > _LINKS_LIMIT:
                        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), relative)
                    pending.extendleft(reversed(target.split("/")))
            return opened.pop()
        finally:
            for descriptor in opened:
                os.close(descriptor)


def best_opener() -> PathOpener:
    """The kernel's way where it is allowed; a kernel before 5.6 or a container's filter refuses it."""
    kernel = KernelOpener()
    root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.close(kernel.open_path(root, "."))
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EPERM):
            raise
        return WalkingOpener()
    finally:
        os.close(root)
    return kernel
