"""`watch`: a session, or all of them, live in the terminal. Without a terminal it tells events as `run` does."""

import asyncio
from collections import deque

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text
from temporalio.client import Client

from longshift.cli import render, render_transcript, session_list
from longshift.cli.command import OptionalTaskId, command
from longshift.cli.engine_link import EngineLink
from longshift.cli.exit_codes import ExitCode, of_state
from longshift.cli.follow import Transcript, follow
from longshift.cli.invocation import Invocation
from longshift.contracts.errors import StoreError
from longshift.contracts.session import SessionState
from longshift.sessions.listing import list_sessions
from longshift.sessions.transcript_reader import TranscriptReader
from longshift.sessions.view import SessionView, budget_of, read_session, web_url

REFRESH_SECONDS = 1.0
ACTIONS = 12
"""Lines of last actions."""
STEPS_BACK = 5
PLAN_LINES = 12
LISTED = 30
ACTIVE = frozenset(state for state in SessionState if not state.is_final)


def register(app: typer.Typer) -> None:
    """Put the command onto the command line."""

    @command(app, "watch")
    async def watch(run: Invocation, task_id: OptionalTaskId = None) -> int:
        """Watch a session, or all that are active, live. Ctrl-C ends the watching, not the session."""
        client = await run.client()
        if task_id is None:
            return await _watch_all(run, client)
        view = await read_session(client, task_id)
        if not run.out.is_live:
            return await follow(run, client, task_id)
        return await _watch_one(run, client, view)


async def _watch_one(run: Invocation, client: Client, view: SessionView) -> int:
    task_id = view.status.task_id
    link, reader = EngineLink(run, client), await _near_the_end(run, view)
    transcript, actions = Transcript(run, reader), deque[Text](maxlen=ACTIONS)
    budget = None
    with Live(console=run.out.console, auto_refresh=False, transient=False, vertical_overflow="crop") as live:
        while True:
            for entry in await transcript.news():
                actions.extend(render_transcript.brief(entry))
            budget = budget or await budget_of(run.store, task_id)
            url = web_url(run.settings, view)
            page = render.session(view, url=url, budget=budget, actions=list(actions), plan_limit=PLAN_LINES)
            live.update(_with_foot(page, link), refresh=True)
            if view.status.state.is_final and view.closed_at is not None:
                return of_state(view.status.state)
            await asyncio.sleep(REFRESH_SECONDS)
            view = await link.ask(lambda client: read_session(client, task_id)) or view


async def _near_the_end(run: Invocation, view: SessionView) -> TranscriptReader:
    """A reader that starts a few steps back: what came before is not shown."""
    reader = TranscriptReader(run.store, view.status.task_id)
    if view.progress is not None:
        try:
            await reader.start_near(view.status.shift, view.progress.epoch, view.progress.step - STEPS_BACK)
        except StoreError:
            return reader  # `Transcript` says what is wrong with the store
    return reader


async def _watch_all(run: Invocation, client: Client) -> int:
    link = EngineLink(run, client)
    if not run.out.is_live:
        found = await list_sessions(client, ACTIVE, LISTED)
        run.out.document({"sessions": found}, session_list.table(found) if found else Text("no active sessions"))
        return ExitCode.OK
    with Live(console=run.out.console, auto_refresh=False, vertical_overflow="crop") as live:
        shown: RenderableType = Text()
        while True:
            found = await link.ask(lambda client: list_sessions(client, ACTIVE, LISTED))
            if found is not None:
                shown = session_list.table(found) if found else Text("no active sessions", style="dim")
            live.update(_with_foot(shown, link), refresh=True)
            await asyncio.sleep(REFRESH_SECONDS)


def _with_foot(page: RenderableType, link: EngineLink) -> Group:
    foot = "the engine does not answer; this is old" if link.is_away else "Ctrl-C ends the watching, not the session"
    return Group(page, Text(foot, style="yellow" if link.is_away else "dim"))
