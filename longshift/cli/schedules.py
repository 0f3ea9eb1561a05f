"""`schedule …`: tasks that come with the clock. The engine keeps the time; how it is asked is `longshift.schedules`."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text
from temporalio.client import Client

from longshift.cli import schedule_view
from longshift.cli.command import command
from longshift.cli.exit_codes import ExitCode
from longshift.cli.invocation import Invocation
from longshift.cli.submit import RemotePaths, TaskFile
from longshift.contracts import ids
from longshift.contracts.errors import BadInput
from longshift.contracts.session import SessionInput
from longshift.policy.durations import parse_duration
from longshift.schedule_wishes import Overlap, Wishes
from longshift.schedules import (
    add_schedule,
    describe_schedule,
    firing_of,
    list_schedules,
    pause_schedule,
    remove_schedule,
    resume_schedule,
    trigger_schedule,
    update_schedule,
)
from longshift.submission import session_input
from longshift.taskfile import load_task


def _name(text: str) -> str:
    if not ids.is_schedule_name(text):
        most = ids.SCHEDULE_NAME_CHARACTERS
        raise typer.BadParameter(f"{text!r} is no name of a schedule; use up to {most} of a-z, 0-9, '.', '_' and '-'")
    return text


Name = Annotated[
    str, typer.Argument(metavar="NAME", callback=_name, help="The schedule's name; its sessions' ids begin with it.")
]
NewTask = Annotated[Path | None, typer.Argument(metavar="[TASK]", help="A task file instead of the one there is.")]
Cron = Annotated[
    list[str] | None, typer.Option("--cron", help='When, such as "0 2 * * *"; may be given several times.')
]
Every = Annotated[str | None, typer.Option("--every", help="How often, counted from 1970: 90s, 30m, 6h, 1d.")]
Timezone = Annotated[str | None, typer.Option("--timezone", help="Of --cron, such as Europe/Berlin. [default: UTC]")]
Jitter = Annotated[str | None, typer.Option("--jitter", help="Start at random up to this much later.")]
Until = Annotated[str | None, typer.Option("--until", help="No fire after this: 2026-12-24T18:00:00+01:00.")]
OverlapOption = Annotated[
    Overlap | None,
    typer.Option("--overlap", help="When the session of an earlier fire still runs. [default: buffer-all]"),
]
CatchUp = Annotated[
    str | None,
    typer.Option("--catch-up", help="How far back fires are made up for that an outage prevented. [default: 365d]"),
]
Paused = Annotated[bool, typer.Option("--paused", help="Do not fire before `schedule resume`.")]
Note = Annotated[str, typer.Option("--reason", help="Kept with the schedule until the next pause or resume.")]


def register(app: typer.Typer) -> None:
    """Put the commands onto the command line."""
    group = typer.Typer(
        help="Run tasks by the clock: each fire is a session of its own.",
        no_args_is_help=True,
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    _register_definitions(group)
    _register_controls(group)
    app.add_typer(group, name="schedule")


def _register_definitions(group: typer.Typer) -> None:
    @command(group, "add")
    async def add(
        run: Invocation,
        name: Name,
        task: TaskFile,
        cron: Cron = None,
        every: Every = None,
        timezone: Timezone = None,
        jitter: Jitter = None,
        until: Until = None,
        overlap: OverlapOption = None,
        catch_up: CatchUp = None,
        paused: Paused = False,
        remote_paths: RemotePaths = False,
    ) -> int:
        """Make a schedule for a task file. Model and limits that it leaves open are those of the settings now."""
        wishes = _wishes(cron, every, timezone, jitter, until, overlap, catch_up, paused=paused or None)
        session = _session(run, name, task, remote_paths)
        client = await run.client()
        await add_schedule(client, name, session, wishes)
        return await _show(run, client, name)

    @command(group, "list")
    async def list_all(run: Invocation) -> int:
        """List the schedules."""
        found = [schedule_view.listed(each) async for each in list_schedules(await run.client())]
        found.sort(key=lambda each: each.name)
        shown = schedule_view.table(found) if found else Text("no schedules", style="dim")
        run.out.document({"schedules": found}, shown)
        return ExitCode.OK

    @command(group, "show")
    async def show(run: Invocation, name: Name) -> int:
        """Show a schedule: its next fires, its sessions, and what was left out."""
        return await _show(run, await run.client(), name)

    @command(group, "update")
    async def update(
        run: Invocation,
        name: Name,
        task: NewTask = None,
        cron: Cron = None,
        every: Every = None,
        timezone: Timezone = None,
        jitter: Jitter = None,
        until: Until = None,
        overlap: OverlapOption = None,
        catch_up: CatchUp = None,
        remote_paths: RemotePaths = False,
    ) -> int:
        """Change what is given, and leave the rest; sessions that run or wait stay as they are."""
        session = _session(run, name, task, remote_paths) if task else None
        wishes = _wishes(cron, every, timezone, jitter, until, overlap, catch_up, session=session)
        if wishes == Wishes():
            raise BadInput("schedule: nothing to change is given; see `longshift schedule update --help`")
        client = await run.client()
        await update_schedule(client, name, wishes)
        return await _show(run, client, name)


def _register_controls(group: typer.Typer) -> None:
    @command(group, "pause")
    async def pause(run: Invocation, name: Name, reason: Note = "") -> int:
        """Fire no more until `schedule resume`; sessions that run go on."""
        await pause_schedule(await run.client(), name, reason or "paused on the command line")
        return _said(run, name, "pause", "paused; what falls into the pause is left out")

    @command(group, "resume")
    async def resume(run: Invocation, name: Name, reason: Note = "") -> int:
        """Fire again."""
        await resume_schedule(await run.client(), name, reason or "resumed on the command line")
        return _said(run, name, "resume", "fires again")

    @command(group, "run")
    async def run_now(run: Invocation, name: Name) -> int:
        """Fire once now, beside the plan; also when paused."""
        await trigger_schedule(await run.client(), name)
        return _said(run, name, "run", f"fires now, as its overlap allows (`longshift schedule show {name}`)")

    @command(group, "remove")
    async def remove(run: Invocation, name: Name) -> int:
        """Forget a schedule; sessions that run go on, fires that wait are dropped."""
        await remove_schedule(await run.client(), name)
        return _said(run, name, "remove", "removed; sessions that run go on")


async def _show(run: Invocation, client: Client, name: str) -> int:
    found = await describe_schedule(client, name)
    shown = schedule_view.view(found, await firing_of(client, found))
    run.out.document(shown, schedule_view.page(shown))
    return ExitCode.OK


def _said(run: Invocation, name: str, action: str, answer: str) -> int:
    run.out.document({"schedule": name, "action": action, "answer": answer}, Text(f"{name}: {answer}"))
    return ExitCode.OK


def _session(run: Invocation, name: str, task: Path, remote_paths: bool) -> SessionInput:
    """What each fire starts: the file's own id gives way to those of the fires."""
    return session_input(run.settings, load_task(task, task_id=name, check_places=not remote_paths))


def _wishes(
    cron: list[str] | None,
    every: str | None,
    timezone: str | None,
    jitter: str | None,
    until: str | None,
    overlap: Overlap | None,
    catch_up: str | None,
    *,
    paused: bool | None = None,
    session: SessionInput | None = None,
) -> Wishes:
    """The options as values.

    Raises:
        BadInput: one cannot be read.
    """
    return Wishes(
        cron=tuple(cron or ()),
        every=parse_duration("every", every) if every is not None else None,
        timezone=timezone,
        jitter=parse_duration("jitter", jitter) if jitter is not None else None,
        until=_moment(until) if until is not None else None,
        overlap=overlap,
        catch_up=parse_duration("catch-up", catch_up) if catch_up is not None else None,
        paused=paused,
        session=session,
    )


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise BadInput(f"until: {text!r} is no time with its zone; write it like 2026-12-24T18:00:00+01:00")
    return moment
