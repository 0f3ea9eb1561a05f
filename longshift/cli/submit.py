"""`submit` and `run`: hand a task file to the engine, and follow it."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text
from temporalio.client import Client

from longshift.cli.command import command
from longshift.cli.exit_codes import ExitCode
from longshift.cli.follow import follow
from longshift.cli.invocation import Invocation
from longshift.cli.terminal_text import one_line
from longshift.contracts import ids
from longshift.contracts.errors import BadInput
from longshift.contracts.session import SessionState
from longshift.contracts.task import TaskSpec
from longshift.sessions.failures import SessionMissing
from longshift.sessions.view import SessionView, read_session, web_url
from longshift.submission import submit
from longshift.taskfile import load_task, task_hash

TaskFile = Annotated[Path, typer.Argument(metavar="TASK", help="A task file: .md, .yaml or .json.")]
OwnId = Annotated[str | None, typer.Option("--id", help="Instead of the task file's own id.")]
RemotePaths = Annotated[
    bool,
    typer.Option("--remote-paths", help="The workspace's paths are on another machine: do not look for them here."),
]
Wait = Annotated[
    bool,
    typer.Option(
        "--wait-for-people/--no-wait-for-people", help="Stay while the session waits for a person, or exit with 6."
    ),
]


def register(app: typer.Typer) -> None:
    """Put the commands onto the command line."""

    @command(app, "submit")
    async def submit_task(
        run: Invocation, task: TaskFile, task_id: OwnId = None, remote_paths: RemotePaths = False
    ) -> int:
        """Hand a task to the engine and return. The same task a second time finds the session that exists."""
        spec = load_task(task, task_id=task_id, check_places=not remote_paths)
        await hand_over(run, await run.client(), spec)
        return ExitCode.OK

    @command(app, "run")
    async def run_task(
        run: Invocation,
        task: TaskFile,
        task_id: OwnId = None,
        remote_paths: RemotePaths = False,
        wait_for_people: Wait = True,
    ) -> int:
        """Hand a task to the engine and follow it to its end. Ctrl-C leaves the session running."""
        spec = load_task(task, task_id=task_id, check_places=not remote_paths)
        client = await run.client()
        await hand_over(run, client, spec)
        return await follow(run, client, spec.id, wait_for_people=wait_for_people)


async def hand_over(run: Invocation, client: Client, task: TaskSpec) -> None:
    """Submit a task and say so; one that was submitted before is found.

    Raises as `submit` does.
    """
    await refuse_leftovers(run, client, task)
    submission = await submit(client, run.settings, task)
    view = await read_session(client, task.id) if not submission.is_new else None
    state = view.status.state if view else SessionState.QUEUED
    url = web_url(run.settings, view)
    data = {
        "event": "submitted",
        "task_id": task.id,
        "task_hash": task_hash(task),
        "is_new": submission.is_new,
        "state": state,
        "url": url,
    }
    if task.start_from is not None:
        data["started_from"] = task.start_from.place
    run.out.event(data, *_lines(task, view, url))


def _lines(task: TaskSpec, view: SessionView | None, url: str) -> list[Text]:
    if view is None:
        origin = f", from {task.start_from.place}" if task.start_from is not None else ""
        lines = [Text.assemble("submitted ", (task.id, "bold"), f"{origin}: {one_line(task.title)}")]
    else:
        text = f"this very task is known as {task.id} and is {view.status.state.value}; nothing new was started"
        lines = [Text(text, style="yellow")]
        if view.status.state.is_final:
            lines.append(Text(f"to run it again, give it another id: --id {_next_id(task.id)}", style="dim"))
    return [*lines, Text(f"Web UI  {url}", style="dim")] if url else lines


def _next_id(task_id: str) -> str:
    head, _, number = task_id.rpartition("-")
    return f"{head}-{int(number) + 1}" if head and number.isdecimal() and len(number) < 5 else f"{task_id[:96]}-2"


async def refuse_leftovers(run: Invocation, client: Client, task: TaskSpec, *, option: str = "--id") -> None:
    """The store overwrites nothing, so a new session must not meet the records of an old one.

    Raises:
        BadInput: the store knows the id, but the engine has forgotten it.
    """
    if await run.store.find(ids.task_key(task.id)) is None:
        return
    try:
        await read_session(client, task.id)
    except SessionMissing:
        raise BadInput(
            f"id: {task.id!r} was used by a session that the engine has forgotten, and its records are still in the "
            f"store; choose another id, such as {option} {_next_id(task.id)}"
        ) from None
