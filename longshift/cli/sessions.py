"""`list` and `status`: what there is, and how one session stands."""

from enum import StrEnum
from typing import Annotated

import typer
from rich.text import Text

from longshift.cli import render, session_list
from longshift.cli.command import TaskId, command
from longshift.cli.exit_codes import ExitCode
from longshift.cli.invocation import Invocation
from longshift.contracts.session import SessionState
from longshift.sessions import listing
from longshift.sessions.view import budget_of, read_session, web_url

StateFilter = StrEnum("StateFilter", {state.name: state.value for state in SessionState} | {"ACTIVE": "active"})
"""All states, and `active` for those that are not final."""

States = Annotated[
    list[StateFilter] | None, typer.Option("--state", help="Only sessions in this state; may be given several times.")
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most this many, the newest first.")]


def register(app: typer.Typer) -> None:
    """Put the commands onto the command line."""

    @command(app, "list")
    async def list_sessions(run: Invocation, state: States = None, limit: Limit = 50) -> int:
        """List sessions, the newest first."""
        client = await run.client()
        found = await listing.list_sessions(client, states_of(state or []), limit)
        shown = session_list.table(found) if found else Text("no sessions", style="dim")
        run.out.document({"sessions": found}, shown)
        return ExitCode.OK

    @command(app, "status")
    async def status(run: Invocation, task_id: TaskId) -> int:
        """Show how a session stands: plan, progress, budget, checks, what it waits for."""
        view = await read_session(await run.client(), task_id)
        url = web_url(run.settings, view)
        budget = await budget_of(run.store, task_id)
        run.out.document(view.document(url), render.session(view, url=url, budget=budget))
        return ExitCode.OK


def states_of(chosen: list[StateFilter]) -> frozenset[SessionState]:
    """The states that a person asked for."""
    found = {SessionState(each.value) for each in chosen if each.value != "active"}
    if any(each.value == "active" for each in chosen):
        found |= {state for state in SessionState if not state.is_final}
    return frozenset(found)
