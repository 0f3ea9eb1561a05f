"""Gives commands their way to the proxy, in whatever backend: the bridge starts them. The rest is the backend's."""

import inspect
import os
import sys
from dataclasses import replace

from longshift.adapters.sandbox import bridge
from longshift.adapters.sandbox.port import Sandbox, SandboxCommand, WrappedCommand

USUAL_PREFIXES = ("/usr", "/bin", "/lib")
"""What backends make readable without being told."""


class Networked:
    """A sandbox whose commands get the bridge if, and only if, they have a proxy."""

    def __init__(self, sandbox: Sandbox, *, socket: str = "") -> None:
        """`socket` is the place at which the backend shows a command its proxy; empty: where it is on the host."""
        self._sandbox = sandbox
        self._socket = socket
        # As text, and by the host's own interpreter: nothing of the product has to be seen inside.
        self._start = (os.path.realpath(sys.executable), "-IS", "-c", inspect.getsource(bridge))
        prefix = os.path.realpath(sys.base_prefix)
        is_usual = any(prefix == each or prefix.startswith(f"{each}/") for each in USUAL_PREFIXES)
        self._readable = () if is_usual else (prefix,)

    @property
    def name(self) -> str:
        """The backend's name."""
        return self._sandbox.name

    def wrap(self, command: SandboxCommand) -> WrappedCommand:
        """The backend's command line; without a proxy nothing is added to it."""
        if not command.proxy_socket:
            return self._sandbox.wrap(command)
        start = (*self._start, self._socket or command.proxy_socket)
        return self._sandbox.wrap(
            replace(
                command,
                argv=(*start, *command.argv),
                readable_paths=(*command.readable_paths, *self._readable),
            )
        )

    async def broken(self, command: SandboxCommand, output: str) -> str:
        """As the backend says; the bridge is not looked at."""
        return await self._sandbox.broken(command, output)
