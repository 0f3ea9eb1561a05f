"""A process of its own that fills a small disk, runs checks there and says what became of them, before and after.

Usage: workspace_full_disk.py FOLDER FREE_BYTES
"""

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.sandbox.none import NoSandbox
from longshift.adapters.workspace import Checks, Workspaces
from longshift.contracts.errors import DiskFull
from longshift.contracts.task import TaskSpec

TASK = {"id": "t", "title": "T", "instructions": "Do.", "checks": [{"name": "c", "run": "true"}]}


async def prove(folder: Path, free_bytes: int) -> None:
    """Prepare, fill, check, make room, check again."""
    runner = ProcessRunner(folder / "runs", disk_floor_bytes=0)
    workspaces = Workspaces(folder, runner, NoSandbox(), "host-1", "queue")
    checks = Checks(workspaces, runner)
    task = TaskSpec.model_validate(TASK)
    workspace = await workspaces.prepare(task, 1)
    fill = folder / "fill"
    fill.write_bytes(bytes(shutil.disk_usage(folder).free - free_bytes))
    for _ in range(2):
        try:
            digest = await checks.run(task, workspace, baseline={}, key_prefix="t/lead/s000001-checks")
            sys.stdout.write(f"passed: {digest.passed}\n")
        except DiskFull:
            sys.stdout.write("disk full\n")
        fill.unlink(missing_ok=True)


def main(folder: str, free_bytes: str) -> None:
    """Mount the disk, then work on it."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", folder], check=True)
    asyncio.run(prove(Path(folder), int(free_bytes)))


if __name__ == "__main__":
    main(*sys.argv[1:])
