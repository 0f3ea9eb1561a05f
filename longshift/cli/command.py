"""Puts a function onto the command line with the options that all commands share.

The function takes an `Invocation` first and gives an exit code; it may be asynchronous.
"""

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec

import typer

from longshift.cli.invocation import Invocation

P = ParamSpec("P")
Body = Callable[Concatenate[Invocation, P], int | Coroutine[Any, Any, int]]

PANEL = "Options of every command"


class LogFormat(StrEnum):
    """How log lines look."""

    JSON = "json"
    CONSOLE = "console"


SHARED: dict[str, tuple[Any, Any]] = {
    "json": (
        Annotated[bool, typer.Option("--json", help="Answer in JSON, events as JSON lines.", rich_help_panel=PANEL)],
        False,
    ),
    "data_dir": (
        Annotated[
            Path | None,
            typer.Option(
                "--data-dir", help="The data directory, instead of LONGSHIFT_DATA_DIR.", rich_help_panel=PANEL
            ),
        ],
        None,
    ),
    "log": (
        Annotated[LogFormat | None, typer.Option("--log", help="Form of log lines.", rich_help_panel=PANEL)],
        None,
    ),
    "debug": (
        Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.", rich_help_panel=PANEL)],
        False,
    ),
}
"""Name → annotation and default. `--debug` and, for errors, `--json` are also looked at in `main`."""

TaskId = Annotated[str, typer.Argument(metavar="ID", help="The task's id, as `longshift list` shows it.")]


def command(app: typer.Typer, name: str) -> Callable[[Body[P]], Body[P]]:
    """Register a function as the command `name`."""

    def register(body: Body[P]) -> Body[P]:
        @functools.wraps(body)
        def run(*args: Any, json: bool, data_dir: Path | None, log: LogFormat | None, debug: bool, **own: Any) -> int:
            del debug  # a matter of `main`
            invocation = Invocation(json=json, data_dir=data_dir, log=log.value if log else None)
            outcome = body(invocation, *args, **own)
            return asyncio.run(outcome) if inspect.iscoroutine(outcome) else int(outcome)  # pyright: ignore[reportArgumentType]  # the other branch

        _describe(run, body)
        app.command(name)(run)
        return body

    return register


def _describe(run: Callable[..., int], body: Callable[..., Any]) -> None:
    """The signature that typer reads: the body's own parameters and the shared ones."""
    signature = inspect.signature(body, eval_str=True)
    own = list(signature.parameters.values())[1:]
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in SHARED.items()
    ]
    parameters = [*(each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own), *shared]
    run.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportFunctionMemberAccess]  # what inspect reads
    run.__annotations__ = {each.name: each.annotation for each in parameters}
