"""An agent's background jobs: which one a name from the model means, and which there are."""

import re
from typing import Final

from longshift.adapters.process.command_spec import CommandSpec
from longshift.adapters.process.run_state import Finished, Lost, Running, RunState
from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.tools.endings import ending
from longshift.adapters.tools.outcome import ToolContext, ToolRefused, one_line
from longshift.contracts import ids
from longshift.contracts.tools import Job

_JOB: Final = re.compile(r"job-([0-9]{1,9})-([0-9]{1,6})", re.ASCII)
_RUN: Final = re.compile(r".*/s([0-9]+)-([0-9]+)(?:-g([0-9]+))?", re.ASCII)
_LISTED: Final = 20
_COMMAND_CHARACTERS: Final = 300


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
    known = [job for job, _, _ in _known(context.agent, context.life, runner)]
    listing = f"Jobs there are: {', '.join(known)}." if known else "No job has been started in the background."
    raise ToolRefused(f"There is no job {job!r}. {listing}")


def jobs_of(agent: str, life: int, runner: ProcessRunner) -> tuple[Job, ...]:
    """The latest background jobs of an agent in this life of its workspace, in the order of their start. Blocks."""
    return tuple(
        Job(job=job, command=one_line(spec.argv[-1])[:_COMMAND_CHARACTERS], state=_in_words(runner.state(key), spec))
        for job, key, spec in _known(agent, life, runner)
    )


def _in_words(state: RunState, spec: CommandSpec) -> str:
    match state:
        case Running():
            return "running"
        case Finished():
            return f"ended: {ending(state, spec.timeout_seconds)}"
        case Lost():
            return "outcome unknown"
        case _:
            return "never started"


def _known(agent: str, life: int, runner: ProcessRunner) -> list[tuple[str, str, CommandSpec]]:
    """Id, run key and command of the latest jobs, in the order of their start."""
    found: list[tuple[str, str, CommandSpec]] = []
    for key in reversed(runner.keys(agent)):
        spec, match = runner.spec(key), _RUN.fullmatch(key)
        if spec is not None and spec.background and match is not None and int(match[3] or 1) == life:
            found.append((ids.job_id(int(match[1]), int(match[2])), key, spec))
        if len(found) == _LISTED:
            break
    return found[::-1]
