"""Replaces a file whole: after a crash at any moment there is the old content or the new one, never a part.

Where a file may be written is in `paths`; what is written is the tools' business.
"""

import contextlib
import hashlib
import os
import stat

from longshift.adapters.tools.located import Target


def replace_file(target: Target, content: bytes, *, run_key: str) -> None:
    """Write `content` to a temporary file beside the target, sync it, and rename it into place; the mode is kept.

    The temporary name follows from `run_key`, so that a repeated call takes over what a crash has left.

    Raises:
        OSError: As from open(2), write(2) and rename(2).
    """
    temporary = f".longshift-{hashlib.sha256(run_key.encode()).hexdigest()[:16]}.tmp"
    try:
        _write_synced(target, temporary, content)
        os.rename(temporary, target.name, src_dir_fd=target.folder, dst_dir_fd=target.folder)
    except OSError:
        _remove(target.folder, temporary)
        raise
    _sync_folder(target.folder)


def _write_synced(target: Target, temporary: str, content: bytes) -> None:
    _remove(target.folder, temporary)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(temporary, flags, 0o666, dir_fd=target.folder), "wb") as file:
        file.write(content)
        file.flush()
        if target.existing is not None:
            os.fchmod(file.fileno(), stat.S_IMODE(target.existing.st_mode) & 0o777)
        os.fsync(file.fileno())


def _remove(folder: int, name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)


def _sync_folder(folder: int) -> None:
    """Make the rename durable; the folder's own descriptor is O_PATH and cannot be synced."""
    descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
