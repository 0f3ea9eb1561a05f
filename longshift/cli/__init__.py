"""The command line: everything that a person does with Longshift from a terminal.

`main` is the one boundary where failures become messages and exit codes. What the commands do is in their modules.
"""

import os
import sys
from collections.abc import Sequence

from longshift.cli.app import app
from longshift.cli.exit_codes import ExitCode
from longshift.cli.failures import EXPLAINED, Failure, explain
from longshift.cli.output import Output, write_json


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    own = given[: given.index("--")] if "--" in given else given
    try:
        outcome = app(given, standalone_mode=False, prog_name="longshift")
        return int(outcome or 0)
    except EXPLAINED as error:
        if "--debug" in own:
            raise
        failure = explain(error)
    except KeyboardInterrupt:
        failure = Failure("interrupted", "interrupted", ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has ended, such as `head`; Python would complain again while it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.OK)
    if "--json" in own:
        write_json({"error": {"kind": failure.kind, "message": failure.message}, "exit_code": int(failure.code)})
    elif failure.message:
        Output().remark(failure.message, style="" if failure.kind == "usage" else "red")
    return int(failure.code)
