"""`hosts`: who takes sessions, how full each is, and what it holds."""

from datetime import UTC, datetime

import typer
from rich.text import Text

from longshift.cli.command import command
from longshift.cli.exit_codes import ExitCode
from longshift.cli.invocation import Invocation
from longshift.cli.queue_page import hosts_table
from longshift.hosts import list_hosts
from longshift.search_attributes import expected_search_attributes

NOBODY = "no host has been heard of; after a start of the engine or of a worker that takes up to a minute"


def register(app: typer.Typer) -> None:
    """Put the command onto the command line."""

    @command(app, "hosts")
    async def hosts(run: Invocation) -> int:
        """Show every host: its slots, the sessions it holds, when it was last heard of."""
        now = datetime.now(UTC)
        with expected_search_attributes():
            found = await list_hosts(await run.client(), now)
        run.out.document({"hosts": found}, hosts_table(found, now) if found else Text(NOBODY, style="dim"))
        return ExitCode.OK
