"""`continue` and `fork`: new sessions that go on from another one. What they begin with is decided elsewhere."""

from typing import Annotated, Any

import typer
from pydantic import ValidationError

from longshift import starting
from longshift.cli.command import TaskId, command, optional_task_id
from longshift.cli.exit_codes import ExitCode
from longshift.cli.invocation import Invocation
from longshift.cli.submit import hand_over
from longshift.contracts.errors import BadInput
from longshift.contracts.ids import LEAD
from longshift.contracts.task import StartFrom, TaskSpec

NewId = Annotated[str | None, typer.Option("--id", callback=optional_task_id, help="The new session's id.")]
Message = Annotated[str, typer.Option("--message", help="A message that goes with the agent's first request.")]
Instructions = Annotated[
    str | None, typer.Option("--instructions", help="What to do now, instead of that session's instructions.")
]
AtStep = Annotated[int, typer.Option("--at-step", min=1, help="The last step that the fork knows of.")]
Agent = Annotated[str, typer.Option("--agent", help="Whose step is meant.")]
Shift = Annotated[
    int | None, typer.Option("--shift", min=1, help="The shift whose step is meant; the last one that has it if empty.")
]
Hours = Annotated[float | None, typer.Option("--hours", help="Active hours, instead of that session's budget.")]
Steps = Annotated[int | None, typer.Option("--steps", help="Steps, instead of that session's budget.")]
Tokens = Annotated[int | None, typer.Option("--tokens", help="Tokens, instead of that session's budget.")]
Usd = Annotated[float | None, typer.Option("--usd", help="Dollars, instead of that session's budget.")]


def register(app: typer.Typer) -> None:
    """Put the commands onto the command line."""

    @command(app, "continue")
    async def continue_session(
        run: Invocation,
        task_id: TaskId,
        new_id: NewId = None,
        instructions: Instructions = None,
        message: Message = "",
        hours: Hours = None,
        steps: Steps = None,
        tokens: Tokens = None,
        usd: Usd = None,
    ) -> int:
        """Go on where a session has ended: a new one with its hand-off note, plan, messages and files."""
        task = await starting.task_that_goes_on(
            run.store,
            _start(session=task_id, message=message),
            task_id=new_id,
            instructions=instructions,
            budget=_budget(hours, steps, tokens, usd),
        )
        return await _submitted(run, task)

    @command(app, "fork")
    async def fork(
        run: Invocation,
        task_id: TaskId,
        at_step: AtStep,
        new_id: NewId = None,
        message: Message = "",
        agent: Agent = LEAD,
        shift: Shift = None,
        hours: Hours = None,
        steps: Steps = None,
        tokens: Tokens = None,
        usd: Usd = None,
    ) -> int:
        """Go on from a step of a session, which may still run, as a new one with all that led up to it."""
        shift = shift or await starting.newest_shift_with(run.store, task_id, agent, at_step)
        start = _start(session=task_id, message=message, step=at_step, shift=shift, agent=agent)
        budget = _budget(hours, steps, tokens, usd)
        return await _submitted(run, await starting.task_that_goes_on(run.store, start, task_id=new_id, budget=budget))


def _start(**given: Any) -> StartFrom:
    try:
        return StartFrom.model_validate(given)
    except ValidationError as error:
        found = error.errors()[0]
        raise BadInput(f"--{found['loc'][-1]}: {found['msg']}") from None


def _budget(hours: float | None, steps: int | None, tokens: int | None, usd: float | None) -> dict[str, Any]:
    given = {"active_hours": hours, "steps": steps, "tokens": tokens, "usd": usd}
    return {name: value for name, value in given.items() if value is not None}


async def _submitted(run: Invocation, task: TaskSpec) -> int:
    await hand_over(run, await run.client(), task)
    return ExitCode.OK
