"""One writer per data directory: a second `longshift up` is refused and told who is there."""

import contextlib
import fcntl
import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from longshift.contracts.errors import BadInput

LOCK_FILE = "up.lock"


@dataclass(frozen=True)
class LockHolder:
    """The process that works on a data directory."""

    pid: int
    started_at: str
    """ISO 8601, UTC."""


def read_holder(data_dir: Path) -> LockHolder | None:
    """Who the lock's file names; the lock itself says whether that still holds."""
    try:
        table: Any = json.loads((data_dir / LOCK_FILE).read_text(encoding="utf-8"))
        return LockHolder(pid=int(table["pid"]), started_at=str(table["started_at"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


class DataLock:
    """Held from `with` to its end, or to the end of the process, however that comes about."""

    def __init__(self, data_dir: Path, *, now: datetime | None = None) -> None:
        self._data_dir = data_dir
        self._now = now or datetime.now(UTC)
        self._descriptor = -1

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            BadInput: another process has it, or the directory cannot be written.
        """
        path = self._data_dir / LOCK_FILE
        try:
            self._data_dir.mkdir(parents=True, exist_ok=True)
            # Not inherited by children: what they start must not keep the directory locked.
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise BadInput(
                f"data_dir: {self._data_dir} cannot be used ({error.strerror}); set LONGSHIFT_DATA_DIR to a directory "
                "that can be written"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise BadInput(self._refusal(read_holder(self._data_dir))) from None
        self._descriptor = descriptor
        holder = LockHolder(os.getpid(), self._now.isoformat(timespec="seconds"))
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(asdict(holder)).encode() + b"\n", 0)

    def release(self) -> None:
        """Let go. The file stays: removing it would let two processes lock two files of one name."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, 0)
                # Closing alone is not enough: a child that is just being started still has the same open file.
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            os.close(self._descriptor)
            self._descriptor = -1

    def _refusal(self, holder: LockHolder | None) -> str:
        who = f"process {holder.pid}, since {holder.started_at}" if holder else "another process"
        return (
            f"data_dir: {self._data_dir} is in use by {who}; submit to that one, stop it first, "
            "or choose another directory with --data-dir or LONGSHIFT_DATA_DIR"
        )

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
