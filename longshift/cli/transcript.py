"""`transcript`: the whole transcript out of the store, as Markdown for people or JSON lines for programs. No engine."""

import sys
from collections.abc import AsyncGenerator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import orjson
import typer
from pydantic import BaseModel

from longshift.adapters.store.swarm_reports import SwarmReports
from longshift.cli.command import TaskId, command
from longshift.cli.exit_codes import ExitCode
from longshift.cli.invocation import Invocation
from longshift.cli.output import write_bytes
from longshift.cli.transcript_markdown import markdown
from longshift.contracts import ids
from longshift.contracts.errors import BadInput
from longshift.contracts.ids import LEAD
from longshift.policy import swarm_words
from longshift.sessions.transcript_document import document
from longshift.sessions.transcript_reader import AnswerEntry, Entry, SealEntry, TranscriptReader


class Format(StrEnum):
    """Forms of a transcript."""

    MARKDOWN = "markdown"
    JSONL = "jsonl"


AsFormat = Annotated[
    Format | None, typer.Option("--format", help="markdown for people (the default), jsonl for programs.")
]
OutputFile = Annotated[Path | None, typer.Option("--output", metavar="FILE", help="Write it into this new file.")]
Agent = Annotated[str, typer.Option("--agent", help="Whose transcript it is.")]
Shift = Annotated[int | None, typer.Option("--shift", min=1, help="Only this shift; all of them without it.")]
FromStep = Annotated[int, typer.Option("--from-step", min=1, help="Only from this step on.")]
ToStep = Annotated[int | None, typer.Option("--to-step", min=1, help="Only up to and including this step.")]
Epochs = Annotated[bool, typer.Option("--epochs", help="Only what each epoch began with, and last notes.")]
OfItem = Annotated[str, typer.Option("--item", metavar="ITEM", help="That of the sub-agent of this item.")]
SwarmName = Annotated[str, typer.Option("--swarm", metavar="N", help="Of which swarm; else the latest with that item.")]
Full = Annotated[bool, typer.Option("--full", help="Leave long results whole in Markdown.")]


def register(app: typer.Typer) -> None:
    """Put the command onto the command line."""

    @command(app, "transcript")
    async def transcript(
        run: Invocation,
        task_id: TaskId,
        form: AsFormat = None,
        output: OutputFile = None,
        agent: Agent = LEAD,
        shift: Shift = None,
        from_step: FromStep = 1,
        to_step: ToStep = None,
        epochs: Epochs = False,
        full: Full = False,
        item: OfItem = "",
        swarm: SwarmName = "",
    ) -> int:
        """Export a transcript, whole or in part: epochs, answers, calls, results, messages, notes."""
        form = form or (Format.JSONL if run.out.json and output is None else Format.MARKDOWN)
        if run.out.json and output is None and form is Format.MARKDOWN:
            raise BadInput("--format: markdown is no JSON; leave out --json, or add --output")
        await run.require_stored(task_id)
        whose = await _task_of_item(run, task_id, item, swarm) if item else task_id
        reader = TranscriptReader(run.store, whose, agent, shift or 0)
        wanted = _chosen(reader, from_step, to_step, epochs_only=epochs)
        parts = [_part(entry, form, full=full) async for entry in wanted]
        head = f"# Transcript of {whose}\n\n".encode() if form is Format.MARKDOWN else b""
        body = head + b"".join(parts)
        if output is None:
            write_bytes(body)
        else:
            _write(output, body)
            run.out.document({"task_id": task_id, "written": str(output), "entries": len(parts)}, str(output))
        if not parts:
            run.out.remark(f"nothing of that is in the store (yet); `longshift status {task_id}` says how it stands")
        return ExitCode.OK


async def _task_of_item(run: Invocation, task_id: str, item: str, swarm: str) -> str:
    """The task that the runner wrote for an item; of the latest swarm that has it, where none is named.

    Raises:
        BadInput: no such item was ever begun.
    """
    found = [each for each in await SwarmReports(run.store).begun(task_id, item) if swarm_words.chosen((each,), swarm)]
    if found:
        return ids.item_task_id(found[-1], item)
    raise BadInput(f"--item: the store has no item {item!r} of {task_id}; `longshift swarm {task_id}` lists its items")


async def _chosen(
    reader: TranscriptReader, from_step: int, to_step: int | None, *, epochs_only: bool
) -> AsyncGenerator[Entry]:
    """The entries that are asked for; what each epoch began with is always among them."""
    while (entry := await reader.next()) is not None:
        if not isinstance(entry, AnswerEntry | SealEntry) or (
            not epochs_only and from_step <= entry.step <= (to_step or sys.maxsize)
        ):
            yield entry


def _part(entry: Entry, form: Format, *, full: bool) -> bytes:
    if form is Format.MARKDOWN:
        return markdown(entry, full=full).encode(errors="replace")
    return orjson.dumps(document(entry), default=_plain, option=orjson.OPT_APPEND_NEWLINE)


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"no JSON form of {type(value).__name__}")


def _write(path: Path, body: bytes) -> None:
    """Write a new file; one that is there stays.

    Raises:
        BadInput: it cannot be written there.
    """
    try:
        with path.open("xb") as file:
            file.write(body)
    except FileExistsError:
        raise BadInput(f"--output: {path} exists; remove it or choose another name") from None
    except OSError as error:
        raise BadInput(f"--output: {path} cannot be written ({error.strerror}); choose another path") from error
