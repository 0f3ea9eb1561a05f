"""The commands, in the order in which `--help` lists them."""

import typer

from longshift.cli import about, artifacts, control, daemon_commands, doctor, logs, sessions, submit, watch

EPILOG = "Exit codes: 0 done, 1 failed, 2 bad input, 3 unreachable, 4 cancelled, 5 expired, 6 needs a person."

app = typer.Typer(
    name="longshift",
    help="Runs autonomous agent sessions that survive whatever dies in between.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)

for group in (daemon_commands, submit, sessions, watch, logs, control, artifacts, doctor, about):
    group.register(app)
