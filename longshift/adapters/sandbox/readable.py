"""Which paths of the host a sandbox may show besides the system's: never what holds secrets, nor what leads there."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from longshift.contracts.errors import BadInput

_SECRETS: Final = (
    "/boot",
    "/dev",
    "/etc/shadow",
    "/etc/ssh",
    "/etc/ssl/private",
    "/home",
    "/proc",
    "/root",
    "/run",
    "/sys",
    "/tmp",
    "/var/lib",
    "/var/run",
)
"""Never shown, nor anything that contains them."""
_WITHIN: Final = ("/dev", "/etc/ssh", "/etc/ssl/private", "/proc", "/run", "/sys", "/var/run")
"""Nothing in these is shown either."""
_OF_A_USER: Final = (
    ".aws",
    ".azure",
    ".config",
    ".docker",
    ".git-credentials",
    ".gnupg",
    ".kube",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".ssh",
)


def is_within(path: str, other: str) -> bool:
    """Whether `path` is `other` or lies in it; both are absolute."""
    return path == other or path.startswith(other.rstrip("/") + "/")


def outermost(paths: Iterable[str], around: Sequence[str]) -> tuple[str, ...]:
    """Those of these absolute paths that lie neither in another one nor in one of `around`."""
    found: list[str] = []
    for path in sorted({os.path.normpath(each) for each in paths}, key=len):
        if not any(is_within(path, other) for other in (*around, *found)):
            found.append(path)
    return tuple(found)


def refuse_secret(path: str, hidden: Sequence[Path]) -> None:
    """Refuse a path that is not there, is or contains a secret, or lies in one.

    Raises:
        BadInput: it cannot be shown to commands.
    """
    if not os.path.isabs(path) or not os.path.exists(path):
        raise BadInput(f"sandbox_readable: {path} does not exist; name folders by their absolute paths")
    home = os.path.expanduser("~")
    homes = [os.path.join(home, name) for name in _OF_A_USER] if os.path.isabs(home) else []
    ours = [str(each) for each in hidden]
    for form in {os.path.normpath(path), os.path.realpath(path)}:
        for secret in (*_SECRETS, home, *homes, *ours):
            if any(is_within(each, form) for each in (secret, os.path.realpath(secret))):
                raise BadInput(f"sandbox_readable: {path} would show {secret} to commands; name the folders you need")
        for secret in (*_WITHIN, *homes, *ours):
            if any(is_within(form, each) for each in (secret, os.path.realpath(secret))):
                raise BadInput(f"sandbox_readable: {path} lies in {secret}, which no command may read")


def refuse_exposed(hidden: Sequence[Path]) -> None:
    """Refuse a data directory or a file of secrets that lies where every command can read.

    Raises:
        BadInput: it has to be elsewhere.
    """
    for path in hidden:
        if is_within(os.path.realpath(path), "/usr"):
            raise BadInput(f"data_dir: {path} lies in /usr, which every command can read; choose another place")
