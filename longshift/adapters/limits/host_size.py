"""How large this host is, as far as this process may use it."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class HostSize:
    """What all sessions of a host share."""

    processors: int
    memory_bytes: int
    disk_bytes: int
    """Of the file system that holds the data directory."""


def host_size(data_dir: Path, meminfo: Path = Path("/proc/meminfo")) -> HostSize:
    """Measure it; the folder need not exist yet."""
    existing = next(path for path in (data_dir.absolute(), *data_dir.absolute().parents) if path.exists())
    return HostSize(
        processors=len(os.sched_getaffinity(0)),
        memory_bytes=meminfo_bytes("MemTotal", meminfo),
        disk_bytes=shutil.disk_usage(existing).total,
    )


def meminfo_bytes(name: str, meminfo: Path = Path("/proc/meminfo")) -> int:
    """One of the kernel's figures about memory.

    Raises: KeyError, when it has none of this name.
    """
    for line in meminfo.read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1_024
    raise KeyError(name)
