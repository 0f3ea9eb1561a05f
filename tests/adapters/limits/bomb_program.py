"""Sets off one bomb in one session while another works beside it, and says as JSON what became of both.

Run as `python bomb_program.py FOLDER BOMB SANDBOX [CONTROLLER=FOLDER…]`, as whatever user.
"""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from bombs import BOMBS, NEIGHBOUR
from limits_places import HOST, SMALL

from longshift.adapters.limits.control_groups import ControlGroups
from longshift.adapters.limits.disk_watch import DiskWatch, FreeSpace
from longshift.adapters.limits.hierarchies import Hierarchies
from longshift.adapters.limits.limited import Limited
from longshift.adapters.limits.running_commands import RunningCommands
from longshift.adapters.limits.watchdog import Watchdog
from longshift.adapters.process.command_spec import CommandSpec
from longshift.adapters.process.run_state import Finished
from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.sandbox.bubblewrap import Bubblewrap
from longshift.adapters.sandbox.none import NoSandbox
from longshift.adapters.sandbox.port import Sandbox, SandboxCommand
from longshift.adapters.tools.endings import ending

BWRAP = shutil.which("bwrap") or ""
TIMEOUT_SECONDS = {"output": 2.0, "spin": 2.0}
DISK_BYTES = 1_000_000_000
"""Of the imagined disk that holds nothing but the workspaces: other work on this machine must not matter."""


def sandbox_named(name: str, data_dir: Path) -> Sandbox:
    """The backend itself, without its limits."""
    if name == "none":
        return NoSandbox()
    return Bubblewrap(executable=BWRAP, folder=data_dir / "sandbox", hidden=(data_dir,))


class Scene:
    """Two sessions of one host."""

    def __init__(self, folder: Path, sandbox: Sandbox, groups: ControlGroups | None) -> None:
        self.folder = folder
        self.runner = ProcessRunner(folder / "runs", disk_floor_bytes=0)
        disk = DiskWatch(folder / "workspaces", SMALL.disk_bytes, 0, free=_imagined)
        self.watchdog = Watchdog(self.runner, RunningCommands(folder / "runs"), SMALL, groups, disk)
        self.sandbox = Limited(sandbox, SMALL, groups, on_command=self.watchdog.expect)

    async def run(self, session: str, name: str, script: str, timeout_seconds: float) -> tuple[Finished, str]:
        """One command to its end, with its output."""
        place = self.folder / "workspaces" / session
        paths = {part: str(place / part) for part in ("tree", "home", "tmp")}
        for path in paths.values():
            await asyncio.to_thread(os.makedirs, path, exist_ok=True)
        wrapped = self.sandbox.wrap(
            SandboxCommand(
                argv=("bash", "-c", script),
                cwd=paths["tree"],
                workspace_root=paths["tree"],
                home=paths["home"],
                tmp=paths["tmp"],
                group=session,
            )
        )
        spec = CommandSpec.of(
            wrapped,
            timeout_seconds=timeout_seconds,
            head_bytes=1_000_000,
            tail_bytes=100_000,
        )
        key = f"{session}/{name}"
        await self.runner.start(key, spec)
        state = await self.runner.wait(key)
        assert isinstance(state, Finished), state
        return state, (await asyncio.to_thread(self.runner.output, key, 2_000)).text


async def scene(folder: Path, bomb: str, sandbox: Sandbox, groups: ControlGroups | None) -> dict[str, object]:
    """What became of the bomb, of its neighbour, and what was left running."""
    stage = Scene(folder, sandbox, groups)
    outcomes: list[str] = []
    async with stage.watchdog.on_watch():
        outcomes.append(await _neighbour(stage, 0))
        going_off = asyncio.create_task(stage.run("bomber", bomb, BOMBS[bomb], TIMEOUT_SECONDS.get(bomb, 30.0)))
        number = 0
        while not going_off.done() or number < 3:
            number += 1
            outcomes.append(await _neighbour(stage, number))
        state, output = await going_off
        running = sorted(await asyncio.to_thread(RunningCommands(folder / "runs").by_session))
    if groups is not None:
        groups.sweep()
    return {
        "state": asdict(state),
        "ending": ending(state, TIMEOUT_SECONDS.get(bomb, 30.0)),
        "output": output,
        "kept_bytes": sum(path.stat().st_size for path in (folder / "runs" / "bomber").rglob("output.*")),
        "neighbour": outcomes,
        "left_running": running,
        "uid": os.getuid(),
    }


async def _neighbour(stage: Scene, number: int) -> str:
    state, output = await stage.run("neighbour", f"c{number}", NEIGHBOUR, 60.0)
    return f"{ending(state, 60.0)}: {output.strip()}"


def _imagined(folder: Path) -> FreeSpace:
    used = sum(os.lstat(os.path.join(path, name)).st_size for path, _, names in os.walk(folder) for name in names)
    return FreeSpace(DISK_BYTES - used, None)


def main(arguments: Sequence[str]) -> None:
    """Set the scene."""
    folder, bomb, sandbox, *named = arguments
    hierarchies = Hierarchies(1, {name: Path(path) for name, _, path in (each.partition("=") for each in named)})
    groups = ControlGroups(hierarchies, SMALL, Path(folder), HOST) if named else None
    sys.stdout.write(json.dumps(asyncio.run(scene(Path(folder), bomb, sandbox_named(sandbox, Path(folder)), groups))))


if __name__ == "__main__":
    main(sys.argv[1:])
