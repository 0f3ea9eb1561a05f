"""`artifacts`: what a session left in the store. Needs no engine."""

import sys
from pathlib import Path, PurePosixPath
from typing import Annotated

import typer
from rich.text import Text

from longshift.cli.command import TaskId, command
from longshift.cli.exit_codes import ExitCode
from longshift.cli.failures import SessionMissing
from longshift.cli.invocation import Invocation
from longshift.cli.terminal_text import clean
from longshift.contracts import ids
from longshift.contracts.errors import BadInput

Name = Annotated[str | None, typer.Option("--get", metavar="NAME", help="Print this one, or write it to --output.")]
Folder = Annotated[Path | None, typer.Option("--output", metavar="DIR", help="Write the files into this folder.")]


def register(app: typer.Typer) -> None:
    """Put the command onto the command line."""

    @command(app, "artifacts")
    async def artifacts(run: Invocation, task_id: TaskId, name: Name = None, output: Folder = None) -> int:
        """List what a session left behind: patch, report and other results."""
        names = await _names(run, task_id)
        if name is not None and name not in names:
            there = ", ".join(names) or "none"
            raise BadInput(f"--get: {task_id} has no artifact {name!r}; there are: {there}")
        if name is not None and output is None:
            sys.stdout.buffer.write(await run.store.get(ids.artifact_key(task_id, name)))
            sys.stdout.buffer.flush()
            return ExitCode.OK
        if output is None:
            listed = [Text(each) for each in names] or [Text(f"{task_id} has left nothing yet", style="dim")]
            run.out.document({"task_id": task_id, "artifacts": names}, *listed)
            return ExitCode.OK
        written = [await _write(run, task_id, each, output) for each in ([name] if name else names)]
        run.out.document({"task_id": task_id, "written": written}, *(Text(clean(str(path))) for path in written))
        return ExitCode.OK


async def _names(run: Invocation, task_id: str) -> list[str]:
    if not ids.is_task_id(task_id) or await run.store.find(ids.task_key(task_id)) is None:
        raise SessionMissing(f"the store has no session {task_id!r}; `longshift list` shows the ones there are")
    prefix = ids.artifact_key(task_id, "")
    return [key.removeprefix(prefix) for key in await run.store.list(prefix)]


async def _write(run: Invocation, task_id: str, name: str, folder: Path) -> Path:
    """Write one file; another file of that name stays.

    Raises:
        BadInput: it cannot be written there.
    """
    parts = PurePosixPath(name).parts
    if PurePosixPath(name).is_absolute() or ".." in parts:
        raise BadInput(f"--output: the artifact's name {name!r} leads out of the folder; print it with --get instead")
    path, body = folder / name, await run.store.get(ids.artifact_key(task_id, name))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.read_bytes() != body:
            raise BadInput(f"--output: {path} exists with other content; remove it or choose another folder")
        path.write_bytes(body)
    except OSError as error:
        raise BadInput(f"--output: {path} cannot be written ({error.strerror}); choose another folder") from error
    return path
