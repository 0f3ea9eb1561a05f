"""The tool `bash_kill`: ends a background job with everything it has started."""

import asyncio
from typing import Final

from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.tools.bash_output import job_outcome
from longshift.adapters.tools.jobs import find_job
from longshift.adapters.tools.outcome import ToolContext, ToolOutcome
from longshift.contracts.tools import BashKillArguments

REASON: Final = "bash_kill"


async def bash_kill(arguments: BashKillArguments, context: ToolContext, runner: ProcessRunner) -> ToolOutcome:
    """Kill the job and say how it ended; one that has ended before stays as it is.

    Raises:
        ToolRefused: There is no such job.
    """
    key, spec = await asyncio.to_thread(find_job, arguments.job, context, runner)
    state = await runner.kill(key, REASON)
    return await asyncio.to_thread(job_outcome, arguments.job, key, spec, state, runner)
