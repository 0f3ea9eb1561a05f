"""Which git runs where: inside the sandbox on all that came from elsewhere, on the host for the operator's own."""

import asyncio
from pathlib import Path

from longshift.adapters.sandbox.none import NoSandbox
from longshift.adapters.sandbox.port import Sandbox
from longshift.adapters.workspace.facts import Facts
from longshift.adapters.workspace.git import RunGit, run_git
from longshift.adapters.workspace.sandboxed_git import SandboxedGit


class GitPlaces:
    """Git for the workspaces of one host."""

    def __init__(self, sandbox: Sandbox, outside: RunGit = run_git) -> None:
        self.outside = outside
        """On the host: for cloning, which needs the network and the operator's credentials."""
        self._sandbox = sandbox
        self._inside: dict[Path, SandboxedGit] = {}
        self._facts: dict[Path, Facts] = {}

    def inside(self, folder: Path) -> RunGit:
        """For what lies in the workspace's `folder`; where there is no sandbox this is the host's too."""
        if self._sandbox.name == NoSandbox.name:
            return self.outside
        if folder not in self._inside:
            self._inside[folder] = SandboxedGit(self._sandbox)
        return self._inside[folder]

    def facts(self, folder: Path) -> Facts:
        """What is known of the objects in the workspace's `folder`."""
        return self._facts.setdefault(folder, Facts())

    async def close(self, folder: Path) -> None:
        """Nothing more is expected for a workspace."""
        self._facts.pop(folder, None)
        git = self._inside.pop(folder, None)
        if git is not None:
            await git.close()

    async def close_all(self) -> None:
        """End everything that stands ready."""
        await asyncio.gather(*(self.close(folder) for folder in list(self._inside)))
