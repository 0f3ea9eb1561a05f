"""`demo`, `task-schema` and `version`."""

import platform
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

import longshift
from longshift.adapters.engine import find_engine_binary
from longshift.cli.command import command
from longshift.cli.exit_codes import ExitCode
from longshift.cli.invocation import Invocation
from longshift.cli.output import write_json
from longshift.demo import run_demo
from longshift.taskfile import task_schema
from longshift.telemetry import configure_logging

Stay = Annotated[bool, typer.Option("--stay", help="Keep engine and Web UI running afterwards.")]


def register(app: typer.Typer) -> None:
    """Put the commands onto the command line."""

    @command(app, "demo")
    async def demo(run: Invocation, stay: Stay = False) -> int:
        """Work on a real bug in a published package, from start to proof; no key and no account is needed."""
        settings = run.settings
        configure_logging(settings.log_format, "warning", secrets=settings.secret_values)
        code = await run_demo(settings, Console(file=sys.stderr if run.out.json else sys.stdout), stay=stay)
        if run.out.json:
            write_json({"exit_code": code})
        return code

    @command(app, "task-schema")
    def schema(run: Invocation) -> int:
        """Print the JSON Schema of task files, for editors and machines."""
        del run  # the answer has one form
        write_json(task_schema(), indent=True)
        return ExitCode.OK

    @command(app, "version")
    def version(run: Invocation) -> int:
        """Print the versions of Longshift, its engine and Python."""
        engine = find_engine_binary().version or "none"
        facts = {"longshift": longshift.__version__, "engine": engine, "python": platform.python_version()}
        run.out.document(facts, *(Text(f"{name:<10} {value}") for name, value in facts.items()))
        return ExitCode.OK
