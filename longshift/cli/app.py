"""The commands, in the order in which `--help` lists them."""

from typing import Annotated

import typer

import longshift
from longshift.cli import (
    about,
    answering,
    artifacts,
    control,
    daemon_commands,
    doctor,
    fleet_budget,
    going_on,
    hosts,
    logs,
    payload_keys,
    queue,
    requeue,
    schedules,
    sessions,
    submit,
    swarm,
    tokens,
    transcript,
    watch,
)
from longshift.cli.output import Output

EPILOG = (
    "Exit codes: 0 done, 1 failed, 2 bad input, 3 unreachable, 4 cancelled, 5 expired, 6 needs a person, "
    "130 interrupted."
)

app = typer.Typer(
    name="longshift",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)

for group in (
    daemon_commands,
    submit,
    sessions,
    watch,
    logs,
    transcript,
    swarm,
    control,
    answering,
    requeue,
    going_on,
    artifacts,
    hosts,
    doctor,
    about,
    queue,
    fleet_budget,
    schedules,
    tokens,
    payload_keys,
):
    group.register(app)


def _version(wanted: bool) -> None:
    if wanted:
        Output().show(f"longshift {longshift.__version__}")
        raise typer.Exit


@app.callback()
def _longshift(  # pyright: ignore[reportUnusedFunction]
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Runs autonomous agent sessions that survive whatever dies in between."""
    del version  # its callback has ended the program by now
