"""Who keeps sessions to their limits on this host: control groups where they can be had, else limits of processes.

What was chosen is said in the worker's log and by `doctor`; what was demanded and cannot be had is refused.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from longshift.adapters.limits.control_groups import ControlGroups
from longshift.adapters.limits.hierarchies import Hierarchies, Unusable, find_hierarchies, take_over
from longshift.adapters.limits.host_size import HostSize
from longshift.adapters.limits.session_limits import SessionLimits
from longshift.contracts.errors import HostError

Demand = Literal["auto", "cgroup", "rlimits"]
REMEDY = (
    "cgroup v2: run the worker in a container with a writable control group of its own, or as a unit of systemd 254 or"
    " later with Delegate=yes and DelegateSubgroup=longshift-worker; v1: as root, or with a folder `longshift` of this"
    " user's in the pids, memory and cpu hierarchies"
)


@dataclass(frozen=True)
class Enforcement:
    """Who keeps sessions to their limits."""

    found: Hierarchies | None
    """None: limits of processes, and the watchdog."""
    why: str = ""
    """Why there are no control groups."""

    @property
    def name(self) -> str:
        """As the log and `doctor` say it."""
        if self.found is None:
            return "limits of processes and a watchdog"
        return f"cgroup v{self.found.version} ({', '.join(sorted(self.found.folders))})"

    @property
    def gap(self) -> str:
        """What this cannot do."""
        if self.found is not None:
            return "" if "cpu" in self.found.folders else "no share of processor time"
        root = "; the kernel limits no processes of root's" if os.geteuid() == 0 else ""
        return f"checked about once a second, no share of processor time{root}"


def choose(demand: Demand, look: Hierarchies | Unusable | None = None) -> Enforcement:
    """Look, change nothing.

    Raises: HostError, when control groups are demanded and cannot be had.
    """
    if demand == "rlimits":
        return Enforcement(None, "session_limits is rlimits")
    found = find_hierarchies() if look is None else look
    if isinstance(found, Hierarchies):
        return Enforcement(found)
    if demand == "cgroup":
        raise HostError(f"session_limits is cgroup, but control groups cannot be made: {found.why}. {REMEDY}")
    return Enforcement(None, found.why)


def control_groups(
    enforcement: Enforcement, limits: SessionLimits, owner: Path, host: HostSize
) -> ControlGroups | None:
    """The control groups that were found, ready for use; None for limits of processes.

    Raises: HostError, when the kernel refuses them after all.
    """
    if enforcement.found is None:
        return None
    try:
        take_over(enforcement.found)
    except OSError as error:
        raise HostError(
            f"control groups were found, but the kernel refuses them: {error}. {REMEDY}; or set"
            " LONGSHIFT_SESSION_LIMITS=rlimits"
        ) from error
    return ControlGroups(enforcement.found, limits, owner, host)
