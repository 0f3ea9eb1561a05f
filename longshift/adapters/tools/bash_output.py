"""The tool `bash_output`: how far a background job is, and what it has put out."""

import asyncio
from typing import Final

from longshift.adapters.process.command_spec import CommandSpec
from longshift.adapters.process.run_state import Finished, Lost, Running, RunState
from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.tools.endings import ending, is_success, lost_text, shown_output
from longshift.adapters.tools.following import follow_run
from longshift.adapters.tools.jobs import find_job
from longshift.adapters.tools.outcome import OnProgress, ToolContext, ToolOutcome, counted
from longshift.contracts.tools import OUTPUT_LIMIT_CHARACTERS, BashOutputArguments, ToolStatus

RUNNING_LIMIT_CHARACTERS: Final = 10_000
"""Less than for a job that has ended, as a running one is looked at again and again."""


async def bash_output(
    arguments: BashOutputArguments,
    context: ToolContext,
    runner: ProcessRunner,
    *,
    patience_seconds: float | None,
    on_progress: OnProgress,
) -> ToolOutcome:
    """Look at a job, after waiting for its end for as long as was asked.

    Raises:
        ToolRefused: There is no such job.
    """
    key, spec = await asyncio.to_thread(find_job, arguments.job, context, runner)
    wait_seconds = arguments.wait_seconds if patience_seconds is None else min(arguments.wait_seconds, patience_seconds)
    state = await follow_run(runner, key, patience_seconds=wait_seconds, on_progress=on_progress)
    if isinstance(state, Running) and wait_seconds < arguments.wait_seconds:
        text = f"{arguments.job} is running; waiting for it goes on."
        return ToolOutcome(ToolStatus.RUNNING, text, True, summary=f"waiting for {arguments.job}")
    return await asyncio.to_thread(job_outcome, arguments.job, key, spec, state, runner)


def job_outcome(job: str, key: str, spec: CommandSpec, state: RunState, runner: ProcessRunner) -> ToolOutcome:
    """What a job's state and output look like to the model."""
    limit = OUTPUT_LIMIT_CHARACTERS if isinstance(state, Finished) else RUNNING_LIMIT_CHARACTERS
    output = runner.output(key, limit)
    status, ended = ToolStatus.OK, isinstance(state, Finished | Lost)
    match state:
        case Running():
            seconds = runner.progress(key).running_seconds
            line = f"running for {seconds:.0f} s, {counted(output.total_bytes, 'byte')} of output so far"
        case Finished():
            line = f"ended: {ending(state, spec.timeout_seconds)}"
        case Lost():
            text = lost_text(state, output)
            return ToolOutcome(ToolStatus.ERROR, text, True, summary=f"{job}: outcome unknown", ended_job=job)
        case _:
            status, line = ToolStatus.ERROR, "was never started"
    return ToolOutcome(
        status,
        f"{shown_output(output)}\n[{job} {line}]",
        True,
        summary=f"{job} {line}"[:120],
        waits=isinstance(state, Running),
        ended_job=job if ended else "",
        ended_ok=isinstance(state, Finished) and is_success(state),
    )
