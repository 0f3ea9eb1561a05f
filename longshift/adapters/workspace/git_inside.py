"""Runs git inside the sandbox, one call after the other or side by side, until whoever started it is gone.

Run as `python -IS git_inside.py LIMITS`, a JSON object, with one end of a SOCK_SEQPACKET pair as its stdin; stdlib
only, one file, one thread. A call is a message of one byte with descriptors: the call's own socket, git's stdin, stdout
and stderr, then what git keeps open. The call's socket brings the request (its length in four bytes, then JSON with
`arguments`, `cwd` and `environment`) and takes the answer: a plus sign once git has begun, then JSON with `exit_code`
or `error`, then its end. When the other end stops sending, the call was given up: git is killed with all that it has
started.
"""

from __future__ import annotations

import contextlib
import ctypes
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

READY = b"ready"
"""Sent once, before the first call is read."""
CALL = b"c"
STARTED = b"+"
"""Sent before the answer: without it git has never begun, and may be started again elsewhere."""
LENGTH = struct.Struct("<I")
DESCRIPTORS_LIMIT = 32
STDIO = 3
PR_SET_CHILD_SUBREAPER = 36
LOOKS = 20
LOOK_MILLISECONDS = 20
"""The kernel's list of children may lack some while others end (proc(5)): so it is read again."""
RESET_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ)
"""Python ignores them; git must not."""


def main() -> None:
    """Take calls until the other end is closed."""
    _limit(json.loads(sys.argv[1]))
    # What git has started and left behind becomes a child of this process, and is found.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    woken, wakes = os.pipe()
    for descriptor in (woken, wakes):
        os.set_blocking(descriptor, False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    with socket.socket(fileno=os.dup(0)) as calls:
        _silence(0)
        calls.send(READY)
        _serve(calls, woken)


def _serve(calls: socket.socket, woken: int) -> None:
    running: dict[int, socket.socket] = {}
    poll = select.poll()
    poll.register(calls, select.POLLIN)
    poll.register(woken, select.POLLIN)
    looks = 0
    while True:
        ready = poll.poll(LOOK_MILLISECONDS if looks else None)
        looks = _looked(running, looks)
        for descriptor, _ in ready:
            if descriptor == calls.fileno():
                message, descriptors, _, _ = socket.recv_fds(calls, 1, DESCRIPTORS_LIMIT, socket.MSG_CMSG_CLOEXEC)
                if not message:
                    _end(running)
                    return
                own = socket.socket(fileno=descriptors[0])
                pid = _begun(own, descriptors[1:])
                if pid is not None:
                    running[pid] = own
                    poll.register(own, select.POLLIN)
            elif descriptor == woken:
                with contextlib.suppress(BlockingIOError):
                    os.read(woken, 4_096)
                for pid, status in _ended():
                    if pid in running:
                        own = running.pop(pid)
                        poll.unregister(own)
                        _kill_strays(running)
                        looks = LOOKS
                        _answer(own, {"exit_code": os.waitstatus_to_exitcode(status)})
                _kill_strays(running)
            else:
                for pid, own in running.items():
                    if own.fileno() == descriptor:
                        _kill_group(pid)
                        poll.unregister(own)
                        poll.register(own, 0)


def _begun(own: socket.socket, descriptors: list[int]) -> int | None:
    """Start git; its pid, or None when that was answered already."""
    try:
        request = _request(own)
        environment = request["environment"]
        program = _program(environment)
        try:
            os.chdir(request["cwd"])
        except OSError as error:
            _answer(own, {"error": f"{request['cwd']} cannot be entered in the sandbox: {error.strerror}"})
            return None
        for descriptor in descriptors[STDIO:]:
            os.set_inheritable(descriptor, True)
        pid = os.posix_spawn(
            program,
            ["git", *request["arguments"]],
            environment,
            file_actions=[(os.POSIX_SPAWN_DUP2, descriptors[number], number) for number in range(STDIO)],
            setsid=True,
            setsigdef=RESET_SIGNALS,
        )
        with contextlib.suppress(OSError):
            own.send(STARTED, socket.MSG_NOSIGNAL)
        return pid
    except (OSError, EOFError) as error:
        _answer(own, {"error": f"git cannot be started in the sandbox: {error}"})
        return None
    finally:
        os.chdir("/")
        for descriptor in descriptors:
            os.close(descriptor)


def _request(own: socket.socket) -> dict[str, Any]:
    (size,) = LENGTH.unpack(_read(own, LENGTH.size))
    return json.loads(_read(own, size))


def _read(own: socket.socket, size: int) -> bytes:
    chunks: list[bytes] = []
    while size:
        chunk = own.recv(min(size, 1_048_576))
        if not chunk:
            raise EOFError("the request was cut off")
        chunks.append(chunk)
        size -= len(chunk)
    return b"".join(chunks)


def _program(environment: dict[str, str]) -> str:
    for folder in os.get_exec_path(environment):
        path = os.path.join(folder, "git")
        if os.access(path, os.X_OK):
            return path
    raise FileNotFoundError(f"there is no git in {environment.get('PATH', '')}")


def _answer(own: socket.socket, answer: dict[str, object]) -> None:
    with contextlib.suppress(OSError):
        own.send(json.dumps(answer).encode(), socket.MSG_NOSIGNAL)
    own.close()


def _ended() -> list[tuple[int, int]]:
    """Pid and status of every child that has ended."""
    ended: list[tuple[int, int]] = []
    with contextlib.suppress(ChildProcessError):
        while (one := os.waitpid(-1, os.WNOHANG))[0]:
            ended.append(one)
    return ended


def _looked(running: dict[int, socket.socket], looks: int) -> int:
    """Look for strays while there may be some; how often that is still to be done."""
    if looks:
        _kill_strays(running)
    return max(0, looks - 1) if running or _has_children() else 0


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _kill_strays(running: dict[int, socket.socket]) -> None:
    """Kill what became a child of this process because its git has ended."""
    with contextlib.suppress(OSError), open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        for pid in map(int, file.read().split()):
            if pid not in running:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def _end(running: dict[int, socket.socket]) -> None:
    for pid in running:
        _kill_group(pid)
    while running:
        try:
            running.pop(os.waitpid(-1, 0)[0], None)
        except ChildProcessError:
            return
        _kill_strays(running)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _limit(limits: dict[str, int]) -> None:
    for name, value in limits.items():
        kind = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


def _silence(descriptor: int) -> None:
    """The socket must not be git's stdin by accident."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, descriptor)
    os.close(null)


if __name__ == "__main__":
    main()
