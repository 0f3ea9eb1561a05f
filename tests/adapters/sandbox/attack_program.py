"""Probes a sandbox as whoever runs this, `attack_program.py SANDBOX FOLDER`, and prints the report as JSON."""

import asyncio
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from longshift.adapters.sandbox.bubblewrap import Bubblewrap
from longshift.adapters.sandbox.none import NoSandbox
from longshift.adapters.sandbox.port import Sandbox, SandboxCommand, WrappedCommand
from longshift.adapters.sandbox.probe import probe


class NaiveSandbox:
    """bubblewrap as it is often called: namespaces, but the whole host is there to be read, the environment too."""

    name = "naive"

    def wrap(self, command: SandboxCommand) -> WrappedCommand:
        """The plain line."""
        line = ("/usr/bin/bwrap", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--die-with-parent")
        tree = command.workspace_root
        argv = (*line, "--unshare-all", "--bind", tree, tree, "--chdir", command.cwd, *command.argv)
        return WrappedCommand(argv, dict(os.environ), "/")

    async def broken(self, command: SandboxCommand, output: str) -> str:
        """Not asked here."""
        raise NotImplementedError


def named(name: str, folder: Path) -> Sandbox:
    """A sandbox by its name."""
    if name == "bubblewrap":
        return Bubblewrap(executable="/usr/bin/bwrap", folder=folder / "own", hidden=(folder,))
    return {"none": NoSandbox, "naive": NaiveSandbox}[name]()


def main() -> None:
    """Probe."""
    folder = Path(sys.argv[2])
    report = asyncio.run(probe(named(sys.argv[1], folder), folder, secret=os.environ["PLANTED"]))
    json.dump({**asdict(report), "stopped": report.stopped}, sys.stdout)


if __name__ == "__main__":
    main()
