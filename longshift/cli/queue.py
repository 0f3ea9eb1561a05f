"""`queue …`: what waits for a host, and what people decide about it. How the page looks is in `queue_page`."""

import asyncio
import math
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.text import Text
from temporalio.client import Client

from longshift import queue_control
from longshift.cli import queue_page
from longshift.cli.command import TaskId, TaskIds, command, default_command
from longshift.cli.exit_codes import ExitCode
from longshift.cli.failures import explain
from longshift.cli.invocation import Invocation
from longshift.cli.terminal_text import clean
from longshift.cli.words import this_person
from longshift.contracts.errors import BadInput, LongshiftError
from longshift.contracts.session import Reprioritise, SessionState
from longshift.contracts.task import FAIRNESS_KEY_MAX_BYTES
from longshift.hosts import list_hosts
from longshift.queue_census import take_census
from longshift.queue_control import QueueControl
from longshift.search_attributes import expected_search_attributes
from longshift.sessions import updates
from longshift.sessions.failures import SessionRefused
from longshift.sessions.view import read_session

OFF = "off"
RATE_LIMITS = (0.001, 1_000.0)
WEIGHT_LIMITS = (0.001, 1_000.0)

First = Annotated[int, typer.Option("--limit", min=0, max=200, help="Show this many of the sessions that wait.")]
Why = Annotated[str, typer.Option("--reason", help="Shown to whoever looks at the queue.")]
CancelReason = Annotated[str, typer.Option("--reason", help="Kept in the session's report.")]
Rate = Annotated[str, typer.Argument(metavar="N|off", help="Sessions per second, over all hosts; off: no limit.")]
Key = Annotated[str, typer.Argument(metavar="KEY", help="A fairness key, as the queue shows it.")]
Weight = Annotated[str, typer.Argument(metavar="W|off", help="2 gives twice as many turns as 1; off: as tasks say.")]
Priority = Annotated[int, typer.Option("--priority", min=1, max=5, help="1 goes first, 5 last.")]


def register(app: typer.Typer) -> None:
    """Put the commands onto the command line."""
    group = typer.Typer(help="Show what waits for a host; pause it, slow it down, move and remove sessions.")
    app.add_typer(group, name="queue")

    @default_command(group)
    async def queue(run: Invocation, limit: First = 10) -> int:
        """Show what waits for a host; pause it, slow it down, move and remove sessions."""
        return await _show(run, limit)

    @command(group, "show")
    async def show(run: Invocation, limit: First = 10) -> int:
        """Show what waits, by priority and by fairness key, and who holds the slots."""
        return await _show(run, limit)

    @command(group, "pause")
    async def pause(run: Invocation, reason: Why = "") -> int:
        """Let no session out of the queue; those that have a host go on."""
        if len(reason) > queue_control.REASON_MAX_CHARACTERS:
            raise BadInput(f"--reason: at most {queue_control.REASON_MAX_CHARACTERS} characters; shorten it")
        return _tell(run, "pause", await queue_control.pause(await run.client(), by=this_person(), reason=reason))

    @command(group, "resume")
    async def resume(run: Invocation) -> int:
        """Let sessions out again, at the rate from before the pause."""
        return _tell(run, "resume", await queue_control.resume(await run.client(), by=this_person()))

    @command(group, "rate")
    async def rate(run: Invocation, per_second: Rate, reason: Why = "") -> int:
        """Limit how many sessions leave the queue per second."""
        wanted = _number("N", per_second, RATE_LIMITS, " (to stop it, `longshift queue pause`)")
        control = await queue_control.set_rate(await run.client(), wanted, by=this_person(), reason=reason)
        return _tell(run, "rate", control)

    @command(group, "weight")
    async def weight(run: Invocation, key: Key, value: Weight) -> int:
        """Let a fairness key have more or fewer turns than its tasks say, for what is queued from now on."""
        if len(key.encode()) > FAIRNESS_KEY_MAX_BYTES:
            raise BadInput(f"KEY: has more than {FAIRNESS_KEY_MAX_BYTES} bytes; copy it from `longshift queue`")
        wanted = _number("W", value, WEIGHT_LIMITS)
        return _tell(run, "weight", await queue_control.set_weight(await run.client(), key, wanted, by=this_person()))

    @command(group, "move")
    async def move(run: Invocation, task_id: TaskId, priority: Priority) -> int:
        """Give a queued session another priority."""
        answer = await updates.tell(await run.client(), task_id, "reprioritise", Reprioritise(priority=priority))
        data = {"task_id": task_id, "action": "move", "answer": answer}
        run.out.document(data, Text(f"{task_id}: {clean(answer)}"))
        return ExitCode.OK

    @command(group, "remove")
    async def remove(run: Invocation, task_ids: TaskIds, reason: CancelReason = "") -> int:
        """Cancel sessions that still wait for their first host; any other is left alone."""
        return await _remove(run, task_ids, reason or "removed from the queue")


async def _show(run: Invocation, limit: int) -> int:
    client, now = await run.client(), datetime.now(UTC)
    with expected_search_attributes():
        census, control, hosts = await asyncio.gather(
            take_census(client, now, first=limit), queue_control.read_control(client), list_hosts(client, now)
        )
    data = {"queue": census, "control": control, "slots": queue_page.slots(hosts)}
    run.out.document(data, queue_page.page(census, control, hosts, now))
    return ExitCode.OK


def _tell(run: Invocation, action: str, control: QueueControl) -> int:
    run.out.document({"action": action, "control": control}, *queue_page.control_lines(control))
    return ExitCode.OK


async def _remove(run: Invocation, task_ids: list[str], reason: str) -> int:
    client = await run.client()
    told: list[dict[str, object]] = []
    lines: list[Text] = []
    code = ExitCode.OK
    for task_id in task_ids:
        try:
            answer, style = await _removed(client, task_id, reason), ""
        except LongshiftError as error:
            failure = explain(error)
            answer, style = failure.message, "red"
            code = code or failure.code
        told.append({"task_id": task_id, "is_removed": not style, "answer": answer})
        lines.append(Text(f"{task_id}: {clean(answer)}", style=style))
    run.out.document({"action": "remove", "sessions": told}, *lines)
    return code


async def _removed(client: Client, task_id: str, reason: str) -> str:
    """What came of it.

    Raises:
        SessionRefused: the session does not wait for its first host.
        SessionMissing: there is no such session.
        WorkerAbsent: nobody took it.
    """
    view = await read_session(client, task_id)
    if view.status.state is not SessionState.QUEUED:
        raise SessionRefused(f"is {view.status.state.value} and stays (`longshift cancel` ends it)")
    if view.status.workspace is not None:
        raise SessionRefused("has worked already and waits to go on; it stays (`longshift cancel` ends it)")
    if view.remark:
        return await updates.cancel_later(client, task_id, "")
    return await updates.tell(client, task_id, "cancel", reason)


def _number(name: str, text: str, limits: tuple[float, float], hint: str = "") -> float | None:
    """A number, or None for `off`.

    Raises:
        BadInput: it is neither, or out of bounds.
    """
    if text == OFF:
        return None
    least, most = limits
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not least <= number <= most:
        raise BadInput(f"{name}: {text!r} is no number from {least:g} to {most:,.0f}, nor {OFF!r}{hint}")
    return number
