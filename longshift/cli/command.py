"""Puts a function onto the command line with the options that all commands share.

The function takes an `Invocation` first and gives an exit code; it may be asynchronous.
"""

import asyncio
import functools
import inspect
import signal
import threading
from collections.abc import Callable, Coroutine
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec

import typer

from longshift.cli.exit_codes import ExitCode
from longshift.cli.invocation import Invocation
from longshift.contracts import ids

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
"""Name → annotation and default. `--debug` and, for errors, `--json` are also looked at in `run`."""


def optional_task_id(text: str | None) -> str | None:
    """Refuse at once what no task can be called: it would become part of workflow ids and object keys."""
    if text is not None and not ids.is_task_id(text):
        raise typer.BadParameter(f"{text!r} is not a task's id; `longshift list` shows those that there are")
    return text


def _task_ids(texts: list[str]) -> list[str]:
    """The same for several, each once."""
    return list(dict.fromkeys(text for text in texts if optional_task_id(text)))


TaskId = Annotated[
    str, typer.Argument(metavar="ID", callback=optional_task_id, help="The task's id, as `longshift list` shows it.")
]
TaskIds = Annotated[
    list[str], typer.Argument(metavar="ID…", callback=_task_ids, help="Tasks' ids, as `longshift list` shows them.")
]
OptionalTaskId = Annotated[
    str | None,
    typer.Argument(metavar="ID", callback=optional_task_id, help="A task's id; all active sessions without it."),
]


def command(app: typer.Typer, name: str) -> Callable[[Body[P]], Body[P]]:
    """Register a function as the command `name`."""

    def register(body: Body[P]) -> Body[P]:
        app.command(name)(_runner(body))
        return body

    return register


def default_command(group: typer.Typer) -> Callable[[Body[P]], Body[P]]:
    """Register a function as what a group of commands does when none of them is named."""

    def register(body: Body[P]) -> Body[P]:
        by_itself = _runner(body)

        @functools.wraps(by_itself)
        def run(context: typer.Context, **given: Any) -> int:
            if context.invoked_subcommand is None:
                return by_itself(**given)
            misplaced = [name for name, value in given.items() if value != own[name].default]
            if misplaced:
                raise typer.BadParameter(f"--{misplaced[0].replace('_', '-')} belongs behind the command's name")
            return ExitCode.OK

        own = inspect.signature(by_itself).parameters
        context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
        _sign(run, [context, *own.values()])
        group.callback(invoke_without_command=True)(run)
        return body

    return register


def _runner(body: Body[P]) -> Callable[..., int]:
    """The function that typer calls: it makes the invocation and waits for what is asynchronous."""

    @functools.wraps(body)
    def run(*args: Any, json: bool, data_dir: Path | None, log: LogFormat | None, debug: bool, **own: Any) -> int:
        del debug  # a matter of `longshift.cli.run`
        invocation = Invocation(json=json, data_dir=data_dir, log=log.value if log else None)
        outcome = body(invocation, *args, **own)
        return asyncio.run(_interruptible(outcome)) if isinstance(outcome, Coroutine) else int(outcome)

    _describe(run, body)
    return run


async def _interruptible(doing: Coroutine[Any, Any, int]) -> int:
    """`doing`, until Ctrl-C.

    The runner's own handler is called between two instructions: a signal that comes just before the loop goes to sleep
    would not be seen until something else wakes it. The loop's own handlers wake it. Signals come to the main thread
    alone: a command that runs in another one is not interrupted.
    """
    if threading.current_thread() is not threading.main_thread():
        return await doing
    task, interrupted = asyncio.current_task(), asyncio.Event()
    assert task is not None

    def interrupt() -> None:
        interrupted.set()
        task.cancel()

    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, interrupt)
    try:
        return await doing
    except asyncio.CancelledError:
        if interrupted.is_set():
            raise KeyboardInterrupt from None
        raise


def _describe(run: Callable[..., int], body: Callable[..., Any]) -> None:
    """The signature that typer reads: the body's own parameters and the shared ones."""
    signature = inspect.signature(body, eval_str=True)
    own = list(signature.parameters.values())[1:]
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in SHARED.items()
    ]
    _sign(run, [*(each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own), *shared])


def _sign(run: Callable[..., int], parameters: list[inspect.Parameter]) -> None:
    # `inspect` reads this attribute, which no type knows.
    run.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportFunctionMemberAccess]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
