"""The tool `bash`: a command in the sandbox, started at most once however often the call is attempted."""

import asyncio

from longshift.adapters.network.egress import Egress
from longshift.adapters.process.command_spec import CommandSpec
from longshift.adapters.process.run_state import Finished, Lost, NotStarted, RunState
from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.sandbox.port import Sandbox, SandboxCommand, WrappedCommand
from longshift.adapters.tools.endings import ending, is_success, lost_text, shown_output
from longshift.adapters.tools.following import follow_run
from longshift.adapters.tools.outcome import OnProgress, ToolContext, ToolOutcome, ToolRefused, one_line
from longshift.contracts import ids
from longshift.contracts.errors import HostError
from longshift.contracts.network import NetworkPhase
from longshift.contracts.tools import BashArguments, ToolStatus


async def bash(
    arguments: BashArguments,
    context: ToolContext,
    runner: ProcessRunner,
    sandbox: Sandbox,
    egress: Egress,
    *,
    patience_seconds: float | None,
    on_progress: OnProgress,
) -> ToolOutcome:
    """Start the command, or attach to it when it was started before, and follow it.

    Raises:
        ToolRefused: The command is none that can be handed to a program.
        BadInput: This host does not have the network profile.
        DiskFull: Nothing was started.
        HostError: It cannot be started.
    """
    confined = await _confined(arguments, context, egress)
    if confined.proxy_socket and isinstance(await asyncio.to_thread(runner.state, context.run_key), NotStarted):
        await egress.opened(context.task_id, NetworkPhase.AGENT, context.network)
    state = await runner.start(context.run_key, _spec(arguments, sandbox.wrap(confined)))
    if arguments.background and not isinstance(state, Lost):
        return _background(arguments, context)
    state = await follow_run(runner, context.run_key, patience_seconds=patience_seconds, on_progress=on_progress)
    if isinstance(state, Finished) and state.exit_code:
        written = await asyncio.to_thread(runner.output, context.run_key)
        if why := await sandbox.broken(confined, written.text):
            raise HostError(f"sandbox: {why}")
    return await _outcome(state, arguments, context, runner)


async def _confined(arguments: BashArguments, context: ToolContext, egress: Egress) -> SandboxCommand:
    if "\x00" in arguments.command:
        raise ToolRefused("The command holds a NUL character; nothing was started.")
    try:
        arguments.command.encode()
    except UnicodeEncodeError:
        raise ToolRefused(
            "The command holds half of a character (an unpaired surrogate); nothing was started."
        ) from None
    for folder in (context.home, context.tmp):
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    return SandboxCommand(
        argv=("bash", "-c", arguments.command),
        cwd=str(context.root),
        workspace_root=str(context.root),
        home=str(context.home),
        tmp=str(context.tmp),
        proxy_socket=egress.socket(context.task_id, NetworkPhase.AGENT, context.network),
        group=context.task_id,
        seen_root=context.seen_root,
        seen_home=context.seen_home,
    )


def _spec(arguments: BashArguments, wrapped: WrappedCommand) -> CommandSpec:
    return CommandSpec.of(
        wrapped,
        timeout_seconds=arguments.timeout_seconds,
        background=arguments.background,
    )


def _background(arguments: BashArguments, context: ToolContext) -> ToolOutcome:
    job = ids.job_id(context.step, context.index)
    text = (
        f"Started in the background as {job}; it is killed after {arguments.timeout_seconds:g} s. "
        "Read it with bash_output, end it with bash_kill."
    )
    return ToolOutcome(ToolStatus.OK, text, True, summary=one_line(f"{job}: {arguments.command}"))


async def _outcome(
    state: RunState, arguments: BashArguments, context: ToolContext, runner: ProcessRunner
) -> ToolOutcome:
    command = one_line(arguments.command, 80)
    if isinstance(state, Finished):
        output = await asyncio.to_thread(runner.output, context.run_key)
        end = ending(state, arguments.timeout_seconds)
        status = ToolStatus.OK if is_success(state) else ToolStatus.ERROR
        return ToolOutcome(status, f"{shown_output(output)}\n[{end}]", True, summary=one_line(f"{command}: {end}"))
    if isinstance(state, Lost):
        output = await asyncio.to_thread(runner.output, context.run_key)
        return ToolOutcome(ToolStatus.LOST, lost_text(state, output), True, summary=f"{command}: outcome unknown")
    if isinstance(state, NotStarted):
        raise HostError(f"the files of the run {context.run_key} were removed while it was followed")
    return ToolOutcome(ToolStatus.RUNNING, "The command is still running.", True, summary=f"{command}: running")
