"""Copying one open file to another: its content, inside the system where it can do that, its times and its mode."""

import errno
import os
import stat

CHUNK_BYTES = 8 * 1024 * 1024
NOT_SHARED = frozenset({errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EPERM})
"""What a file system says that cannot copy, or share, a file's content by itself."""


def copied_chunk(reading: int, writing: int) -> int:
    """Copy the next part of a file, to where both descriptors stand; its size in bytes, 0 at the end."""
    try:
        return os.copy_file_range(reading, writing, CHUNK_BYTES)
    except OSError as error:
        if error.errno not in NOT_SHARED:
            raise
    body = os.read(reading, CHUNK_BYTES)
    rest = memoryview(body)
    while rest:
        rest = rest[os.write(writing, rest) :]
    return len(body)


def copy_attributes(status: os.stat_result, writing: int) -> None:
    """Times and permissions, but always enough of them for the owner to work with the copy, and no set-uid bit."""
    os.fchmod(writing, stat.S_IMODE(status.st_mode) & 0o777 | 0o600)
    os.utime(writing, ns=(status.st_atime_ns, status.st_mtime_ns))
