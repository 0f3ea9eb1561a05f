"""The command line: everything that a person does with Longshift from a terminal.

`run` is the one boundary where failures become messages and exit codes. What the commands do is in their modules.
"""

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import typer

from longshift.cli.app import app
from longshift.cli.exit_codes import ExitCode
from longshift.cli.failures import EXPLAINED, Failure, explain
from longshift.cli.output import Output, write_json
from longshift.contracts.errors import BadInput
from longshift.process_end import end_process


def main() -> NoReturn:
    """The program."""
    end_process(run(sys.argv[1:]))


def run(given: Sequence[str]) -> int:
    """Run one command, and say what went wrong; gives its exit code."""
    own = given[: given.index("--")] if "--" in given else given
    try:
        try:
            code = _run(given)
        except EXPLAINED as error:
            if "--debug" in own:
                raise
            code = _say(explain(error), as_json="--json" in own)
        except KeyboardInterrupt:
            code = _say(Failure("interrupted", "interrupted", ExitCode.INTERRUPTED), as_json="--json" in own)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has ended, such as `head`; Python would complain again while it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    return code


def _run(given: Sequence[str]) -> int:
    """The command itself. Typer's own `main` is left out: it has exit codes of its own for Ctrl-C and broken pipes."""
    for each in given:
        if not each.isascii() and each.encode(errors="replace") != each.encode(errors="surrogatepass"):
            raise BadInput(f"{each!r} is not UTF-8 text; give it in that encoding")
    commands = typer.main.get_command(app)
    try:
        with commands.make_context("longshift", list(given)) as context:
            return int(commands.invoke(context) or 0)
    except typer.Exit as ended:
        return ended.exit_code


def _say(failure: Failure, *, as_json: bool) -> int:
    if as_json:
        write_json({"error": {"kind": failure.kind, "message": failure.message}, "exit_code": int(failure.code)})
    elif failure.message:
        Output().remark(failure.message, style="" if failure.kind == "usage" else "red")
    return failure.code
