"""Which system calls containers of Podman have: those of its own profile, but none that makes or enters namespaces.

Docker's own profile leaves these out already. Podman's lets containers nest, and a namespace of its own gives a command
the parts of the kernel that are meant for root.
"""

import json
from pathlib import Path
from typing import Any, Final

from longshift.contracts.errors import HostError

REFUSED: Final = frozenset(
    (
        *("unshare", "setns", "pivot_root", "chroot"),
        *("mount", "umount", "umount2", "mount_setattr", "move_mount", "open_tree", "fsconfig", "fsmount", "fsopen"),
        *("fspick", "keyctl", "add_key", "request_key"),
    )
)
"""Namespaces, mounts, and the keys of the kernel, which belong to a user and not to a container."""
_NAMESPACES: Final = 0x7E020000
"""The flags of clone(2) that make one."""
_NO_SUCH_CALL: Final = 38
_NOT_PERMITTED: Final = 1
_CLONE: Final = ("clone", "clone3")


def without_namespaces(profile: dict[str, Any]) -> dict[str, Any]:
    """A profile in the form of Docker and Podman, with less allowed."""
    refused = REFUSED | set(_CLONE)
    rules = [{**rule, "names": [name for name in rule["names"] if name not in refused]} for rule in profile["syscalls"]]
    # Its flags are behind a pointer, where no filter sees them: programs fall back to clone.
    own = [
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": _NO_SUCH_CALL},
        {"names": sorted(REFUSED), "action": "SCMP_ACT_ERRNO", "errnoRet": _NOT_PERMITTED},
        {
            "names": ["clone"],
            "action": "SCMP_ACT_ALLOW",
            "args": [{"index": 0, "value": _NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}],
        },
    ]
    return {**profile, "syscalls": [*(rule for rule in rules if rule["names"]), *own]}


def seccomp_profile(path: str) -> str:
    """The text of the profile for containers of an engine that has its own one in `path`.

    Raises:
        HostError: the engine's cannot be read, or is none.
    """
    try:
        return json.dumps(without_namespaces(json.loads(Path(path).read_bytes())))
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise HostError(
            f"container_program: the list of system calls of podman's containers, {path or 'which it does not name'}, "
            f"cannot be used: {error}; install it (`apt-get install containers-common`)"
        ) from error
