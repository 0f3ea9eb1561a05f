"""`artifacts`: what a session left in the store. Needs no engine."""

from pathlib import Path, PurePosixPath
from typing import Annotated

import typer
from rich.text import Text

from longshift.cli.command import TaskId, command
from longshift.cli.exit_codes import ExitCode
from longshift.cli.invocation import Invocation
from longshift.cli.output import write_bytes
from longshift.cli.terminal_text import clean
from longshift.contracts import ids
from longshift.contracts.errors import BadInput

Name = Annotated[
    str | None, typer.Option("--get", metavar="NAME", help="Print this one as it is, or write it to --output.")
]
Folder = Annotated[Path | None, typer.Option("--output", metavar="DIR", help="Write the files into this folder.")]


def register(app: typer.Typer) -> None:
    """Put the command onto the command line."""

    @command(app, "artifacts")
    async def artifacts(run: Invocation, task_id: TaskId, name: Name = None, output: Folder = None) -> int:
        """List what a session left behind: patch, report and other results."""
        if name is not None and output is None and run.out.json:
            raise BadInput("--get: prints the file as it is, which need not be JSON; leave out --json or add --output")
        names = await _names(run, task_id)
        if name is not None and name not in names:
            raise BadInput(f"--get: {task_id} has no artifact {name!r}; there are: {', '.join(names) or 'none'}")
        if output is not None:
            written = [await _write(run, task_id, each, output) for each in ([name] if name else names)]
            _list(run, task_id, "written", written)
        elif name is not None:
            write_bytes(await run.store.get(ids.artifact_key(task_id, name)))
        else:
            _list(run, task_id, "artifacts", names)
        return ExitCode.OK


def _list(run: Invocation, task_id: str, what: str, found: list[str]) -> None:
    run.out.document({"task_id": task_id, what: found}, *(Text(clean(each)) for each in found))
    if not found:
        run.out.remark(f"{task_id} has left nothing yet")


async def _names(run: Invocation, task_id: str) -> list[str]:
    await run.require_stored(task_id)
    prefix = ids.artifact_key(task_id, "")
    return [key.removeprefix(prefix) for key in await run.store.list(prefix)]


async def _write(run: Invocation, task_id: str, name: str, folder: Path) -> str:
    """Write one file, and give its path; another file of that name stays.

    Raises:
        BadInput: it cannot be written there.
    """
    relative = PurePosixPath(name)
    if relative.is_absolute() or ".." in relative.parts:
        raise BadInput(f"--output: the artifact's name {name!r} leads out of the folder; print it with --get instead")
    path, body = folder / name, await run.store.get(ids.artifact_key(task_id, name))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.read_bytes() != body:
            raise BadInput(f"--output: {path} exists with other content; remove it or choose another folder")
        path.write_bytes(body)
    except OSError as error:
        raise BadInput(f"--output: {path} cannot be written ({error.strerror}); choose another folder") from error
    return str(path)
