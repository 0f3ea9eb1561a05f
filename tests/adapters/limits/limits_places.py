"""Places for the tests of limits: small limits, groups of this machine, a tree of files that looks like groups."""

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from longshift.adapters.limits.hierarchies import Hierarchies, find_hierarchies
from longshift.adapters.limits.host_size import HostSize
from longshift.adapters.limits.session_limits import SessionLimits

SMALL = SessionLimits(
    processes=60,
    memory_bytes=160_000_000,
    processors=1.0,
    disk_bytes=60_000_000,
    file_bytes=50_000_000,
    open_files=256,
)
"""Limits that a bomb of a size that a test may set off goes beyond."""
HOST = HostSize(processors=2, memory_bytes=4_000_000_000, disk_bytes=10_000_000_000)


def first_hierarchies() -> Hierarchies | None:
    """Those of version 1 on this machine, if this process may use them."""
    found = find_hierarchies()
    return found if isinstance(found, Hierarchies) and found.version == 1 else None


@contextmanager
def groups_for(uid: int) -> Generator[Hierarchies]:
    """Folders of this test alone in the machine's hierarchies of version 1, given to a user; empty again afterwards."""
    machine = first_hierarchies()
    assert machine is not None
    name = f"longshift-test-{uuid.uuid4().hex[:12]}"
    folders = {controller: folder / name for controller, folder in machine.folders.items()}
    try:
        for folder in set(folders.values()):
            folder.mkdir(exist_ok=True)
            os.chown(folder, uid, uid)
        yield Hierarchies(1, folders)
    finally:
        for folder in set(folders.values()):
            for path, _, _ in os.walk(folder, topdown=False):
                os.rmdir(path)


def imitated(folder: Path, *, controllers: str = "cpu memory pids") -> tuple[Path, Path]:
    """A delegated group of version 2 as files: what `mountinfo` and `cgroup` of a process in it would say."""
    place = folder / "unified" / "worker.service"
    place.mkdir(parents=True)
    (place / "cgroup.controllers").write_text(f"{controllers}\n")
    (place / "cgroup.subtree_control").write_text("")
    (place / "cgroup.procs").write_text("")
    (place / "cgroup.type").write_text("domain\n")
    mounts, own = folder / "mountinfo", folder / "cgroup"
    mounts.write_text(
        "31 23 0:28 / /sys rw,relatime - sysfs sysfs rw\n"
        f"41 31 0:38 / {folder / 'unified'} rw,relatime - cgroup2 cgroup2 rw\n"
    )
    own.write_text("9:name=systemd:/\n0::/worker.service/longshift-worker\n")
    return mounts, own


def emptied(folder: Path) -> None:
    """An imitated group as the kernel shows it to rmdir: without the files in it."""
    for path in folder.rglob("*"):
        if path.is_file():
            path.unlink()


USER = 1001
"""An ordinary user, whom the system need not know."""


def python_of(uid: int) -> str | None:
    """An interpreter like this one that the user may run; None where there is none."""
    if uid == os.getuid():
        return sys.executable
    for python in (sys.executable, "/usr/bin/python3"):
        seen = subprocess.run(
            as_user(uid, "env", f"PYTHONPATH={os.pathsep.join(sys.path)}", python, "-c", "import pydantic_core, sys"),
            capture_output=True,
            check=False,
        )
        if seen.returncode == 0:
            return python
    return None


def as_user(uid: int, *command: str) -> tuple[str, ...]:
    """The command, as another user where this process may change."""
    if uid == os.getuid():
        return command
    setpriv = shutil.which("setpriv")
    assert setpriv is not None
    return (setpriv, f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--", *command)
