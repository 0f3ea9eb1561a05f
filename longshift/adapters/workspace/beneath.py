"""Opening and removing what lies beneath a folder, while somebody who is not trusted may change it.

No link is followed, not even one that was swapped in a moment ago, and nothing waits at a named pipe. What is opened
for a model's tools, where links inside are allowed, is in `adapters.tools.openers`.
"""

import errno
import os
import stat
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@contextmanager
def folder_beneath(root: Path, parts: Sequence[str]) -> Generator[int]:
    """A descriptor of the folder that `parts` lead to, for use as a `dir_fd`.

    Raises:
        OSError: one of them is missing, or is no folder but a link or a file (ENOTDIR).
    """
    folder = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts:
            inner = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
        yield folder
    finally:
        os.close(folder)


def open_beneath(root: Path, relative: str, flags: int = os.O_RDONLY, mode: int = 0o666) -> int:
    """Open the ordinary file `relative`.

    Raises:
        OSError: it is missing, lies behind a link, or is something else.
    """
    *parts, name = relative.split("/")
    with folder_beneath(root, parts) as folder:
        descriptor = os.open(name, flags | _FILE, mode, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "is not an ordinary file", relative)
    return descriptor


def read_beneath(root: Path, relative: str, limit_bytes: int = -1) -> bytes:
    """The content of an ordinary file, no more than `limit_bytes` of it; raises as `open_beneath` does."""
    with open(open_beneath(root, relative), "rb") as file:
        return file.read(limit_bytes)


def write_beneath(root: Path, relative: str, body: bytes) -> None:
    """Write an ordinary file; raises as `open_beneath` does."""
    with open(open_beneath(root, relative, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
        file.write(body)


def removed(path: Path) -> bool:
    """Remove a folder with all that is in it, however deep; whether it is gone.

    Folders without rights, as some programs make them for their caches, get them first. `path` itself must be in a
    folder that nobody else may write to. Python's own `rmtree` gives up some thousand levels down.
    """
    if not os.path.lexists(path):
        return True
    for command in (("rm", "-rf"), ("chmod", "-R", "u+rwX"), ("rm", "-rf")):
        done = subprocess.run([*command, "--", path], capture_output=True, check=False, env={"PATH": os.defpath})
        if command[0] == "rm" and done.returncode == 0:
            return True
    return False
