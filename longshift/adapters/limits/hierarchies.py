"""Where this process may make control groups, if anywhere. It looks and, for version 2, takes what it was given.

Version 2: a subtree that was delegated to the worker. A group that has processes cannot have groups with controllers
below it, so the worker has to be in a group of its own within that subtree: as a systemd unit with
`DelegateSubgroup=longshift-worker`, or in a container with a control group of its own, which is emptied into such a
group. A unit's group is not: the next start of the unit could not enter it while commands of the last are left.
Version 1: a writable folder in each controller's hierarchy, at its top, as container engines make theirs.
Both: the controllers `pids` and `memory` are needed, `cpu` is welcome.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PARENT = "longshift"
"""The folder of all sessions' groups in each hierarchy."""
OWN_PROCESSES = "longshift-worker"
"""Version 2: the group into which the processes of the delegated group are moved."""
NEEDED = ("pids", "memory")
WELCOME = ("cpu",)


@dataclass(frozen=True)
class Hierarchies:
    """Where groups may be made."""

    version: int
    """1 or 2."""
    folders: Mapping[str, Path]
    """Controller → the folder below which groups are made; version 2 has the same for all."""


@dataclass(frozen=True)
class Unusable:
    """Why groups cannot be made, for people."""

    why: str


def find_hierarchies(
    mounts: Path = Path("/proc/self/mountinfo"), own: Path = Path("/proc/self/cgroup")
) -> Hierarchies | Unusable:
    """Look, change nothing."""
    second = _second(mounts, own)
    if isinstance(second, Hierarchies):
        return second
    first = _first(mounts)
    return first if isinstance(first, Hierarchies) else Unusable(f"{second.why}; {first.why}")


def take_over(hierarchies: Hierarchies) -> None:
    """Make the delegated group of version 2 ready for groups below it; version 1 needs nothing.

    A container's processes are moved into a group of their own; those of the root of all groups may stay there.

    Raises: OSError, when the kernel refuses.
    """
    if hierarchies.version == 1:
        return
    folder = hierarchies.folders["pids"]
    if (folder / "cgroup.type").exists():
        leaf = folder / OWN_PROCESSES
        leaf.mkdir(exist_ok=True)
        for pid in (folder / "cgroup.procs").read_text(encoding="ascii").split():
            with suppress(ProcessLookupError):  # it has ended meanwhile
                (leaf / "cgroup.procs").write_text(pid, encoding="ascii")
    for controller in hierarchies.folders:
        (folder / "cgroup.subtree_control").write_text(f"+{controller}", encoding="ascii")


def _second(mounts: Path, own: Path) -> Hierarchies | Unusable:
    mount = next((where for where, kind, _ in mounted(mounts) if kind == "cgroup2"), None)
    line = next((line for line in own.read_text().splitlines() if line.startswith("0::/")), None)
    if mount is None or line is None:
        return Unusable("cgroup v2 is not mounted")
    path = Path(line.removeprefix("0::/"))
    if path.name == OWN_PROCESSES:
        path = path.parent
    elif path.parts:
        return Unusable(f"cgroup v2: /{path} was not delegated with a subgroup {OWN_PROCESSES} for the worker")
    folder = mount / path
    try:
        offered = (folder / "cgroup.controllers").read_text(encoding="ascii").split()
    except OSError as error:
        return Unusable(f"cgroup v2: {folder}: {error.strerror}")
    if missing := [name for name in NEEDED if name not in offered]:
        return Unusable(f"cgroup v2: {folder} has no controller {' and '.join(missing)}")
    if not all(os.access(folder / name, os.W_OK) for name in (".", "cgroup.procs", "cgroup.subtree_control")):
        return Unusable(f"cgroup v2: {folder} is not delegated to this user")
    return Hierarchies(2, {name: folder for name in (*NEEDED, *WELCOME) if name in offered})


def _first(mounts: Path) -> Hierarchies | Unusable:
    found: dict[str, Path] = {}
    for where, kind, options in mounted(mounts):
        if kind == "cgroup":
            found |= {name: where for name in (*NEEDED, *WELCOME) if name in options}
    if missing := [name for name in NEEDED if name not in found]:
        return Unusable(f"cgroup v1 has no hierarchy for {' and '.join(missing)}")
    usable = {name: where for name, where in found.items() if _may_make_groups(where)}
    if missing := [name for name in NEEDED if name not in usable]:
        return Unusable(f"cgroup v1: {' and '.join(str(found[name] / PARENT) for name in missing)} cannot be written")
    return Hierarchies(1, usable)


def _may_make_groups(hierarchy: Path) -> bool:
    """An administrator may have made our folder for this user; else this process has to be able to."""
    own = hierarchy / PARENT
    return os.access(own if own.is_dir() else hierarchy, os.W_OK | os.X_OK)


def mounted(mounts: Path) -> list[tuple[Path, str, list[str]]]:
    """Mount point, file system and its options, of all mounts."""
    found: list[tuple[Path, str, list[str]]] = []
    for line in mounts.read_text(errors="surrogateescape").splitlines():
        left, _, right = line.partition(" - ")
        place, system = left.split(), right.split()
        if len(place) > 4 and len(system) > 2:
            found.append((Path(place[4]), system[0], system[2].split(",")))
    return found
