"""The shadow repository of an empty tree: recorded by git once in a process, and written out from memory after that.

It is the same for every workspace that starts with nothing, and git takes eight processes for it.
"""

import asyncio
import tempfile
from pathlib import Path

from longshift.adapters.workspace.git import RunGit, run_git
from longshift.adapters.workspace.index import EMPTY_TREE
from longshift.adapters.workspace.shadow import Shadow, Snapshot

LOCK = "longshift.lock"


class EmptyShadow:
    """What git makes of an empty tree."""

    def __init__(self, run: RunGit = run_git) -> None:
        self._run = run
        self._files: dict[str, bytes] = {}
        self._folders: list[str] = []
        self._making = asyncio.Lock()

    async def record_base(self, shadow: Shadow) -> Snapshot | None:
        """Make a shadow repository with its base, as `create` and `record_base` do; None where there is a file."""
        if await asyncio.to_thread(_has_entries, shadow.tree):
            return None
        async with self._making:
            if not self._files:
                await self._learn()
        await asyncio.to_thread(self._write, shadow.git_dir)
        return Snapshot(EMPTY_TREE)

    async def _learn(self) -> None:
        with tempfile.TemporaryDirectory(prefix="longshift-empty-") as folder:
            git_dir, tree = Path(folder) / "shadow.git", Path(folder) / "tree"
            tree.mkdir()
            shadow = Shadow(git_dir, tree, run=self._run)
            await shadow.create()
            await shadow.record_base()
            found = [path for path in sorted(git_dir.rglob("*")) if path.name != LOCK]
            self._folders = [str(path.relative_to(git_dir)) for path in found if path.is_dir()]
            self._files = {str(path.relative_to(git_dir)): path.read_bytes() for path in found if path.is_file()}

    def _write(self, git_dir: Path) -> None:
        git_dir.mkdir(parents=True, exist_ok=True)
        for name in self._folders:
            (git_dir / name).mkdir(exist_ok=True)
        for name, body in self._files.items():
            path = git_dir / name
            if name.startswith("objects/"):
                path.unlink(missing_ok=True)  # git makes its objects read-only
            path.write_bytes(body)


def _has_entries(tree: Path) -> bool:
    return any(tree.iterdir())
