"""Sandboxes in which the tests beside let git work."""

import shutil
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from longshift.adapters.sandbox.environment import clean_environment
from longshift.adapters.sandbox.none import NoSandbox
from longshift.adapters.sandbox.port import SandboxCommand, WrappedCommand


class PlainBubblewrap:
    """Shows a command nothing but the system's programs and what it was given."""

    name = "bubblewrap"

    def wrap(self, command: SandboxCommand) -> WrappedCommand:
        """The command inside bubblewrap."""
        binds = ["--ro-bind", "/usr", "/usr"]
        for name in ("bin", "sbin", "lib", "lib64"):
            binds += ["--symlink", f"usr/{name}", f"/{name}"]
        binds += ["--tmpfs", "/tmp", "--proc", "/proc", "--dev", "/dev"]
        for path in command.readable_paths:
            binds += ["--ro-bind", path, path]
        for path in dict.fromkeys((command.workspace_root, command.home, *command.writable_paths)):
            binds += ["--bind", path, path]
        environment = clean_environment(command)
        argv = (
            *("bwrap", "--unshare-all", "--die-with-parent", "--cap-drop", "ALL", *binds),
            *("--chdir", command.cwd, "--", *command.argv),
        )
        return WrappedCommand(argv=argv, env=environment, cwd="/")


def is_available() -> bool:
    """Whether bubblewrap is installed."""
    return shutil.which("bwrap") is not None and Path("/usr").is_dir()


def every_sandbox() -> list[ParameterSet]:
    """The sandboxes that a test is to pass in, as parameters of a fixture."""
    reason = "bubblewrap is not installed"
    confined = pytest.param(
        PlainBubblewrap(), id="bubblewrap", marks=[] if is_available() else pytest.mark.skip(reason)
    )
    return [pytest.param(NoSandbox(), id="none"), confined]
