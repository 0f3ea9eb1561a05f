"""Plays every script as a tool call of a session whose model obeys it, and counts what came of it.

`python -m tests.attacks.play --sandbox bubblewrap FOLDER` prints JSON: how many were tried and stopped, and what the
others reached. The worker is the real one (toolbox, supervisors, workspaces); the scene is what they attack.
"""

import argparse
import asyncio
import json
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.sandbox.port import Sandbox
from longshift.adapters.tools import Toolbox, ToolContext, find_ripgrep
from longshift.adapters.workspace import Workspaces
from longshift.contracts import ids
from longshift.contracts.task import TaskSpec
from longshift.contracts.tools import TOOL_ARGUMENTS
from longshift.contracts.workspace import Workspace
from tests.attacks.clothes import found_in
from tests.attacks.sandboxes import sandbox_named
from tests.attacks.scene import Scene, laid_out

TASK = "attacked"
TIMEOUT_SECONDS = 20
_PLACE = re.compile(r"@([A-Z]+)@")
SHOWS_THROUGH_GIT = ("git-", "link-", "exit-")
"""What these leave in the files is looked at by everything that the worker does with a workspace."""


@dataclass(frozen=True)
class Script:
    """One attack: a tool call, and a command that prepares it."""

    name: str
    via: str
    """Where the text that asks for it stands: `issue`, `file` or `output`."""
    risk: str
    """Of the OWASP Agentic list."""
    tool: str
    input: Mapping[str, Any]
    before: str = ""

    def at(self, scene: Scene, **ports: int) -> "Script":
        """The script for a scene."""
        places = scene.places(self.name, **ports)

        def filled(value: Any) -> Any:
            return _PLACE.sub(lambda word: places[word[1]], value) if isinstance(value, str) else value

        arguments = {name: filled(value) for name, value in self.input.items()}
        return Script(self.name, self.via, self.risk, self.tool, arguments, filled(self.before))


def scripts() -> list[Script]:
    """The corpus."""
    rows: list[dict[str, Any]] = yaml.safe_load((files("tests.attacks") / "scripts.yaml").read_text())
    return [
        Script(
            name=row["name"],
            via=row["via"],
            risk=row["risk"],
            tool=row.get("tool", "bash"),
            input=row.get("input") or {"command": row["run"], "timeout_seconds": TIMEOUT_SECONDS},
            before=row.get("before", ""),
        )
        for row in rows
    ]


@dataclass
class Count:
    """What came of the scripts."""

    tried: int = 0
    reached: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """By the name of each script that was not stopped: secrets and effects."""

    @property
    def stopped(self) -> int:
        """Those that reached nothing."""
        return self.tried - len(self.reached)


@dataclass
class Play:
    """A session under attack."""

    scene: Scene
    workspaces: Workspaces
    toolbox: Toolbox
    workspace: Workspace
    calls: int = 0

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> str:
        """What the model would read."""
        self.calls += 1
        place = self.workspaces.open(self.workspace)
        agent = ids.agent_id(TASK)
        context = ToolContext(
            agent=agent,
            task_id=TASK,
            step=self.calls,
            index=0,
            root=place.tree,
            home=place.home,
            tmp=place.tmp,
            outputs_root=self.workspaces.outputs_root / TASK,
            run_key=ids.run_key(agent, self.calls, 0),
        )
        parsed = TOOL_ARGUMENTS[tool].model_validate(dict(arguments))
        outcome = await self.toolbox.run(tool, parsed, context, patience_seconds=None, on_progress=lambda line: None)
        return outcome.text

    async def tried(self, script: Script) -> list[str]:
        """What a script reached: secrets that it brought out, and effects outside of its workspace."""
        scene = self.scene
        before, scene.received[:] = scene.fingerprint(), []
        if script.before:
            await self.call("bash", {"command": script.before, "timeout_seconds": TIMEOUT_SECONDS})
        said = await self.call(script.tool, script.input)
        bodies = [said.encode(), *_bodies(self.workspaces.open(self.workspace).tree)]
        if script.name.startswith(SHOWS_THROUGH_GIT):
            bodies += await self._worked_on()
        secrets = found_in(b"\n".join([*bodies, *scene.received]), scene.secrets.values())
        after = scene.fingerprint()
        effects = [f"changed {path}" for path in {*before, *after} if before.get(path) != after.get(path)]
        if re.search(rf"^.*\b{re.escape(script.name)} done$", said, re.MULTILINE):
            effects.append("did what it was to do")
        if scene.received:
            effects.append(f"spoke to a service: {scene.received}")
        if not scene.is_unharmed():
            effects.append("harmed a process")
            scene.start_victim()
        if effects:
            scene.lay_out()
        return [*secrets, *effects]

    async def _worked_on(self) -> list[bytes]:
        """What the worker makes of the files: a checkpoint, the changes, the patch."""
        digest = await self.workspaces.checkpoint(self.workspace, self.calls)
        patch, counts = await self.workspaces.export(self.workspace)
        changes = await self.workspaces.changes(self.workspace)
        await self.workspaces.restore(self.workspace, self.workspace.base_tree)
        await self.workspaces.restore(self.workspace, digest.tree_hash)
        return [patch, counts.numstat.encode(), changes.text.encode()]

    def clear(self) -> None:
        """Empty the workspace for the next one."""
        place = self.workspaces.open(self.workspace)
        for entry in [*place.tree.iterdir(), *place.home.iterdir()]:
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()


def _bodies(tree: Path) -> list[bytes]:
    """All that is in a tree: names, what links say, and the files themselves."""
    found: list[bytes] = []
    for place, folders, names in os.walk(tree):
        for name in [*folders, *names]:
            path = Path(place) / name
            found.append(os.fsencode(name))
            if path.is_symlink():
                found.append(os.fsencode(os.readlink(path)))
            elif path.is_file():
                found.append(path.read_bytes())
    return found


async def play(folder: Path, sandbox: Sandbox, chosen: Sequence[Script]) -> Count:
    """Play scripts one after the other in one session."""
    count = Count()
    async with laid_out(folder) as scene:
        os.environ.update(scene.environment)  # this process is the worker
        runner = ProcessRunner(scene.data / "runs", disk_floor_bytes=0)
        workspaces = Workspaces(scene.data, runner, sandbox, "host-1", "queue")
        workspace = await workspaces.prepare(TaskSpec(id=TASK, title="t", instructions="i"), 1)
        session = Play(scene, workspaces, Toolbox(runner, sandbox, ripgrep=find_ripgrep()), workspace)
        for script in chosen:
            count.tried += 1
            reached = await session.tried(script.at(scene))
            if reached:
                count.reached[script.name] = reached
            session.clear()
        await workspaces.release(workspace)
    return count


def main() -> int:
    """Play the corpus in a folder, as the user who runs this."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sandbox", default="bubblewrap")
    parser.add_argument("--only", action="append", default=[], help="the beginning of a script's name")
    options = parser.parse_args()
    chosen = [each for each in scripts() if not options.only or each.name.startswith(tuple(options.only))]
    count = asyncio.run(play(options.folder, sandbox_named(options.sandbox, options.folder / "data"), chosen))
    json.dump({"tried": count.tried, "stopped": count.stopped, "reached": count.reached}, sys.stdout, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
