"""The backend that confines nothing: for hosts that are thrown away themselves, when the operator spells it out."""

from longshift.adapters.sandbox.environment import DEFAULT_PATH, clean_environment
from longshift.adapters.sandbox.port import SandboxCommand, WrappedCommand


class NoSandbox:
    """Runs commands as the worker's user, with its rights on files and network, but with a clean environment."""

    name = "none"

    def __init__(self, path: str = DEFAULT_PATH) -> None:
        self._path = path

    def wrap(self, command: SandboxCommand) -> WrappedCommand:
        """The command as it is, with a clean environment.

        Raises: ValueError, because nothing can be shown elsewhere than where it is.
        """
        if command.seen_root or command.seen_home:
            raise ValueError("without a sandbox a command sees its workspace where it is")
        return WrappedCommand(argv=command.argv, env=clean_environment(command, self._path), cwd=command.cwd)

    async def broken(self, command: SandboxCommand, output: str) -> str:
        """Nothing stands between: what fails is the command."""
        del command, output
        return ""
