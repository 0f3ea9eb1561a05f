"""Why bubblewrap does not work on a host, from what it says and what the kernel's settings are; and what to do."""

from pathlib import Path
from typing import Final

OTHERWISE: Final = 'or spell out sandbox = "none" (LONGSHIFT_SANDBOX=none) on a host that you can lose'
INSTALL: Final = f"install bubblewrap 0.8 or newer (`apt-get install bubblewrap`), {OTHERWISE}"
_SETTINGS: Final = (
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "AppArmor forbids user namespaces to ordinary users: allow them to bwrap by a profile with `userns,`, "
        "or to all by `sysctl kernel.apparmor_restrict_unprivileged_userns=0`",
    ),
    (
        "kernel/unprivileged_userns_clone",
        "0",
        "the kernel forbids user namespaces to ordinary users: `sysctl kernel.unprivileged_userns_clone=1`",
    ),
    ("user/max_user_namespaces", "0", "user namespaces are switched off: `sysctl user.max_user_namespaces=15000`"),
)
_CONTAINER: Final = (
    "a container's seccomp profile, AppArmor or masked /proc forbids it: run the host outside of containers, or its "
    "container with --security-opt seccomp=unconfined --security-opt apparmor=unconfined "
    "--security-opt systempaths=unconfined"
)


def remedy(complaint: str, *, settings: Path = Path("/proc/sys"), root: Path = Path("/")) -> str:
    """What to do about bubblewrap's complaint; `settings` and `root` are where this host's are looked for."""
    if "Unknown option" in complaint:
        return f"bubblewrap is too old: {INSTALL}"
    if "namespace" in complaint or "uid map" in complaint or "Can't mount proc" in complaint:
        for name, value, text in _SETTINGS:
            if _read(settings / name) == value:
                return f"{text}; {OTHERWISE}"
        if _is_container(root) or "mount proc" in complaint:
            return f"{_CONTAINER}; {OTHERWISE}"
    return f"`longshift doctor` tries it again; {OTHERWISE}"


def _is_container(root: Path) -> bool:
    marks = (root / ".dockerenv", root / "run" / ".containerenv", root / "run" / "secrets" / "kubernetes.io")
    return any(mark.exists() for mark in marks)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""
