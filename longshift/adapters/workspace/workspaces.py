"""The workspaces of one host: preparing, recording, delivering and releasing them.

How files are fetched, recorded, archived and made again is in the modules beside; who asks, and when, is the engine's
business.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path

from longshift.adapters.network.egress import Egress
from longshift.adapters.process.command_spec import CommandSpec
from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.sandbox.none import NoSandbox
from longshift.adapters.sandbox.port import Sandbox, SandboxCommand
from longshift.adapters.secrets import SecretBook
from longshift.adapters.workspace.begun import BegunRepositories
from longshift.adapters.workspace.beneath import removed
from longshift.adapters.workspace.change_bundle import bundle_changes
from longshift.adapters.workspace.checkpoint_archive import Archived, CheckpointArchive
from longshift.adapters.workspace.delivery import DeliveryCounts, export, export_text
from longshift.adapters.workspace.empty import EmptyShadow
from longshift.adapters.workspace.folder import Ready, WorkspaceFolder, disk_full_named
from longshift.adapters.workspace.git import RunGit, run_git
from longshift.adapters.workspace.git_places import GitPlaces
from longshift.adapters.workspace.lock import locked
from longshift.adapters.workspace.making import Making
from longshift.adapters.workspace.names import readable
from longshift.adapters.workspace.published import named_with_secrets, refuse_secrets
from longshift.adapters.workspace.rolling_back import find_recorded
from longshift.adapters.workspace.rules import read_rules
from longshift.adapters.workspace.shadow import HUGE_BYTES, Shadow
from longshift.contracts import ids
from longshift.contracts.errors import BadInput, HostError, StaleGeneration, StoreUnavailable, WorkspaceFailed
from longshift.contracts.network import NetworkPhase, NetworkUse
from longshift.contracts.rollback import FilesRolledBack
from longshift.contracts.task import TaskSpec
from longshift.contracts.verification import DiffRecord
from longshift.contracts.workspace import CheckpointDigest, Workspace
from longshift.policy import rollback
from longshift.policy.network import NO_NETWORK

SHOWN_FILES = 200
PREPARE_LOCK_TIMEOUT_SECONDS = 43_200.0

MakingOfSubAgent = Callable[
    [
        Making,
        Callable[[TaskSpec, int, Callable[[str], None]], Awaitable[Workspace]],
        Callable[[WorkspaceFolder], RunGit],
    ],
    Making,
]
"""How the workspace of a sub-agent is made, given how another task's would be, `prepare`, and git in a folder."""


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
        egress: Egress | None = None,
        archive: CheckpointArchive | None = None,
        outputs_root: Path | None = None,
        run: RunGit = run_git,
        huge_bytes: int = HUGE_BYTES,
        secrets: SecretBook | None = None,
        clean: Callable[[str], str] = str,
        making_of_sub_agent: MakingOfSubAgent | None = None,
    ) -> None:
        """Without `egress` no command has a network, without `archive` no checkpoint leaves this host.

        `secrets` are for the setup of tasks that name them; `clean` takes known secrets out of text. Without
        `making_of_sub_agent` no swarm works here.
        """
        self._runner = runner
        self._data_dir = data_dir.absolute()
        self.outputs_root = outputs_root or self._data_dir / "runs"
        """Where the process runner keeps whole outputs, by default `<data_dir>/runs`."""
        self._sandbox = sandbox
        self._egress = egress or Egress(data_dir, runner, {})
        self._host_id = host_id
        self._host_queue = host_queue
        self._quick_calls = quick_calls
        self._archive = archive
        self._git = GitPlaces(sandbox, run)
        self._huge_bytes = huge_bytes
        self._secrets = secrets or SecretBook()
        self._clean = clean
        self._empty = EmptyShadow(run)
        self._begun = BegunRepositories()
        self._making_of_sub_agent = making_of_sub_agent

    async def prepare(
        self, task: TaskSpec, generation: int, on_progress: Callable[[str], None] = lambda line: None
    ) -> Workspace:
        """Fetch, set up and record a workspace; one that is ready is handed over to the new generation as it is.

        If work went on elsewhere since, or the archive has checkpoints of a host that is lost, the workspace is made
        again from the newest one, and `restoration` says so.

        Raises:
            BadInput: the source cannot be used, or this host lacks the task's network profile.
            WorkspaceFailed: a setup command failed, or git did.
            DiskFull: there is no space.
            StaleGeneration: a newer slot holds the workspace.
            StoreUnavailable: the archive cannot be read.
        """
        _, access = self._egress.access(task)
        folder = self._folder_of(task)
        with disk_full_named(folder.path):
            folder.path.mkdir(parents=True, exist_ok=True)
        async with locked(folder.prepare_lock, timeout_seconds=PREPARE_LOCK_TIMEOUT_SECONDS):
            ready = folder.ready()
            holding = max(ready.workspace.generation if ready is not None else 1, folder.setup_progress().life)
            if generation < holding:
                raise self._stale(task.id, generation, holding)
            making = self._making(task, generation, folder, on_progress)
            with disk_full_named(folder.path):
                if ready is not None and not await self._is_up_to_date(ready.workspace, generation):
                    await making.given_up()
                    ready = None
                is_new = ready is None or ready.workspace.generation == generation
                ready = ready or await making.made()
            workspace = ready.workspace.model_copy(
                update={
                    "host_id": self._host_id,
                    "host_queue": self._host_queue,
                    "root": folder.seen_root or str(folder.tree),
                    "generation": generation,
                    "life": ready.life,
                    "quick_calls": self._quick_calls,
                    "sandbox": self._sandbox.name,
                    "network": access,
                    "restoration": ready.workspace.restoration if is_new else None,
                }
            )
            seen = {"seen_root": folder.seen_root, "seen_home": folder.seen_home}
            folder.write_ready(ready.model_copy(update={"workspace": workspace, **seen}))
            return workspace

    def open(self, workspace: Workspace) -> WorkspaceFolder:
        """The folder of a workspace that is ready here and held by no newer slot.

        Raises:
            WorkspaceFailed: it is on another host, or not ready.
            StaleGeneration: a newer slot holds it.
        """
        return self._opened(workspace)[0]

    async def checkpoint(
        self, workspace: Workspace, step: int, agent: str = "", *, back_to_step: int | None = None
    ) -> CheckpointDigest:
        """Record the files after a step of `agent`, and store what is new about them; a rollback made them older ones.

        Raises: WorkspaceFailed, DiskFull, StaleGeneration.
        """
        started = time.monotonic()
        shadow = self.shadow(workspace)
        recorded = await shadow.checkpoint(rollback.checkpoint_name(step, agent, back_to_step))
        archived = Archived(recorded.commit, is_archived=False)
        if self._archive is not None:
            archived = await self._archive.keep(workspace, shadow, recorded, step, agent, back_to_step=back_to_step)
        changed = await shadow.changed_files(workspace.base_tree, to_tree=recorded.tree)
        return CheckpointDigest(
            step=step,
            tree_hash=recorded.tree,
            commit=archived.commit,
            changed_files=tuple(readable(name) for name in changed[:SHOWN_FILES]),
            changed_count=len(changed),
            archived=archived.is_archived,
            back_to_step=back_to_step,
            duration_seconds=time.monotonic() - started,
        )

    async def restore(self, workspace: Workspace, tree: str) -> None:
        """Make the covered files what they were in a recorded tree.

        Raises: WorkspaceFailed, DiskFull, StaleGeneration.
        """
        await self.shadow(workspace).restore(tree)

    async def roll_back(
        self,
        workspace: Workspace,
        agent: str,
        step: int,
        to_step: int,
        on_progress: Callable[[str], None] = lambda line: None,
    ) -> FilesRolledBack:
        """End the agent's commands, make the covered files those after `to_step`, and record them after `step`.

        Ignored files stay as they are. It can be repeated, from wherever an attempt was cut off. Where checkpoints are
        archived it is over only when this one is: a host that takes over later must not bring the undone files back.

        Raises: WorkspaceFailed, DiskFull, StaleGeneration, StoreUnavailable.
        """
        shadow = self.shadow(workspace)
        await self._runner.kill_all(f"{agent}/", "the session was rolled back")
        recorded = await find_recorded(workspace, agent, shadow, self._archive, to_step, on_progress)
        on_progress(f"restoring the files of step {to_step}")
        await shadow.restore(recorded.tree)
        digest = await self.checkpoint(workspace, step, agent, back_to_step=to_step)
        if self._archive is not None and not digest.archived:
            raise StoreUnavailable("the files were rolled back, but the store did not take their checkpoint")
        return FilesRolledBack(checkpoint=digest, recorded_step=recorded.step, remarks=recorded.complaints)

    async def export(self, workspace: Workspace) -> tuple[bytes, DeliveryCounts]:
        """The patch of everything that was done, for `git apply`, and its numbers.

        Raises: WorkspaceFailed, also where the patch would publish a secret; DiskFull, StaleGeneration.
        """
        patch, counts = await export(self.shadow(workspace), workspace.base_tree)
        await asyncio.to_thread(refuse_secrets, patch, self._clean)
        return patch, counts

    async def named_with_secrets(self, patch: bytes) -> str:
        """The files in which the patch would publish a secret, for people; empty: in none."""
        return await asyncio.to_thread(named_with_secrets, patch, self._clean)

    async def bundle_changes(self, workspace: Workspace, tree: str) -> bytes:
        """What leads from the base tree to a recorded one, as a git bundle of its own.

        Raises: WorkspaceFailed, DiskFull, StaleGeneration.
        """
        return await bundle_changes(self.shadow(workspace), workspace.base_tree, tree)

    async def changes(self, workspace: Workspace) -> DiffRecord:
        """What was done so far, for reading.

        Raises: WorkspaceFailed, DiskFull, StaleGeneration.
        """
        return await export_text(self.shadow(workspace), workspace.base_tree)

    async def release(self, workspace: Workspace) -> int:
        """End every command of the workspace; how many were running. The files stay.

        Raises: StaleGeneration, because a newer slot may have commands of its own.
        """
        ready = self._folder(workspace.workspace_id).ready()
        if ready is not None and workspace.generation < ready.workspace.generation:
            raise self._stale(workspace.workspace_id, workspace.generation, ready.workspace.generation)
        if self._archive is not None:
            self._archive.forget(workspace.workspace_id)
        await self._egress.closed(workspace.workspace_id)
        await self._git.close(self._folder(workspace.workspace_id).path)
        return await self._runner.kill_all(f"{workspace.workspace_id}/", "the workspace was released")

    async def abandon(self, task_id: str) -> int:
        """End every command of a workspace that is still being made; how many were running."""
        await self._egress.closed(task_id)
        return await self._runner.kill_all(f"{task_id}/", "the session was cancelled")

    async def discard(self, task_id: str) -> int:
        """End all that runs in a workspace and remove it, with its runs and their output; how many were running.

        It can be repeated from wherever it was cut off; what is in the store stays.

        Raises: WorkspaceFailed, when a folder cannot be removed.
        """
        ended = await self.abandon(task_id)
        if self._archive is not None:
            self._archive.forget(task_id)
        folder = self._folder(task_id)
        await self._git.close(folder.path)
        folder.forget_ready()
        await self.mark_released_task(task_id)
        if not await asyncio.to_thread(removed, folder.path):
            raise WorkspaceFailed(f"{folder.path} cannot be removed")
        await asyncio.to_thread(self._runner.cleanup, f"{task_id}/")
        return ended

    async def known(self, prefix: str) -> list[str]:
        """The tasks whose ids begin with `prefix` that have left anything here: a workspace, or runs."""
        return await asyncio.to_thread(self._known, prefix)

    def _known(self, prefix: str) -> list[str]:
        places = (self._data_dir / "workspaces", self.outputs_root)
        names = {path.name for place in places for path in place.glob("*")}
        return sorted(name for name in names if name.startswith(prefix) and ids.is_task_id(name))

    async def close(self) -> None:
        """End what stands ready for the workspaces of this host; their commands go on under their supervisors."""
        await self._git.close_all()

    async def mark_held(self, workspace: Workspace) -> None:
        """Remember over a restart that a session holds the workspace.

        Raises: DiskFull.
        """
        await asyncio.to_thread(self._folder(workspace.workspace_id).write_held, workspace)

    async def mark_released(self, workspace: Workspace) -> None:
        """Nobody holds it any more."""
        await self.mark_released_task(workspace.workspace_id)

    async def mark_released_task(self, task_id: str) -> None:
        """The same by the task's id."""
        await asyncio.to_thread(self._folder(task_id).write_held, None)

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

    def run_prefix(self, workspace: Workspace, prefix: str) -> str:
        """`prefix` for runs that must not be taken for those in an earlier tree on this host; raises as `open` does."""
        return ids.run_prefix_of_life(prefix, self._opened(workspace)[1].life)

    def shell(
        self,
        workspace: Workspace,
        command: str,
        *,
        timeout_seconds: float | None = None,
        background: bool = False,
        env: Mapping[str, str] | None = None,
    ) -> CommandSpec:
        """A bash command in the root of the tree, inside the sandbox; raises as `open` does.

        It reaches the network of the workspace only while that is opened (`network_opened`).
        """
        folder, profile = self.open(workspace), _profile_of(workspace)
        socket = self._egress.socket(workspace.workspace_id, NetworkPhase.AGENT, profile)
        return self._bash(folder, command, socket, timeout_seconds=timeout_seconds, background=background, env=env)

    async def network_opened(self, workspace: Workspace) -> None:
        """Make sure that commands reach what the workspace's network profile allows.

        Raises: BadInput, where this host lacks the profile; DiskFull; HostError.
        """
        await self._egress.opened(workspace.workspace_id, NetworkPhase.AGENT, _profile_of(workspace))

    async def network_use(self, workspace: Workspace) -> tuple[NetworkUse, bytes] | None:
        """What its commands asked of the network on this host, and the log of it; None where they had none."""
        use = await self._egress.use(workspace.workspace_id)
        if use is None:
            return None
        return use, await asyncio.to_thread(self._egress.log, workspace.workspace_id)

    def _making(
        self, task: TaskSpec, generation: int, folder: WorkspaceFolder, on_progress: Callable[[str], None]
    ) -> Making:
        making = Making(
            task=task,
            generation=generation,
            host_id=self._host_id,
            folder=folder,
            runner=self._runner,
            run=self._git.outside,
            inside=self._git.inside(folder.path),
            facts=self._git.facts(folder.path),
            empty=self._empty,
            archive=self._archive,
            huge_bytes=self._huge_bytes,
            skip=self._data_dir,
            egress=self._egress,
            bash=lambda command, socket: self._bash(
                folder, command, socket, timeout_seconds=task.setup_timeout_seconds
            ),
            on_progress=on_progress,
            secrets=self._secrets,
            begun=self._begun,
            clean=self._clean,
        )
        if task.sub_agent is None:
            return making
        if self._making_of_sub_agent is None:
            raise BadInput(f"{task.id}: this host makes no workspaces of sub-agents")
        return self._making_of_sub_agent(making, self.prepare, lambda beside: self._git.inside(beside.path))

    async def _is_up_to_date(self, workspace: Workspace, generation: int) -> bool:
        """Whether nobody has worked on elsewhere."""
        if self._archive is None or ids.is_seed_id(workspace.workspace_id):
            return True
        self._archive.forget(workspace.workspace_id)
        history = await self._archive.history(workspace.workspace_id)
        return await history.is_up_to_date(workspace, generation)

    def _bash(
        self,
        folder: WorkspaceFolder,
        command: str,
        proxy_socket: str,
        *,
        timeout_seconds: float | None = None,
        background: bool = False,
        env: Mapping[str, str] | None = None,
    ) -> CommandSpec:
        folder.tmp.mkdir(exist_ok=True)  # a release before this one has made none
        confined = self._in_tree(folder, ("bash", "-c", command), env or {})
        wrapped = self._sandbox.wrap(replace(confined, proxy_socket=proxy_socket))
        return CommandSpec.of(
            wrapped,
            timeout_seconds=timeout_seconds,
            background=background,
        )

    def _in_tree(
        self, folder: WorkspaceFolder, argv: tuple[str, ...], env: Mapping[str, str] | None = None
    ) -> SandboxCommand:
        return SandboxCommand(
            argv=argv,
            cwd=str(folder.tree),
            workspace_root=str(folder.tree),
            home=str(folder.home),
            tmp=str(folder.tmp),
            group=folder.path.name,
            env=env or {},
            seen_root=folder.seen_root,
            seen_home=folder.seen_home,
        )

    async def require_sandbox(self, workspace: Workspace, output: str) -> None:
        """See whether a command that failed with this output was run at all.

        Raises:
            HostError: its sandbox cannot be entered.
        """
        if why := await self._sandbox.broken(self._in_tree(self.open(workspace), ("true",)), output):
            raise HostError(f"sandbox: {why}")

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
        return replace(folder, seen_root=ready.seen_root, seen_home=ready.seen_home), ready

    def _folder_of(self, task: TaskSpec) -> WorkspaceFolder:
        """The folder of a task; a sub-agent's commands see it at the lead's paths, where a sandbox can show it."""
        folder, sub_agent = self._folder(task.id), task.sub_agent
        if sub_agent is None or self._sandbox.name == NoSandbox.name:
            return folder
        return replace(folder, seen_root=sub_agent.root, seen_home=sub_agent.home)

    def _folder(self, task_id: str) -> WorkspaceFolder:
        return WorkspaceFolder(self._data_dir / "workspaces" / task_id)

    def _shadow(self, folder: WorkspaceFolder, protected: tuple[str, ...]) -> Shadow:
        run, facts = self._git.inside(folder.path), self._git.facts(folder.path)
        return Shadow(folder.shadow, folder.tree, protected, run, self._huge_bytes, facts)

    def _stale(self, name: str, called: int, holding: int) -> StaleGeneration:
        return StaleGeneration(f"workspace {name} is held by slot {holding}; this call was made under slot {called}")


def _profile_of(workspace: Workspace) -> str:
    return workspace.network.profile if workspace.network is not None else NO_NETWORK
