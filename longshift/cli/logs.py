"""`logs`: the transcript out of the store. It needs an engine only to know when following is over."""

import asyncio
from collections.abc import Iterable
from typing import Annotated

import typer

from longshift.cli import render_transcript
from longshift.cli.command import TaskId, command
from longshift.cli.engine_link import EngineLink
from longshift.cli.exit_codes import ExitCode
from longshift.cli.invocation import Invocation
from longshift.contracts.errors import BadInput
from longshift.sessions import transcript_document
from longshift.sessions.transcript_reader import AnswerEntry, Entry, SealEntry, TranscriptReader
from longshift.sessions.view import read_session

POLL_SECONDS = 1.0

Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on until the session has ended.")]
OneStep = Annotated[int | None, typer.Option("--step", min=1, help="Only this step.")]
Full = Annotated[bool, typer.Option("--full", help="Show long results in full.")]


def register(app: typer.Typer) -> None:
    """Put the command onto the command line."""

    @command(app, "logs")
    async def logs(
        run: Invocation, task_id: TaskId, follow: Follow = False, step: OneStep = None, full: Full = False
    ) -> int:
        """Print the transcript: answers, calls, results, messages."""
        if follow and step is not None:
            raise BadInput("--follow and --step do not go together; leave one of them out")
        reader = TranscriptReader(run.store, task_id)
        if follow:
            return await _follow(run, task_id, reader, full)
        found = [entry for entry in await reader.rest() if step is None or _is_of(entry, step)]
        if not found:
            await run.require_stored(task_id)
            what = "no answer of the model yet" if step is None else f"no step {step} (yet)"
            run.out.remark(f"{what}; `longshift status {task_id}` says how the session stands")
        if run.out.json:
            run.out.document({"task_id": task_id, "entries": [transcript_document.document(each) for each in found]})
        else:
            _show(run, found, full or step is not None)
        return ExitCode.OK


def _show(run: Invocation, entries: Iterable[Entry], full: bool) -> None:
    for entry in entries:
        run.out.event(transcript_document.document(entry), *render_transcript.full(entry, all_lines=full))


def _is_of(entry: Entry, step: int) -> bool:
    return isinstance(entry, (AnswerEntry, SealEntry)) and entry.step == step


async def _follow(run: Invocation, task_id: str, reader: TranscriptReader, full: bool) -> int:
    link = EngineLink(run, await run.client())
    while True:
        view = await link.ask(lambda client: read_session(client, task_id))
        _show(run, await reader.rest(), full)
        if view is not None and view.closed_at is not None:
            return ExitCode.OK
        await asyncio.sleep(POLL_SECONDS)
