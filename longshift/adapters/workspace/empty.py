"""The shadow repository of an empty tree: recorded by git once in a process, and written out from memory after that.

It is the same for every workspace that starts with nothing, and git takes eight processes for it.
"""

import asyncio
import tempfile
from pathlib import Path

from longshift.adapters.workspace.git import RunGit, run_git
from longshift.adapters.workspace.index import EMPTY_TREE
from longshift.adapters.workspace.kept_repository import KeptRepository
from longshift.adapters.workspace.shadow import Shadow, Snapshot


class EmptyShadow:
    """What git makes of an empty tree."""

    def __init__(self, run: RunGit = run_git) -> None:
        self._run = run
        self._kept: KeptRepository | None = None
        self._making = asyncio.Lock()

    async def record_base(self, shadow: Shadow) -> Snapshot | None:
        """Make a shadow repository with its base, as `create` and `record_base` do; None where there is a file."""
        if await asyncio.to_thread(_has_entries, shadow.tree):
            return None
        async with self._making:
            self._kept = self._kept or await self._learned()
        await asyncio.to_thread(self._kept.write, shadow.git_dir)
        return Snapshot(EMPTY_TREE)

    async def _learned(self) -> KeptRepository:
        with tempfile.TemporaryDirectory(prefix="longshift-empty-") as folder:
            git_dir, tree = Path(folder) / "shadow.git", Path(folder) / "tree"
            tree.mkdir()
            shadow = Shadow(git_dir, tree, run=self._run)
            await shadow.create()
            await shadow.record_base()
            kept = KeptRepository.read(git_dir)
            assert kept is not None, "an empty tree's repository is small"
            return kept


def _has_entries(tree: Path) -> bool:
    return any(tree.iterdir())
