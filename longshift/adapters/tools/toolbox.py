"""The way in: runs a tool by its name and turns what it refuses into a result for the model.

Which class a tool has and what its arguments are is in `contracts.tools`; results are stored by the caller.
"""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Final

from longshift.adapters.network.egress import Egress
from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.sandbox.port import Sandbox
from longshift.adapters.store.swarm_reports import SwarmReports
from longshift.adapters.tools.bash import bash
from longshift.adapters.tools.bash_kill import bash_kill
from longshift.adapters.tools.bash_output import bash_output
from longshift.adapters.tools.edit_file import edit_file
from longshift.adapters.tools.following import follow_work
from longshift.adapters.tools.glob import glob
from longshift.adapters.tools.grep import grep
from longshift.adapters.tools.jobs import jobs_of
from longshift.adapters.tools.located import failure_of
from longshift.adapters.tools.openers import best_opener
from longshift.adapters.tools.outcome import OnProgress, ToolContext, ToolOutcome, ToolRefused, one_line, storable
from longshift.adapters.tools.paths import Tree
from longshift.adapters.tools.read_file import read_file
from longshift.adapters.tools.read_report import read_report
from longshift.adapters.tools.ripgrep import Ripgrep
from longshift.adapters.tools.update_plan import update_plan
from longshift.adapters.tools.write_file import write_file
from longshift.contracts.read_report import ReadReportArguments
from longshift.contracts.tools import (
    TOOL_ARGUMENTS,
    BashArguments,
    BashKillArguments,
    BashOutputArguments,
    EditFileArguments,
    GlobArguments,
    GrepArguments,
    Job,
    ReadFileArguments,
    ToolArguments,
    ToolStatus,
    UpdatePlanArguments,
    WriteFileArguments,
)

_WRITE_LOCKS: Final = 32


class Toolbox:
    """All tools of a host."""

    def __init__(
        self,
        runner: ProcessRunner,
        sandbox: Sandbox,
        *,
        ripgrep: str,
        egress: Egress | None = None,
        reports: SwarmReports | None = None,
    ) -> None:
        """Without `egress` no command has a network; without `reports` nobody reads those of sub-agents."""
        self._reports = reports
        self._runner = runner
        self._sandbox = sandbox
        self._egress = egress or Egress(Path(), runner, {})
        self._ripgrep = Ripgrep(ripgrep, sandbox)
        self._opener = best_opener()
        # A cancelled call leaves its thread behind: a repeated one must not read what that is about to replace.
        self._write_locks = tuple(threading.Lock() for _ in range(_WRITE_LOCKS))

    async def run(
        self,
        name: str,
        arguments: ToolArguments,
        context: ToolContext,
        *,
        patience_seconds: float | None,
        on_progress: OnProgress,
    ) -> ToolOutcome:
        """Run a call, or attach to what an earlier attempt at it has started.

        With `patience_seconds` the result is `RUNNING` when the call takes longer; without, it is followed to its end.
        Cancelling this ends the wait, never the command: `kill` does that.

        Raises:
            DiskFull: The host has no space left.
            HostError: The host cannot start commands.
            ValueError: No tool has this name, or the arguments are another tool's.
        """
        expected = TOOL_ARGUMENTS.get(name)
        if expected is None or not isinstance(arguments, expected):
            raise ValueError(f"{type(arguments).__name__} are not the arguments of a tool {name!r}")
        try:
            outcome = await self._dispatch(name, arguments, context, patience_seconds, on_progress)
        except ToolRefused as refused:
            outcome = ToolOutcome(ToolStatus.ERROR, str(refused), summary=f"{name}: {refused}")
        # Names of files need not be valid text.
        return replace(outcome, text=storable(outcome.text), summary=one_line(storable(outcome.summary)))

    async def kill(self, context: ToolContext) -> None:
        """End the command that a call has started; calls that have started none are left alone."""
        await self._runner.kill(context.run_key, "the call was cancelled")

    async def jobs(self, agent: str, life: int) -> tuple[Job, ...]:
        """The background jobs of an agent in this life of its workspace."""
        return await asyncio.to_thread(jobs_of, agent, life, self._runner)

    @staticmethod
    def descriptions() -> dict[str, str]:
        """Each tool's description for the model, from the `.md` file beside its code."""
        folder = files("longshift.adapters.tools")
        return {name: folder.joinpath(f"{name}.md").read_text(encoding="utf-8").strip() for name in TOOL_ARGUMENTS}

    async def _dispatch(
        self,
        name: str,
        arguments: ToolArguments,
        context: ToolContext,
        patience: float | None,
        on_progress: OnProgress,
    ) -> ToolOutcome:
        runner = self._runner
        if isinstance(arguments, BashArguments):
            return await bash(
                arguments,
                context,
                runner,
                self._sandbox,
                self._egress,
                patience_seconds=patience,
                on_progress=on_progress,
            )
        if isinstance(arguments, BashOutputArguments):
            return await bash_output(arguments, context, runner, patience_seconds=patience, on_progress=on_progress)
        work = self._repeatable(arguments, context)
        outcome = await follow_work(name, work, patience_seconds=patience, on_progress=on_progress)
        return outcome or ToolOutcome(ToolStatus.RUNNING, f"{name} is still running.", summary=f"{name}: running")

    async def _repeatable(self, arguments: ToolArguments, context: ToolContext) -> ToolOutcome:
        """The tools whose calls may be cut off and repeated."""
        match arguments:
            case ReadFileArguments():
                tree = self._readable_tree(arguments.path, context)
                return await _in_thread(arguments.path, lambda: read_file(arguments, tree))
            case WriteFileArguments():
                return await _in_thread(arguments.path, lambda: self._write(arguments, context))
            case EditFileArguments():
                return await _in_thread(arguments.path, lambda: self._write(arguments, context))
            case GlobArguments():
                return await glob(arguments, self._tree(context), self._ripgrep, context)
            case GrepArguments():
                return await grep(arguments, self._readable_tree(arguments.path, context), self._ripgrep, context)
            case BashKillArguments():
                return await bash_kill(arguments, context, self._runner)
            case UpdatePlanArguments():
                return update_plan(arguments)
            case ReadReportArguments():
                return await read_report(arguments, context, self._reports)
            case _:
                raise ValueError(f"{type(arguments).__name__} are not run on a host")

    def _write(self, arguments: WriteFileArguments | EditFileArguments, context: ToolContext) -> ToolOutcome:
        tree = self._tree(context)
        with self._write_locks[hash(context.root) % _WRITE_LOCKS]:
            if isinstance(arguments, WriteFileArguments):
                return write_file(arguments, tree, run_key=context.run_key)
            return edit_file(arguments, tree, context)

    def _tree(self, context: ToolContext) -> Tree:
        return Tree(context.root, self._opener, seen=context.seen_root)

    def _readable_tree(self, path: str, context: ToolContext) -> Tree:
        """The workspace, or for the absolute path of a stored output the folder of these."""
        outputs = Tree(context.outputs_root, self._opener)
        return outputs if outputs.holds(path) else self._tree(context)


async def _in_thread(path: str, work: Callable[[], ToolOutcome]) -> ToolOutcome:
    """Do file work off the event loop; what the system refuses is a result, a full disk is not."""
    try:
        return await asyncio.to_thread(work)
    except OSError as error:
        raise failure_of(error, path) from error
