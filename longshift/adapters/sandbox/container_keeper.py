"""Inside a container, as its first process: runs one command, and ends with it or with whoever asked for it.

Run as `python3 -IS keeper.py SOCKET` with the image's Python, 3.9 or newer; stdlib only, one file, one thread. The
other end is `container_launch.py` on the host: it sends what to run and the descriptors that become the command's input
and output, and is told the exit code. When it is gone, for whatever reason, so is this process, and the kernel ends
with the first process of a container all others in it.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import socket
import struct
import sys

TYPE_CHECKING = False  # `typing` itself would be a tenth of the start-up time
if TYPE_CHECKING:
    from typing import Any, NoReturn

LENGTH = struct.Struct("<Q")
"""Of the request, sent together with the descriptors; the request is JSON: argv, env, cwd, umask."""
STDIO = 3
EXIT = struct.Struct("<i")
"""The answer: how the command ended, as waitstatus_to_exitcode has it."""
EXEC_FAILED = 127
ABANDONED = 137
PR_SET_DUMPABLE = 4
END_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
RESET_SIGNALS = (*END_SIGNALS, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ)


def main(path: str) -> NoReturn:
    """Take the request, run the command, tell how it ended."""
    if os.getpid() != 1:
        sys.exit("the keeper is to be the first process of a container: it signals all that it sees")
    # The command has this process's user: it must not read its memory, take its descriptors or steer it.
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_DUMPABLE)")
    woken, wakes = os.pipe()
    for descriptor in (woken, wakes):
        os.set_blocking(descriptor, False)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    for number in (*END_SIGNALS, signal.SIGCHLD):
        signal.signal(number, lambda number, frame: None)
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(path)
        request, stdio = received(link)
        child = os.fork()
        if child == 0:
            become_command(request, stdio)
        for descriptor in stdio:
            os.close(descriptor)
        code = followed(child, link, woken)
        link.sendall(EXIT.pack(code))
    os._exit(code if code >= 0 else 128 - code)


def received(link: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """The request, and its descriptors."""
    head, stdio, _, _ = socket.recv_fds(link, LENGTH.size, STDIO)
    if len(stdio) != STDIO:
        os._exit(ABANDONED)
    body = b""
    (size,) = LENGTH.unpack(head)
    while len(body) < size:
        piece = link.recv(size - len(body))
        if not piece:
            os._exit(ABANDONED)
        body += piece
    return json.loads(body), stdio


def followed(child: int, link: socket.socket, woken: int) -> int:
    """Reap whatever ends until the command has; a request to end is passed on to all that runs here."""
    poller = select.poll()
    poller.register(link, select.POLLIN)
    poller.register(woken, select.POLLIN)
    while True:
        for descriptor, _ in poller.poll():
            if descriptor == link.fileno():
                os._exit(ABANDONED)  # nothing more is ever sent: this is its end
            if any(number in END_SIGNALS for number in os.read(woken, 4_096)):
                signal_all(signal.SIGTERM)
                signal_all(signal.SIGCONT)  # a stopped process takes the SIGTERM only when it goes on
        code = reaped(child)
        if code is not None:
            return code


def reaped(child: int) -> int | None:
    """Take the status of all that has ended; the command's exit code when it has."""
    code = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if pid == 0:
            return code
        if pid == child:
            code = os.waitstatus_to_exitcode(status)


def signal_all(number: int) -> None:
    """Signal every other process of the container."""
    try:
        os.kill(-1, number)
    except ProcessLookupError:
        return


def become_command(request: dict[str, Any], stdio: list[int]) -> NoReturn:
    """In the child: become the command; failing that, say why in its output and exit 127."""
    doing = "cannot prepare the command"
    try:
        signal.set_wakeup_fd(-1)
        for number in RESET_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        for number, descriptor in enumerate(stdio):
            os.dup2(descriptor, number)
        os.umask(request["umask"])
        doing = f"cannot enter the working directory {request['cwd']}"
        os.chdir(request["cwd"])
        doing = f"cannot run {request['argv'][0]!r}"
        os.execvpe(request["argv"][0], request["argv"], request["env"])
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        os.write(2, f"{doing}: {reason}\n".encode(errors="replace"))
    finally:
        os._exit(EXEC_FAILED)


if __name__ == "__main__":
    main(sys.argv[1])
