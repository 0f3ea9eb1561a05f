"""The attacks that a sandbox has to stop, as a program for inside of it: stdlib only, one file.

Run as `python -IS -c SOURCE PLACES` (JSON, see `probe.Planted`); prints what each attack reached, as JSON by name.
Whatever refuses is an OSError. Bombs are not here: what stops them are limits.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import socket
import stat
import sys

TYPE_CHECKING = False  # `typing` would be a tenth of the time
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Attack = Callable[[dict[str, Any]], str]
    """Gives what it reached, in a few words; empty or an OSError when it was stopped."""

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
MNT_DETACH = 2


def environment(places: dict[str, Any]) -> str:
    """Find a secret of the worker in the own environment."""
    return "a secret of the worker" if places["secret"] in os.environ.values() else ""


def file_beside(places: dict[str, Any]) -> str:
    """Read a file beside the workspace, by its name and by a link."""
    with contextlib.suppress(FileExistsError):
        os.symlink(places["file"], "link")
    for path in (places["file"], "link"):
        with contextlib.suppress(OSError), open(path, encoding="utf-8") as file:
            return path if places["secret"] in file.read() else ""
    return ""


def file_through_proc(places: dict[str, Any]) -> str:
    """Read that file through the roots of other processes."""
    for pid in os.listdir("/proc"):
        if pid.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{pid}/root{places['file']}", encoding="utf-8") as file:
                if places["secret"] in file.read():
                    return f"/proc/{pid}/root"
    return ""


def process_environment(places: dict[str, Any]) -> str:
    """Read the environment of a process of the host, or of any other."""
    for pid in (str(places["pid"]), *os.listdir("/proc")):
        if pid.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:
                if places["secret"].encode() in file.read():
                    return f"/proc/{pid}/environ"
    return ""


def process_list(places: dict[str, Any]) -> str:
    """See the processes of the host."""
    return "its process namespace" if os.readlink("/proc/self/ns/pid") == places["pid_namespace"] else ""


def process_signal(places: dict[str, Any]) -> str:
    """Signal a process of the host."""
    os.kill(places["pid"], 0)
    return f"process {places['pid']}"


def write_beside(places: dict[str, Any]) -> str:
    """Write beside the workspace."""
    with open(places["outside"] + "/written", "w", encoding="utf-8") as file:
        file.write("written")
    return places["outside"]


def write_system(places: dict[str, Any]) -> str:
    """Write among the system's programs and settings."""
    del places
    for folder in ("/usr/bin", "/usr/lib", "/etc"):
        path = f"{folder}/.longshift-probe-{os.getpid()}"
        with contextlib.suppress(OSError):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
            os.unlink(path)
            return folder
    return ""


def kernel_settings(places: dict[str, Any]) -> str:
    """Open a setting of the host's kernel for writing."""
    del places
    for place, _, names in (*os.walk("/proc/sys"), *os.walk("/proc/irq"), ("/proc", [], ["sysrq-trigger"])):
        for name in names:
            with contextlib.suppress(OSError):
                os.close(os.open(f"{place}/{name}", os.O_WRONLY | os.O_NONBLOCK))
                return f"{place}/{name}"
    return ""


def loopback(places: dict[str, Any]) -> str:
    """Connect to a service on the host's loopback."""
    with socket.create_connection(("127.0.0.1", places["port"]), timeout=2):
        return f"127.0.0.1:{places['port']}"


def interfaces(places: dict[str, Any]) -> str:
    """Find a network besides the own loopback."""
    del places
    return ", ".join(name for _, name in socket.if_nameindex() if name != "lo")


def unix_socket(places: dict[str, Any]) -> str:
    """Connect to a socket that lies in the file system."""
    with socket.socket(socket.AF_UNIX) as connection:
        os.chdir(os.path.dirname(places["socket"]))  # a socket's name is short
        connection.connect(os.path.basename(places["socket"]))
    return places["socket"]


def abstract_socket(places: dict[str, Any]) -> str:
    """Connect to a socket that has only a name."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect("\0" + places["abstract"])
    return places["abstract"]


def capabilities(places: dict[str, Any]) -> str:
    """Hold rights of root."""
    del places
    held = {name: _status(name) for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")}
    return ", ".join(f"{name} {value}" for name, value in held.items() if int(value, 16))


def new_rights(places: dict[str, Any]) -> str:
    """Gain rights by a program that is set to run as somebody else."""
    del places
    return "setuid programs work" if _status("NoNewPrivs") == "0" else ""


def user_namespace(places: dict[str, Any]) -> str:
    """Become root in a user namespace of its own."""
    del places
    return "a user namespace" if _in_child(lambda: _called("unshare", CLONE_NEWUSER)) else ""


def mount(places: dict[str, Any]) -> str:
    """Mount a file system, as who one is or as root of a user namespace."""
    del places
    os.makedirs("mounted", exist_ok=True)

    def mounted() -> bool:
        if _called("unshare", CLONE_NEWUSER | CLONE_NEWNS):
            return _called("mount", b"probe", b"mounted", b"tmpfs", 0, None)
        done = _called("mount", b"probe", b"mounted", b"tmpfs", 0, None)
        return done and _called("umount2", b"mounted", MNT_DETACH)

    return "a mount" if _in_child(mounted) else ""


def devices(places: dict[str, Any]) -> str:
    """Open a disk, or the memory of the machine."""
    del places
    for name in os.listdir("/dev"):
        with contextlib.suppress(OSError):
            if name in ("mem", "kmem", "port") or stat.S_ISBLK(os.stat(f"/dev/{name}").st_mode):
                os.close(os.open(f"/dev/{name}", os.O_RDONLY | os.O_NONBLOCK))
                return f"/dev/{name}"
    return ""


ATTACKS: dict[str, Attack] = {
    attack.__name__.replace("_", "-"): attack
    for attack in (
        *(environment, file_beside, file_through_proc, process_environment, process_list, process_signal),
        *(write_beside, write_system, kernel_settings, loopback, interfaces, abstract_socket),
        *(capabilities, new_rights, user_namespace, mount, devices, unix_socket),
    )
}
"""By name. The last one changes its folder."""


def _status(name: str) -> str:
    with open("/proc/self/status", encoding="ascii") as file:
        return next(line.split()[1] for line in file if line.startswith(f"{name}:"))


def _called(name: str, *arguments: object) -> bool:
    return getattr(ctypes.CDLL(None), name)(*arguments) == 0


def _in_child(act: Callable[[], bool]) -> bool:
    """Whether it succeeds; what it changes ends with the child."""
    child = os.fork()
    if child == 0:
        os._exit(0 if act() else 1)
    return os.waitpid(child, 0)[1] == 0


def main(places: dict[str, Any]) -> None:
    """Try all attacks."""
    reached: dict[str, str] = {}
    for name, attack in ATTACKS.items():
        try:
            reached[name] = attack(places)
        except OSError:
            reached[name] = ""
    json.dump(reached, sys.stdout)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
