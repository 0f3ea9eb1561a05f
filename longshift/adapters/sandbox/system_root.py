"""What a sandboxed command sees of the system: programs, a few files of /etc, and an identity that is made up.

No folder of /etc is shown whole that may hold keys: as root a command could read them.
"""

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

from longshift.adapters.sandbox import readable

USER: Final = "agent"
HOST_NAME: Final = "sandbox"
HOME: Final = "/run/longshift/home"
"""Leads to the home of the workspace, so that one `/etc/passwd` does for all of them."""
UID_OF_ROOT: Final = 1000
"""Root's commands see themselves as this user: tar and others behave differently for root, which they are not."""
_TOP: Final = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_ETC: Final = (
    "alternatives",
    "ca-certificates.conf",
    "crypto-policies",
    "debian_version",
    "fonts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "locale.alias",
    "localtime",
    "magic",
    "magic.mime",
    "maven",
    "mime.types",
    "os-release",
    "perl",
    "pki/ca-trust/extracted",
    "pki/tls/cert.pem",
    "pki/tls/certs",
    "pki/tls/openssl.cnf",
    "protocols",
    "services",
    "ssl/cert.pem",
    "ssl/certs",
    "ssl/openssl.cnf",
    "terminfo",
    "timezone",
)
_ETC_GLOBS: Final = ("java-*", "python3*")
_PROC: Final = ("sys", "bus", "fs", "irq", "sysrq-trigger")
"""Settings of the whole host, which root may write as their owner even without any capability."""
_FILES: Final = ("group", "hosts", "nsswitch.conf", "passwd")


def identity() -> tuple[str, ...]:
    """Arguments that say as whom a command sees itself; outside it stays the worker's user."""
    return () if os.getuid() else ("--uid", str(UID_OF_ROOT), "--gid", str(UID_OF_ROOT))


def write_files(folder: Path) -> None:
    """Write the files of /etc that are made up; other processes may read them meanwhile."""
    uid = os.getuid() or UID_OF_ROOT
    gid = os.getgid() if os.getuid() else UID_OF_ROOT
    nobody = "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin"
    texts = {
        "passwd": f"{USER}:x:{uid}:{gid}:{USER}:{HOME}:/bin/bash\n{nobody}\n",
        "group": f"{USER}:x:{gid}:\nnogroup:x:65534:\n",
        "hosts": f"127.0.0.1 localhost {HOST_NAME}\n::1 localhost\n",
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        path = folder / name
        if not path.is_file() or path.read_text() != text:
            part = folder / f".{name}.{os.getpid()}"
            part.write_text(text)
            part.chmod(0o644)
            part.replace(path)


def shown() -> tuple[str, ...]:
    """Folders of the host that every command sees whole."""
    return ("/usr", *(f"/{name}" for name in _TOP if _is_folder(f"/{name}")))


def arguments(folder: Path, home: str, *, shown: Sequence[str]) -> tuple[str, ...]:
    """Arguments for the root of the file system; `shown` are the paths that are bound besides."""
    made = (part for name in _FILES for part in ("--ro-bind", str(folder / name), f"/etc/{name}"))
    # Programs that look for it by name find the one that is there, unless the data directory lies below.
    var_tmp = () if any(readable.is_within(path, "/var/tmp") for path in shown) else ("--symlink", "/tmp", "/var/tmp")
    return (*_host_part(), *made, "--proc", "/proc", *_proc_part(), "--symlink", home, HOME, *var_tmp)


@cache
def _host_part() -> tuple[str, ...]:
    """What is the same for every command. Packages that are installed later on are seen by the next worker."""
    parts = ["--ro-bind", "/usr", "/usr"]
    for name in _TOP:
        if os.path.islink(f"/{name}"):
            parts += ["--symlink", os.readlink(f"/{name}"), f"/{name}"]
        elif os.path.isdir(f"/{name}"):
            parts += ["--ro-bind", f"/{name}", f"/{name}"]
    found = sorted({*_ETC, *(path.name for pattern in _ETC_GLOBS for path in Path("/etc").glob(pattern))})
    for name in found:
        if os.path.exists(f"/etc/{name}"):
            parts += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    return tuple(parts)


@cache
def _proc_part() -> tuple[str, ...]:
    names = [name for name in _PROC if os.path.exists(f"/proc/{name}")]
    return tuple(part for name in names for part in ("--ro-bind", f"/proc/{name}", f"/proc/{name}"))


def _is_folder(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)
