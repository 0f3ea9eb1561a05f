"""`swarm` and `strike`: a session's sub-agents, what each of them does or did, and which of them shall not."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated

import typer
from rich.live import Live
from rich.text import Text

from longshift.cli import render_swarm
from longshift.cli.command import TaskId, command
from longshift.cli.engine_link import EngineLink
from longshift.cli.exit_codes import ExitCode
from longshift.cli.invocation import Invocation
from longshift.cli.terminal_text import clean
from longshift.cli.words import this_person
from longshift.contracts.errors import BadInput
from longshift.contracts.session import StrikeItem
from longshift.contracts.swarm import SwarmSummary
from longshift.policy import swarm_words
from longshift.sessions import swarms, updates

REFRESH_SECONDS = 1.0
LIVE_LINES = 30
"""Items that are shown where the terminal is redrawn."""

SwarmName = Annotated[str, typer.Option("--swarm", metavar="N", help="Which of its swarms: 1, 2, …; else the latest.")]
OneItem = Annotated[str, typer.Option("--item", metavar="ITEM", help="Only this item: its report.")]
ThePlan = Annotated[
    bool, typer.Option("--plan", help="The whole plan: the one that waits for you, or else the one carried out.")
]
Follow = Annotated[bool, typer.Option("--follow", help="Stay until all items are over.")]
Struck = Annotated[list[str], typer.Argument(metavar="ITEM…", help="Items, as `longshift swarm` shows them.")]
Reason = Annotated[str, typer.Option("--reason", help="Kept in the item's report.")]


def register(app: typer.Typer) -> None:
    """Put the commands onto the command line."""

    @command(app, "swarm")
    async def swarm(
        run: Invocation,
        task_id: TaskId,
        name: SwarmName = "",
        item: OneItem = "",
        plan: ThePlan = False,
        follow: Follow = False,
    ) -> int:
        """Show a session's sub-agents: each item with its status, attempt, steps, cost, files, time and reason."""
        if sum((bool(item), plan, follow)) > 1:
            raise BadInput("--item: give one of --item, --plan and --follow")
        client = await run.client()
        if plan:
            found = await swarms.read_plan(client, run.store, task_id, name)
            run.out.document(found, render_swarm.plan(found))
        elif item:
            one = await swarms.read_item(client, run.store, task_id, item, name)
            run.out.document(
                {"swarm": one.swarm, "item": one.line, "report": one.report, "agent": one.agent},
                render_swarm.item(task_id, one),
            )
        elif follow:
            await _follow(run, task_id, name)
        else:
            view = await swarms.read_swarm(client, run.store, task_id, name)
            run.out.document(
                {"table": view.table, "result": view.result, "remark": view.remark}, render_swarm.page(task_id, view)
            )
        return ExitCode.OK

    @command(app, "strike")
    async def strike(run: Invocation, task_id: TaskId, items: Struck, reason: Reason = "") -> int:
        """Take items out of the swarm at work; what they have done is left out, what depends on them is blocked."""
        client, by = await run.client(), this_person()
        for item in dict.fromkeys(items):
            answer = await updates.tell(client, task_id, "strike", StrikeItem(item=item, reason=reason, by=by))
            document = {"task_id": task_id, "action": "strike", "item": item, "answer": answer}
            run.out.event(document, Text(f"{task_id}: {clean(answer)}"))
        return ExitCode.OK


async def _follow(run: Invocation, task_id: str, name: str) -> None:
    """Until all items are over; on a terminal the table is redrawn, else a line is told whenever there is news."""
    link = EngineLink(run, await run.client())
    if not run.out.is_live:
        before: SwarmSummary | None = None
        async for view in _views(run, link, task_id, name):
            now = view.table.summary
            if swarm_words.is_news(before, now):
                run.out.event({"event": "swarm", "task_id": task_id, "swarm": now}, Text(clean(swarm_words.line(now))))
                before = now
        return
    with Live(console=run.out.console, auto_refresh=False, vertical_overflow="crop") as live:
        async for view in _views(run, link, task_id, name):
            live.update(render_swarm.page(task_id, view, LIVE_LINES), refresh=True)


async def _views(run: Invocation, link: EngineLink, task_id: str, name: str) -> AsyncGenerator[swarms.SwarmView]:
    while True:
        view = await link.ask(lambda client: swarms.read_swarm(client, run.store, task_id, name))
        if view is not None:
            yield view
            if view.is_over:
                return
            await asyncio.sleep(REFRESH_SECONDS)
