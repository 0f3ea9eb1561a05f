"""The workspaces of one host: preparing, recording, delivering and releasing them.

How files are fetched, recorded and compared is in the modules beside; who asks, and when, is the engine's business.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from longshift.adapters.process.command_spec import CommandSpec
from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.sandbox.port import Sandbox, SandboxCommand
from longshift.adapters.workspace.delivery import DeliveryCounts, export
from longshift.adapters.workspace.empty import EmptyShadow
from longshift.adapters.workspace.folder import Ready, WorkspaceFolder, disk_full_named
from longshift.adapters.workspace.git import RunGit, run_git
from longshift.adapters.workspace.lock import locked
from longshift.adapters.workspace.names import readable
from longshift.adapters.workspace.rules import find_rules, read_rules
from longshift.adapters.workspace.setup import SetupLost, begin_again, discard, run_setup
from longshift.adapters.workspace.shadow import HUGE_BYTES, Shadow
from longshift.adapters.workspace.sources import fetch, remove_parts
from longshift.contracts.errors import StaleGeneration, WorkspaceFailed
from longshift.contracts.task import TaskSpec
from longshift.contracts.workspace import CheckpointDigest, Workspace

SHOWN_FILES = 200
PREPARE_LOCK_TIMEOUT_SECONDS = 43_200.0


class Workspaces:
    """Workspaces below `<data_dir>/workspaces`, one folder per task."""

    def __init__(
        self,
        data_dir: Path,
        runner: ProcessRunner,
        sandbox: Sandbox,
        host_id: str,
        host_queue: str,
        quick_calls: bool = False,
        *,
        outputs_root: Path | None = None,
        run: RunGit = run_git,
        huge_bytes: int = HUGE_BYTES,
    ) -> None:
        self._runner = runner
        self._data_dir = data_dir.absolute()
        self.outputs_root = outputs_root or self._data_dir / "runs"
        """Where the process runner keeps whole outputs, by default `<data_dir>/runs`."""
        self._sandbox = sandbox
        self._host_id = host_id
        self._host_queue = host_queue
        self._quick_calls = quick_calls
        self._run = run
        self._huge_bytes = huge_bytes
        self._empty = EmptyShadow(run)

    async def prepare(
        self, task: TaskSpec, generation: int, on_progress: Callable[[str], None] = lambda line: None
    ) -> Workspace:
        """Fetch, set up and record a workspace; one that is ready is handed over to the new generation as it is.

        Raises:
            BadInput: the source cannot be used.
            WorkspaceFailed: a setup command failed, or git did.
            DiskFull: there is no space.
            StaleGeneration: a newer slot holds the workspace.
        """
        folder = self._folder(task.id)
        with disk_full_named(folder.path):
            folder.path.mkdir(parents=True, exist_ok=True)
        async with locked(folder.prepare_lock, timeout_seconds=PREPARE_LOCK_TIMEOUT_SECONDS):
            ready = folder.ready()
            if ready is None:
                with disk_full_named(folder.path):
                    ready = await self._made(task, folder, on_progress)
            elif generation < ready.workspace.generation:
                raise self._stale(task.id, generation, ready.workspace.generation)
            workspace = ready.workspace.model_copy(
                update={
                    "host_id": self._host_id,
                    "host_queue": self._host_queue,
                    "root": str(folder.tree),
                    "generation": generation,
                    "quick_calls": self._quick_calls,
                    "sandbox": self._sandbox.name,
                }
            )
            folder.write_ready(ready.model_copy(update={"workspace": workspace}))
            return workspace

    def open(self, workspace: Workspace) -> WorkspaceFolder:
        """The folder of a workspace that is ready here and held by no newer slot.

        Raises:
            WorkspaceFailed: it is on another host, or not ready.
            StaleGeneration: a newer slot holds it.
        """
        return self._opened(workspace)[0]

    async def checkpoint(self, workspace: Workspace, step: int, label: str = "") -> CheckpointDigest:
        """Record the files after a step.

        Raises: WorkspaceFailed, DiskFull, StaleGeneration.
        """
        started = time.monotonic()
        shadow = self.shadow(workspace)
        recorded = await shadow.checkpoint(f"step {step}{f': {label}' if label else ''}")
        changed = await shadow.changed_files(workspace.base_tree, to_tree=recorded.tree)
        return CheckpointDigest(
            step=step,
            tree_hash=recorded.tree,
            commit=recorded.commit,
            changed_files=tuple(readable(name) for name in changed[:SHOWN_FILES]),
            changed_count=len(changed),
            duration_seconds=time.monotonic() - started,
        )

    async def restore(self, workspace: Workspace, tree: str) -> None:
        """Make the covered files what they were in a recorded tree.

        Raises: WorkspaceFailed, DiskFull, StaleGeneration.
        """
        await self.shadow(workspace).restore(tree)

    async def export(self, workspace: Workspace) -> tuple[bytes, DeliveryCounts]:
        """The patch of everything that was done, for `git apply`, and its numbers.

        Raises: WorkspaceFailed, DiskFull, StaleGeneration.
        """
        return await export(self.shadow(workspace), workspace.base_tree)

    async def release(self, workspace: Workspace) -> int:
        """End every command of the workspace; how many were running. The files stay.

        Raises: StaleGeneration, because a newer slot may have commands of its own.
        """
        ready = self._folder(workspace.workspace_id).ready()
        if ready is not None and workspace.generation < ready.workspace.generation:
            raise self._stale(workspace.workspace_id, workspace.generation, ready.workspace.generation)
        return await self._runner.kill_all(f"{workspace.workspace_id}/", "the workspace was released")

    async def abandon(self, task_id: str) -> int:
        """End every command of a workspace that is still being made; how many were running."""
        return await self._runner.kill_all(f"{task_id}/", "the session was cancelled")

    async def mark_held(self, workspace: Workspace) -> None:
        """Remember over a restart that a session holds the workspace.

        Raises: DiskFull.
        """
        await asyncio.to_thread(self._folder(workspace.workspace_id).write_held, workspace)

    async def mark_released(self, workspace: Workspace) -> None:
        """Nobody holds it any more."""
        await asyncio.to_thread(self._folder(workspace.workspace_id).write_held, None)

    async def marked_held(self) -> list[Workspace]:
        """The workspaces that sessions held when this host's last worker ended."""
        return await asyncio.to_thread(self._marked_held)

    def _marked_held(self) -> list[Workspace]:
        folders = sorted(path.parent for path in (self._data_dir / "workspaces").glob("*/held.json"))
        return [held for path in folders if (held := WorkspaceFolder(path).held()) is not None]

    async def rules_text(self, workspace: Workspace) -> str:
        """The text of the project's rules for agents, at most 32 KB; empty without any."""
        tree = self.open(workspace).tree
        return await asyncio.to_thread(read_rules, tree, workspace.rules_file) if workspace.rules_file else ""

    def shadow(self, workspace: Workspace) -> Shadow:
        """The shadow repository of a workspace that may be used; raises as `open` does."""
        folder, ready = self._opened(workspace)
        return self._shadow(folder, ready.protected)

    def shell(
        self,
        workspace: Workspace,
        command: str,
        *,
        timeout_seconds: float | None = None,
        background: bool = False,
        env: Mapping[str, str] | None = None,
    ) -> CommandSpec:
        """A bash command in the root of the tree, inside the sandbox; raises as `open` does."""
        folder = self.open(workspace)
        return self._bash(folder, command, timeout_seconds=timeout_seconds, background=background, env=env)

    async def _made(self, task: TaskSpec, folder: WorkspaceFolder, on_progress: Callable[[str], None]) -> Ready:
        """Make the workspace, or go on where a worker that died has stopped."""
        while True:
            await asyncio.to_thread(discard, folder)
            await asyncio.to_thread(remove_parts, folder.path)
            folder.home.mkdir(exist_ok=True)
            if not folder.tree.exists():
                on_progress("fetching the source")
                await fetch(task.workspace, folder.tree, skip=self._data_dir, run=self._run)
            shadow = self._shadow(folder, task.protected)
            base = None if task.setup else await self._empty.record_base(shadow)
            if base is not None:
                break
            await shadow.create()
            timeout = task.setup_timeout_seconds
            commands = [(command, self._bash(folder, command, timeout_seconds=timeout)) for command in task.setup]
            try:
                await run_setup(self._runner, task.id, folder.setup_progress().attempt, commands, on_progress)
            except SetupLost as lost:
                begin_again(folder, lost)
            else:
                break
        if base is None:
            on_progress("recording the base tree")
            base = await shadow.record_base()
        sizes = await shadow.sizes(base.tree)
        workspace = Workspace(
            workspace_id=task.id,
            host_id=self._host_id,
            host_queue=self._host_queue,
            root=str(folder.tree),
            base_tree=base.tree,
            files=len(sizes),
            total_bytes=sum(sizes.values()),
            rules_file=await asyncio.to_thread(find_rules, folder.tree),
        )
        left_out = tuple(readable(name) for name in base.left_out)
        return Ready(workspace=workspace, protected=task.protected, left_out=left_out)

    def _bash(
        self,
        folder: WorkspaceFolder,
        command: str,
        *,
        timeout_seconds: float | None = None,
        background: bool = False,
        env: Mapping[str, str] | None = None,
    ) -> CommandSpec:
        wrapped = self._sandbox.wrap(
            SandboxCommand(
                argv=("bash", "-c", command),
                cwd=str(folder.tree),
                workspace_root=str(folder.tree),
                home=str(folder.home),
                env=env or {},
            )
        )
        return CommandSpec(
            argv=wrapped.argv,
            cwd=wrapped.cwd,
            env=wrapped.env,
            timeout_seconds=timeout_seconds,
            background=background,
        )

    def _opened(self, workspace: Workspace) -> tuple[WorkspaceFolder, Ready]:
        name = workspace.workspace_id
        if workspace.host_id != self._host_id:
            raise WorkspaceFailed(f"workspace {name} is on host {workspace.host_id}, this is host {self._host_id}")
        folder = self._folder(name)
        ready = folder.ready()
        if ready is None:
            raise WorkspaceFailed(f"workspace {name} is not ready on host {self._host_id}; it has to be prepared again")
        if workspace.generation < ready.workspace.generation:
            raise self._stale(name, workspace.generation, ready.workspace.generation)
        return folder, ready

    def _folder(self, task_id: str) -> WorkspaceFolder:
        return WorkspaceFolder(self._data_dir / "workspaces" / task_id)

    def _shadow(self, folder: WorkspaceFolder, protected: tuple[str, ...]) -> Shadow:
        return Shadow(folder.shadow, folder.tree, protected, self._run, self._huge_bytes)

    def _stale(self, name: str, called: int, holding: int) -> StaleGeneration:
        return StaleGeneration(f"workspace {name} is held by slot {holding}; this call was made under slot {called}")
