"""`requeue`: the same task once more. What makes a second try one and the same is in `longshift.requeue`."""

from typing import Annotated

import typer
from rich.text import Text
from temporalio.client import Client

from longshift import requeue as again
from longshift.cli.command import TaskId, command, optional_task_id
from longshift.cli.exit_codes import ExitCode
from longshift.cli.invocation import Invocation
from longshift.cli.submit import refuse_leftovers
from longshift.contracts.session import SessionState
from longshift.sessions.failures import SessionMissing, SessionRefused
from longshift.sessions.view import read_session

NewId = Annotated[
    str | None, typer.Option("--as", callback=optional_task_id, help="The new session's id, instead of ID.r2, ID.r3, …")
]
Force = Annotated[bool, typer.Option("--force", help="Even if the session is done.")]


def register(app: typer.Typer) -> None:
    """Put the command onto the command line."""

    @command(app, "requeue")
    async def requeue(run: Invocation, task_id: TaskId, new_id: NewId = None, force: Force = False) -> int:
        """Queue the task of a session that failed, was cancelled or expired once more, as a new session."""
        client = await run.client()
        await _require_ended(client, task_id, force=force)
        task = await again.task_for_requeue(run.store, task_id, new_id)
        await refuse_leftovers(run, client, task, option="--as")
        submission = await again.requeue(client, run.settings, task, source=task_id)
        state = SessionState.QUEUED if submission.is_new else (await read_session(client, task.id)).status.state
        data = {"task_id": task.id, "requeue_of": task_id, "is_new": submission.is_new, "state": state}
        known = f"{task_id} was queued again before, as {task.id}, which is {state.value}; nothing new was started"
        text = f"queued {task_id} again as {task.id}" if submission.is_new else known
        run.out.document(data, Text(text, style="" if submission.is_new else "yellow"))
        return ExitCode.OK


async def _require_ended(client: Client, task_id: str, *, force: bool) -> None:
    """Make sure that the task is not worked on, and not done already.

    Raises:
        SessionRefused: it is.
    """
    try:
        state = (await read_session(client, task_id)).status.state
    except SessionMissing:
        if not force:
            raise
        return  # the engine forgets what ended long ago; the store has the last word
    if not state.is_final:
        raise SessionRefused(f"{task_id} is {state.value}: only a session that has ended is queued again")
    if state is SessionState.DONE and not force:
        raise SessionRefused(f"{task_id} is done; to do it once more all the same, add --force")
