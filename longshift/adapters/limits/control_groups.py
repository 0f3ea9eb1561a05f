"""Control groups: the kernel keeps all processes of a session together to its limits. Making and removing them.

A group is made when a session's first command asks for it, and removed when none of its commands runs any more. The two
versions of control groups differ in where the folders are and what the files are called: `hierarchies`, and here the
tables.
"""

import errno
import hashlib
import os
import re
import threading
import time
from contextlib import suppress
from pathlib import Path

from longshift.adapters.limits.hierarchies import PARENT, Hierarchies
from longshift.adapters.limits.host_size import HostSize
from longshift.adapters.limits.session_limits import SessionLimits
from longshift.adapters.process.process_table import process_stat
from longshift.contracts.errors import HostError

PERIOD_MICROSECONDS = 100_000
ALL_SESSIONS_SHARE = 0.9
"""Of the host's memory, for all sessions together: the worker and the engine live from the rest."""
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,120}")
_SESSION = "session-"
_WORKER = "worker-"
_OPTIONAL = frozenset({"memory.memsw.limit_in_bytes", "memory.swap.max"})
"""A kernel that does not account for swap has none of these."""

Files = tuple[tuple[str, str], ...]
"""Names and contents, in the order in which they are written."""


class ControlGroups:
    """The groups of the sessions of one data directory; those of other workers are left alone while these live."""

    def __init__(
        self, hierarchies: Hierarchies, limits: SessionLimits, owner: Path, host: HostSize, *, worker: int | None = None
    ) -> None:
        self.name = f"cgroup v{hierarchies.version}"
        self.controllers = frozenset(hierarchies.folders)
        self._version = hierarchies.version
        self._limits = limits
        self._host = host
        name = hashlib.sha256(os.fsencode(owner.absolute())).hexdigest()[:16]
        self._owners = {controller: folder / PARENT / name for controller, folder in hierarchies.folders.items()}
        self._mark = _mark_of(worker or os.getpid())
        """A group without processes, whose name says which worker the others belong to."""
        self._used_at: dict[str, float] = {}
        """Name of a folder → when a command last asked for it, on the monotonic clock."""
        self._lock = threading.Lock()

    def folders(self, session: str) -> tuple[str, ...]:
        """The folders that a command of the session joins; made, with their limits, where they are not there.

        Raises: HostError, when they cannot be made: a command must not run without them.
        """
        name = _folder_name(session)
        places = {owner / name for owner in self._owners.values()}
        with self._lock:
            try:
                if name not in self._used_at or not all(place.is_dir() for place in places):
                    self._make(name)
            except OSError as error:
                raise HostError(
                    f"cannot make the control group of session {session}: {error}; see the finding `limits` of"
                    " `longshift doctor`, or set LONGSHIFT_SESSION_LIMITS=rlimits"
                ) from error
            self._used_at[name] = time.monotonic()
        return tuple(sorted(str(place) for place in places))

    def sweep(self, idle_seconds: float = 0.0) -> int:
        """Remove the groups that have no processes and were not asked for lately; gives how many there were.

        Also those that a worker before this one has left, whatever its data directory was.
        """
        latest = time.monotonic() - idle_seconds
        removed: set[str] = set()
        with self._lock:
            for owner in set(self._owners.values()):
                idle = [name for name in _sessions(owner) if self._used_at.get(name, latest) <= latest]
                removed |= {name for name in idle if _is_removed(owner / name)}
                if not _sessions(owner):
                    _bury(owner)
                for other in (owner.parent / name for name in _names(owner.parent)):
                    marks = _marks(other)
                    if other != owner and marks and not any(_is_alive(mark) for mark in marks):
                        _bury(other)
            self._used_at = {name: at for name, at in self._used_at.items() if name not in removed}
        return len(removed)

    def _make(self, name: str) -> None:
        for controller, owner in self._owners.items():
            (owner / self._mark).mkdir(parents=True, exist_ok=True)
            for above in (owner.parent, owner):
                _write(above, _of_all(self._version, controller, self._host))
        for controller, owner in self._owners.items():
            place = owner / name
            place.mkdir(exist_ok=True)
            # Also where it is there: whoever made it may have died before it wrote the limits.
            _write(place, _of_session(self._version, controller, self._limits, self._host))


def _of_all(version: int, controller: str, host: HostSize) -> Files:
    """The files of the folders above the sessions."""
    memory = str(int(host.memory_bytes * ALL_SESSIONS_SHARE))
    if version == 2:
        delegated = (("cgroup.subtree_control", f"+{controller}"),)
        return (*delegated, ("memory.max", memory)) if controller == "memory" else delegated
    files: dict[str, Files] = {
        "memory": (("memory.use_hierarchy", "1"), ("memory.limit_in_bytes", memory)),
        # Beside groups stand the processes without one: all sessions together must not count as one of those.
        "cpu": (("cpu.shares", str(1_024 * host.processors)),),
    }
    return files.get(controller, ())


def _of_session(version: int, controller: str, limits: SessionLimits, host: HostSize) -> Files:
    """The files of a session's folder."""
    memory, processes = str(limits.memory_bytes), str(limits.processes)
    quota = int(limits.processors * PERIOD_MICROSECONDS) if limits.processors < host.processors else None
    files: dict[tuple[int, str], Files] = {
        (1, "memory"): (("memory.limit_in_bytes", memory), ("memory.memsw.limit_in_bytes", memory)),
        (1, "pids"): (("pids.max", processes),),
        (1, "cpu"): (
            ("cpu.cfs_period_us", str(PERIOD_MICROSECONDS)),
            ("cpu.cfs_quota_us", "-1" if quota is None else str(quota)),
        ),
        (2, "memory"): (("memory.max", memory), ("memory.swap.max", "0")),
        (2, "pids"): (("pids.max", processes),),
        (2, "cpu"): (("cpu.max", f"{'max' if quota is None else quota} {PERIOD_MICROSECONDS}"),),
    }
    return files[version, controller]


def _write(folder: Path, files: Files) -> None:
    for name, value in files:
        path = folder / name
        if name in _OPTIONAL and not path.exists():
            continue
        if name == "memory.use_hierarchy" and path.read_text(encoding="ascii").strip() == value:
            continue  # it must not be written again once there are groups below
        try:
            path.write_text(value, encoding="ascii")
        except OSError as error:
            if error.errno != errno.EBUSY or not name.startswith("memory."):
                raise
            # Version 1: commands of an earlier worker use more than a limit that was lowered; theirs stays.


def _folder_name(session: str) -> str:
    """A plain id as it is; anything else could leave the folder, or be taken for a file of the kernel's."""
    if _PLAIN_NAME.fullmatch(session):
        return f"{_SESSION}{session}"
    return f"{_SESSION}{hashlib.sha256(session.encode()).hexdigest()[:32]}"


def _names(owner: Path) -> list[str]:
    with suppress(FileNotFoundError):
        return [entry.name for entry in os.scandir(owner) if entry.is_dir(follow_symlinks=False)]
    return []


def _sessions(owner: Path) -> list[str]:
    return [name for name in _names(owner) if name.startswith(_SESSION)]


def _marks(owner: Path) -> list[str]:
    return [name for name in _names(owner) if name.startswith(_WORKER)]


def _mark_of(pid: int) -> str:
    stat = process_stat(pid)
    return f"{_WORKER}{pid}-{0 if stat is None else stat[1]}"


def _is_alive(mark: str) -> bool:
    return _mark_of(int(mark.removeprefix(_WORKER).partition("-")[0])) == mark


def _bury(owner: Path) -> None:
    """Remove a folder whose sessions need it no more; all of it stays while one of them has processes."""
    if all([_is_removed(owner / name) for name in _sessions(owner)]):
        for mark in _marks(owner):
            _is_removed(owner / mark)
        _is_removed(owner)


def _is_removed(folder: Path) -> bool:
    """Whether it is gone now; the kernel keeps one that has processes."""
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError as error:
        if error.errno not in (errno.EBUSY, errno.ENOTEMPTY):
            raise
        return False
    return True
