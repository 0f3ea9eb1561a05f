"""Which background job a name from the model means: jobs of the same agent, and no others."""

import re
from typing import Final

from longshift.adapters.process.command_spec import CommandSpec
from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.tools.outcome import ToolContext, ToolRefused
from longshift.contracts import ids

_JOB: Final = re.compile(r"job-([0-9]{1,9})-([0-9]{1,6})", re.ASCII)
_RUN: Final = re.compile(r".*/s([0-9]+)-([0-9]+)(?:-g([0-9]+))?", re.ASCII)
_LISTED: Final = 20


def find_job(job: str, context: ToolContext, runner: ProcessRunner) -> tuple[str, CommandSpec]:
    """The run key and the command of a job.

    Raises:
        ToolRefused: There is no such job; the text lists those there are.
    """
    match = _JOB.fullmatch(job.strip())
    if match is not None:
        key = ids.run_key(context.agent, int(match[1]), int(match[2]), context.life)
        spec = runner.spec(key)
        if spec is not None:
            return key, spec
    known = _known(context, runner)
    listing = f"Jobs there are: {', '.join(known)}." if known else "No job has been started in the background."
    raise ToolRefused(f"There is no job {job!r}. {listing}")


def _known(context: ToolContext, runner: ProcessRunner) -> list[str]:
    """The agent's latest background jobs in this life of the workspace, in the order of their start."""
    found: list[str] = []
    for key in reversed(runner.keys(context.agent)):
        spec, match = runner.spec(key), _RUN.fullmatch(key)
        if spec is not None and spec.background and match is not None and int(match[3] or 1) == context.life:
            found.append(ids.job_id(int(match[1]), int(match[2])))
        if len(found) == _LISTED:
            break
    return found[::-1]
