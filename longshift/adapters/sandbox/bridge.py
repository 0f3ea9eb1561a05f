"""Inside the sandbox: lets programs that know HTTP proxies reach the one outside, then becomes the command.

Run as `python -IS -c TEXT SOCKET COMMAND…`, with this file's text; stdlib only. It listens on 127.0.0.1, leaves a
process behind that passes every connection on to the unix socket, says so in the usual variables, and is replaced by
the command: signals and exit code are the command's own. The process left behind ends with the sandbox, or with the
supervisor's subtree where there is none.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys

TYPE_CHECKING = False  # `typing` itself would be a tenth of the start-up time
if TYPE_CHECKING:
    from typing import NoReturn

PORT = 3128
"""Of the listener, unless somebody has it, as may be where there is no sandbox."""
CONNECTIONS = 256
PIECE_BYTES = 65_536
EXEC_FAILED = 127
VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
LOCAL = "localhost,127.0.0.1,::1"
"""What is asked directly: servers that the command itself runs, inside the sandbox."""


class Direction:
    """What one socket gives and the other one gets; never more than a piece is held."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source = source
        self.sink = sink
        self.held = b""
        self.is_over = False

    def move(self) -> None:
        """Send what is held, else take more; where one of the two is gone, it is over."""
        if self.is_over:
            return
        try:
            if not self.held:
                self.held = self.source.recv(PIECE_BYTES)
            if self.held:
                self.held = self.held[self.sink.send(self.held) :]
            else:
                self.end()
        except BlockingIOError:
            return
        except OSError:
            self.end()

    def end(self) -> None:
        """Give nothing more, and let the other end know."""
        self.is_over, self.held = True, b""
        try:  # noqa: SIM105 contextlib would be a tenth of the start-up time
            self.sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class Bridge:
    """All connections of one command."""

    def __init__(self, listener: socket.socket, path: str) -> None:
        self._listener = listener
        self._path = path
        self._poller = select.poll()
        self._pairs: dict[int, tuple[Direction, Direction]] = {}

    def run(self) -> NoReturn:
        """Serve until somebody ends this process."""
        self._poller.register(self._listener, select.POLLIN)
        while True:
            for descriptor, events in self._poller.poll():
                if descriptor == self._listener.fileno():
                    self._accept()
                elif descriptor in self._pairs:
                    self._move(descriptor, has_hung_up=bool(events & (select.POLLHUP | select.POLLERR)))

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:
            return
        try:
            server = connected(self._path)
        except OSError:
            client.close()
            return
        for end in (client, server):
            end.setblocking(False)
        pair = Direction(client, server), Direction(server, client)
        self._pairs[client.fileno()] = self._pairs[server.fileno()] = pair
        self._watch(pair)

    def _move(self, descriptor: int, *, has_hung_up: bool) -> None:
        pair = self._pairs[descriptor]
        for direction in pair:
            direction.move()
        # Who has hung up and given all that it had takes nothing more either; the poll would not rest.
        is_gone = has_hung_up and any(each.is_over and each.source.fileno() == descriptor for each in pair)
        if not is_gone and not all(direction.is_over for direction in pair):
            return self._watch(pair)
        for direction in pair:
            self._pairs.pop(direction.source.fileno())
            self._unwatch(direction.source)
            direction.source.close()
        return self._limit()

    def _watch(self, pair: tuple[Direction, Direction]) -> None:
        there, back = pair
        for direction, other in ((there, back), (back, there)):
            wanted = 0 if direction.is_over or direction.held else select.POLLIN
            wanted |= select.POLLOUT if other.held else 0
            if wanted:
                self._poller.register(direction.source, wanted)
            else:
                self._unwatch(direction.source)
        self._limit()

    def _unwatch(self, end: socket.socket) -> None:
        """Not even its hanging up is looked for, which cannot be turned off otherwise."""
        try:  # noqa: SIM105
            self._poller.unregister(end)
        except KeyError:
            pass

    def _limit(self) -> None:
        has_room = len(self._pairs) < 2 * CONNECTIONS
        self._poller.register(self._listener, select.POLLIN if has_room else 0)


def connected(path: str) -> socket.socket:
    """A connection to a unix socket, however long its path is."""
    folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    end = socket.socket(socket.AF_UNIX)
    try:
        end.connect(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
    except OSError:
        end.close()
        raise
    finally:
        os.close(folder)
    return end


def listening() -> socket.socket:
    """A listener on the usual port, or on a free one."""
    for port in (PORT, 0):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            listener.close()
            continue
        listener.listen(CONNECTIONS)
        listener.setblocking(False)
        return listener
    raise OSError("no port of 127.0.0.1 is free")


def stay(listener: socket.socket, path: str) -> None:
    """Serve from a process that is nobody's child: the command waits for its own children only."""
    child = os.fork()
    if child == 0:
        if os.fork() != 0:
            os._exit(0)
        try:
            os.setsid()
            null = os.open("/dev/null", os.O_RDWR)
            for descriptor in range(3):  # else whoever reads the command's output would wait for this process too
                os.dup2(null, descriptor)
            os.chdir("/")
            signal.signal(signal.SIGPIPE, signal.SIG_IGN)
            Bridge(listener, path).run()
        finally:
            os._exit(1)
    os.waitpid(child, 0)


def main(path: str, *command: str) -> NoReturn:
    """Listen, leave the bridge behind, become the command; failing that, say why and exit with 127."""
    try:
        listener = listening()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        stay(listener, path)
        listener.close()
        environment = {**os.environ, **dict.fromkeys(VARIABLES, url), "no_proxy": LOCAL, "NO_PROXY": LOCAL}
        environment["NODE_USE_ENV_PROXY"] = "1"
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and a command would inherit that
        os.execvpe(command[0], command, environment)
    except OSError as error:
        os.write(2, f"cannot run {command[0]!r} with a network: {error.strerror or error}\n".encode(errors="replace"))
    os._exit(EXEC_FAILED)


if __name__ == "__main__":
    main(*sys.argv[1:])
