"""Free ports on this host: the well-known ones if they are free, others if not."""

import socket
from dataclasses import replace
from typing import Protocol

from longshift.adapters.engine.command import HOST, EnginePorts

FRONTEND_PORT = 7233
UI_PORT = 8233


class ChoosePorts(Protocol):
    """How an engine gets its ports."""

    def __call__(self, *, frontend: int | None, ui: bool) -> EnginePorts:
        """Ports that were free a moment ago."""
        ...


def choose_ports(*, frontend: int | None = None, ui: bool = True) -> EnginePorts:
    """Ports that were free a moment ago; a `frontend` that is given is taken as it is."""
    held: list[socket.socket] = []
    try:
        chosen = frontend if frontend is not None else _free(FRONTEND_PORT, held)
        return EnginePorts(frontend=chosen, http=_free(0, held), ui=_free(UI_PORT, held) if ui else None)
    finally:
        for each in held:
            each.close()


def with_fresh_http(ports: EnginePorts) -> EnginePorts:
    """The same for clients and people; the port that only the supervisor uses may have been taken by a connection."""
    held: list[socket.socket] = []
    try:
        return replace(ports, http=_free(ports.http, held))
    finally:
        for each in held:
            each.close()


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` now."""
    held: list[socket.socket] = []
    try:
        return _bound(port, held) is not None
    finally:
        for each in held:
            each.close()


def _free(wanted: int, held: list[socket.socket]) -> int:
    return _bound(wanted, held) or _bound(0, held) or wanted


def _bound(port: int, held: list[socket.socket]) -> int | None:
    """The port, kept until all are chosen so that two questions never get the same answer."""
    probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    held.append(probe)
    # As the server does it: a port in TIME_WAIT is free, one that is listened on is not.
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind((HOST, port))
    except OSError:
        return None
    return int(probe.getsockname()[1])
