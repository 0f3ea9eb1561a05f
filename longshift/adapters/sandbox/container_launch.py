"""On the host: has the engine run one container for one command, and hands the command's input and output over to it.

Run as `python -IS container_launch.py MORE…`, with its request in the environment (`encoded`); what more there is goes
to the end of the command's arguments, as with other sandboxes. Stdlib only, one file, one thread. The container's first
process is `container_keeper.py`, to which this one gives what to run and the descriptors of its own input and output
over a unix socket: the engine sees neither the command nor its variables, and carries none of its output. The socket is
also what holds the container: it ends when this process does, even by SIGKILL.
"""

from __future__ import annotations

import fcntl
import json
import os
import resource
import select
import signal
import socket
import struct
import sys

TYPE_CHECKING = False  # `typing` itself would be a tenth of the start-up time
if TYPE_CHECKING:
    from typing import Any

VARIABLE = "LONGSHIFT_CONTAINER"
PIECE_CHARACTERS = 30_000
"""The kernel takes 128 KiB for each variable; a character has up to four bytes."""
SOCKET = "keeper.sock"
LOCK = "lock"
"""Held with flock(2) for as long as the container may live; the folder's own one while the locks in it are taken."""
MARKER = "SUPERVISED_RUN"
"""The supervisor's mark on what it has started, which the command is to carry."""
LENGTH = struct.Struct("<Q")
EXIT = struct.Struct("<i")
LIMITS = ("CORE", "CPU", "DATA", "FSIZE", "NOFILE", "NPROC")
"""Limits of this process that become the container's; an engine's defaults may be higher than it may set."""
ENGINE_FAILED = 125
KILLED = 137
COMPLAINT = "container: "
"""Begins the output of a command whose container could not be started."""
COMPLAINT_BYTES = 8_192
REMOVE_SECONDS = 20.0


def encoded(request: dict[str, Any]) -> dict[str, str]:
    """The variables that bring a request: arguments could be read by every user of the host."""
    text = json.dumps(request)
    pieces = [text[start : start + PIECE_CHARACTERS] for start in range(0, len(text), PIECE_CHARACTERS)]
    return {f"{VARIABLE}_{number}": piece for number, piece in enumerate(pieces)}


def decoded() -> dict[str, Any]:
    """The request in this process's environment."""
    pieces: list[str] = []
    while (piece := os.environ.get(f"{VARIABLE}_{len(pieces)}")) is not None:
        pieces.append(piece)
    return json.loads("".join(pieces))


def main() -> int:
    """Run the container; gives the command's exit code, 128 and more for a signal."""
    request = decoded()
    # Whoever asks for an end asks the engine's client as well, which passes it on; this process has to see the end.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, frame: None)
    os.makedirs(request["folder"], mode=0o700, exist_ok=True)
    os.chdir(request["folder"])
    gate = locked(".", waits=True)
    left = {name: lock for name in os.listdir(".") if name != LOCK and (lock := locked(name)) is not None}
    os.mkdir(request["name"], 0o700)
    locked(request["name"])
    os.close(gate or 0)
    for name, lock in left.items():
        sweep(request, name)
        os.close(lock)
    os.chdir(request["name"])
    try:
        return run(request)
    finally:
        os.chdir("..")
        forget(request["name"])


def run(request: dict[str, Any]) -> int:
    """Start the engine's client, hand the command over to the container, wait for both."""
    complaints, complaining = os.pipe()
    os.set_blocking(complaints, False)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(SOCKET)  # a relative path: the whole one may be longer than a socket's may be
        listener.listen(1)
        try:
            client = spawned([*request["client"], *limits(), *request["container"]], request["client_env"], complaining)
        except OSError as error:
            return complained(f"cannot run {request['client'][0]}: {error.strerror}")
        finally:
            os.close(complaining)
        ended = os.pidfd_open(client)
        ready = {descriptor for descriptor, _ in polled(listener.fileno(), ended)}
        if listener.fileno() not in ready:
            os.waitpid(client, 0)
            said = os.read(complaints, COMPLAINT_BYTES) if polled(complaints, milliseconds=0) else b""
            return complained(said.decode(errors="replace").strip() or "the engine started nothing and says nothing")
        link = listener.accept()[0]
    os.unlink(SOCKET)
    with link:
        code = handed_over(request, link)
    while ended not in {descriptor for descriptor, _ in polled(ended, complaints)}:
        if not os.read(complaints, COMPLAINT_BYTES):  # whoever writes there must not wait for room
            break
    os.waitpid(client, 0)
    return code if code >= 0 else 128 - code


def handed_over(request: dict[str, Any], link: socket.socket) -> int:
    """Give the command to the container's first process, and wait for how it ended."""
    umask = os.umask(0o077)
    marks = {MARKER: os.environ[MARKER]} if MARKER in os.environ else {}
    body = json.dumps(
        {
            "argv": [*request["argv"], *sys.argv[1:]],
            "env": {**request["env"], **marks},
            "cwd": request["cwd"],
            "umask": umask,
        }
    ).encode()
    try:
        socket.send_fds(link, [LENGTH.pack(len(body))], [0, 1, 2])
        link.sendall(body)
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):  # whoever reads the output sees its end when the command's copies are gone
            os.dup2(null, descriptor)
        answer = link.recv(EXIT.size, socket.MSG_WAITALL)
    except ConnectionError:
        answer = b""
    return EXIT.unpack(answer)[0] if len(answer) == EXIT.size else KILLED


def limits() -> list[str]:
    """This process's limits, as the engine's options."""
    found = {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}")) for name in LIMITS}
    with open("/proc/sys/kernel/pid_max", encoding="ascii") as file:
        most = int(file.read())  # Podman lowers its own to this, and could not give more to a container
    soft, hard = (value if 0 <= value < most else most for value in found["NPROC"])
    found["NPROC"] = soft, hard
    return [
        part
        for name, (soft, hard) in found.items()
        if (soft, hard) != (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        for part in ("--ulimit", f"{name.lower()}={soft}:{hard}")
    ]


def spawned(argv: list[str], environment: dict[str, str], output: int) -> int:
    """Start a program of the engine; its pid."""
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        return os.posix_spawn(
            argv[0],
            argv,
            environment,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, null, 0),
                (os.POSIX_SPAWN_DUP2, output, 1),
                (os.POSIX_SPAWN_DUP2, output, 2),
            ],
            setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),
        )
    finally:
        os.close(null)


def polled(*descriptors: int, milliseconds: int | None = None) -> list[tuple[int, int]]:
    """Wait for one of them to be readable or over."""
    poller = select.poll()
    for descriptor in descriptors:
        poller.register(descriptor, select.POLLIN)
    return poller.poll(milliseconds)


def complained(text: str) -> int:
    """Say why there is no container."""
    os.write(2, f"{COMPLAINT}{text}\n".encode(errors="replace"))
    return ENGINE_FAILED


def sweep(request: dict[str, Any], name: str) -> None:
    """Take away what an earlier process of this kind could not, because it was killed."""
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        client = spawned([*request["remove"], name], request["client_env"], null)
    except OSError:
        return  # the engine is gone: the command's own start will say so
    finally:
        os.close(null)
    ended = os.pidfd_open(client)
    is_over = bool(polled(ended, milliseconds=int(REMOVE_SECONDS * 1_000)))
    os.close(ended)
    if not is_over:
        os.kill(client, signal.SIGKILL)
    status = os.waitpid(client, 0)[1]
    if is_over and status == 0:
        forget(name)


def locked(name: str, *, waits: bool = False) -> int | None:
    """Take the lock of a folder; None where somebody has it, or there is no such folder."""
    try:
        lock = os.open(f"{name}/{LOCK}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def forget(name: str) -> None:
    """Remove a container's folder."""
    for file in (SOCKET, LOCK):
        try:
            os.unlink(f"{name}/{file}")
        except FileNotFoundError:
            continue
    try:
        os.rmdir(name)
    except OSError:
        return


if __name__ == "__main__":
    sys.exit(main())
