"""Running a task's setup commands, each at most once per fetched tree, across crashes of the worker."""

import asyncio
import uuid
from collections.abc import Callable, Sequence

from longshift.adapters.process.command_spec import CommandSpec
from longshift.adapters.process.run_state import Finished, Lost, NotStarted, Running
from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.workspace.beneath import removed
from longshift.adapters.workspace.folder import SetupProgress, WorkspaceFolder
from longshift.contracts.checkpoints import CheckpointPlace
from longshift.contracts.errors import WorkspaceFailed

ATTEMPTS = 3
OUTPUT_CHARACTERS = 3_000


class SetupLost(Exception):
    """The supervisor of a setup command died, so what the command has done is unknown."""


async def run_setup(
    runner: ProcessRunner,
    key_prefix: str,
    commands: Sequence[tuple[str, CommandSpec]],
    on_progress: Callable[[str], None],
    clean: Callable[[str], str] = str,
) -> None:
    """Run the commands in order; one that has ended is not run again, one that runs is waited for.

    Where a command was given secrets, its output is removed when it has ended: an agent may read what lies there. What
    is shown of it went through `clean`.

    Raises:
        WorkspaceFailed: a command failed; the text has its exit code and the end of its output.
        SetupLost: what a command has done is unknown.
    """
    for index, (command, spec) in enumerate(commands):
        key = f"{key_prefix}/{index:03d}"
        on_progress(f"setup command {index + 1} of {len(commands)}: {command[:100]}")
        state = await runner.start(key, spec)
        if isinstance(state, Running | NotStarted):
            state = await runner.wait(key)
        if isinstance(state, Lost):
            raise SetupLost(f"setup command {index + 1} of {len(commands)} ({command!r}): {state.why}")
        if not isinstance(state, Finished) or not _is_success(state):
            end = clean(runner.output(key, OUTPUT_CHARACTERS).text.strip())
            await _forget_output(runner, key, spec)
            raise WorkspaceFailed(
                f"setup command {index + 1} of {len(commands)} {_ending(state)}: {command}\n{end or '(no output)'}"
            )
        await _forget_output(runner, key, spec)


async def _forget_output(runner: ProcessRunner, key: str, spec: CommandSpec) -> None:
    if spec.secret_env:
        await asyncio.to_thread(runner.forget_output, key)


def _is_success(state: Finished) -> bool:
    """Whether it ended by itself: one that was asked to end may say 0 and yet have done half of its work."""
    return state.exit_code == 0 and not state.timed_out and state.killed_reason is None


def _ending(state: Finished | NotStarted | Running) -> str:
    if not isinstance(state, Finished):
        return "did not start"
    if state.timed_out:
        return f"was ended after {state.duration_seconds:.0f} seconds (setup_timeout_seconds)"
    if state.killed_reason is not None:
        return f"was ended: {state.killed_reason}"
    if state.exit_code is None:
        return f"was ended by signal {state.signal}"
    return f"failed with exit code {state.exit_code}"


def begin_again(folder: WorkspaceFolder, lost: SetupLost) -> None:
    """Give up a tree whose setup is in an unknown state, so that the next attempt starts from its source.

    Raises:
        WorkspaceFailed: it happened too often.
    """
    progress = folder.setup_progress()
    if progress.lost_count + 1 >= ATTEMPTS:
        raise WorkspaceFailed(f"the setup was lost {ATTEMPTS} times; the last time: {lost}") from lost
    folder.write_setup_progress(
        SetupProgress(
            attempt=progress.attempt + 1,
            is_discarded=True,
            lost_count=progress.lost_count + 1,
            life=progress.life,
            restores=progress.restores,
        )
    )


def begin_life(folder: WorkspaceFolder, generation: int, attempt: int, restores: CheckpointPlace | None) -> None:
    """Give up whatever was made here; setup commands and checks will run under keys that no run had before."""
    folder.write_setup_progress(
        SetupProgress(attempt=attempt, is_discarded=True, life=generation, restores=restores),
    )


def discard(folder: WorkspaceFolder) -> None:
    """Remove what was given up."""
    progress = folder.setup_progress()
    if not progress.is_discarded:
        return
    for path in (folder.tree, folder.shadow, folder.home, folder.tmp):
        if path.exists():
            gone = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
            path.rename(gone)
            removed(gone)
    folder.write_setup_progress(progress.model_copy(update={"is_discarded": False}))
