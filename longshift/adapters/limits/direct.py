"""Commands that are started without a supervisor, such as the search program: a shell puts them under their limits."""

from collections.abc import Mapping
from types import MappingProxyType

from longshift.adapters.sandbox.port import WrappedCommand

SHELL = "/bin/sh"
JOIN = 'for each in $1; do echo $$ > "$each/cgroup.procs" || exit 126; done; shift; '
UNITS: Mapping[str, tuple[str, int]] = MappingProxyType(
    {
        "NOFILE": ("ulimit -n {}", 1),
        "FSIZE": ("ulimit -f {}", 512),
        "CORE": ("ulimit -c {}", 512),
        "DATA": ("ulimit -d {}", 1_024),
        # One shell calls it u, another p.
        "NPROC": ("{{ ulimit -u {0} 2>/dev/null || ulimit -p {0}; }}", 1),
    }
)
"""Limit → how a shell of POSIX sets it, and its unit in bytes."""


def started_directly(wrapped: WrappedCommand) -> tuple[str, ...]:
    """The command line of a process that takes the command's limits, joins its groups and becomes it; adds about 1 ms.

    It ends with 126 when a group cannot be joined or a limit not be set. A limit that the host has set lower stays.

    Raises: ValueError, for a limit that a shell cannot set, or a group whose folder has a space in its name.
    """
    if unknown := sorted(wrapped.limits.keys() - UNITS.keys()):
        raise ValueError(f"no shell can set the limit {unknown[0]}")
    if any(len(folder.split()) != 1 for folder in wrapped.cgroups):
        raise ValueError("the folder of a control group has a space in its name")
    if not wrapped.cgroups and not wrapped.limits:
        return wrapped.argv
    limits = "".join(f"{_setting(name, value)} || exit 126; " for name, value in wrapped.limits.items())
    return (SHELL, "-c", f'{JOIN}{limits}exec "$@"', SHELL, " ".join(wrapped.cgroups), *wrapped.argv)


def _setting(name: str, value: int) -> str:
    command, unit = UNITS[name]
    return command.format(value // unit)
