"""How large this host is, as far as this process may use it."""

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from longshift.adapters.limits.hierarchies import mounted

MEMINFO = Path("/proc/meminfo")


@dataclass(frozen=True)
class HostSize:
    """What all sessions of a host share."""

    processors: int
    memory_bytes: int
    disk_bytes: int
    """Of the file system that holds the data directory."""


def host_size(
    data_dir: Path,
    meminfo: Path = MEMINFO,
    mounts: Path = Path("/proc/self/mountinfo"),
    own: Path = Path("/proc/self/cgroup"),
) -> HostSize:
    """Measure it; the folder need not exist yet."""
    existing = next(path for path in (data_dir.absolute(), *data_dir.absolute().parents) if path.exists())
    return HostSize(
        processors=len(os.sched_getaffinity(0)),
        memory_bytes=min([meminfo_bytes("MemTotal", meminfo), *_ceilings(mounts, own)]),
        disk_bytes=shutil.disk_usage(existing).total,
    )


def meminfo_bytes(name: str, meminfo: Path = MEMINFO) -> int:
    """One of the kernel's figures about memory.

    Raises: KeyError, when it has none of this name.
    """
    for line in meminfo.read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1_024
    raise KeyError(name)


def _ceilings(mounts: Path, own: Path) -> list[int]:
    """The limits of the control groups that this process is in: a container's or a unit's."""
    paths = {names: path for _, names, path in (line.split(":", 2) for line in own.read_text().splitlines())}
    found: list[int] = []
    for where, kind, options in mounted(mounts):
        if kind == "cgroup2":
            found += _limits(where, paths.get(""), "memory.max")
        elif kind == "cgroup" and "memory" in options:
            found += _limits(where, paths.get("memory"), "memory.limit_in_bytes")
    return found


def _limits(mount: Path, path: str | None, name: str) -> list[int]:
    """Those of a group and of all above it, as far as they are visible."""
    folder = mount / (path or "/").removeprefix("/")
    texts: list[str] = []
    for place in (folder, *folder.parents):
        if place.is_relative_to(mount):
            with suppress(OSError):
                texts.append((place / name).read_text(encoding="ascii").strip())
    return [int(text) for text in texts if text.isdigit()]
