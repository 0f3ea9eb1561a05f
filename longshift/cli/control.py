"""What people tell a session: `steer`, `pause`, `resume`, `rollback`, `cancel`, `extend`. It decides what fits."""

from typing import Annotated, Any

import typer
from rich.text import Text

from longshift.cli.command import TaskId, command
from longshift.cli.exit_codes import ExitCode
from longshift.cli.invocation import Invocation
from longshift.cli.terminal_text import clean
from longshift.cli.words import given_words
from longshift.contracts.errors import BadInput
from longshift.contracts.rollback import Rollback
from longshift.contracts.session import Extend, Steer
from longshift.sessions import updates
from longshift.sessions.failures import WorkerAbsent

Message = Annotated[str, typer.Argument(metavar="TEXT", help="The message; - reads it from standard input.")]
ForItem = Annotated[
    str | None,
    typer.Option("--item", metavar="ITEM", help="The item of the swarm at work whose sub-agent it is for; * for all."),
]
Reason = Annotated[str, typer.Option("--reason", help="Kept in the session's report.")]
ToStep = Annotated[int, typer.Option("--to-step", min=0, help="The last step that stays; 0 is the beginning.")]
Words = Annotated[str, typer.Option("--reason", help="The agent gets it as your message; - reads standard input.")]
Hours = Annotated[float, typer.Option("--hours", min=0, max=720, help="Active hours to add.")]
MoreTokens = Annotated[int, typer.Option("--tokens", min=0, help="Tokens to add to the budget.")]
MoreUsd = Annotated[float, typer.Option("--usd", min=0, max=1e7, help="US dollars to add to the budget.")]
MoreSteps = Annotated[int, typer.Option("--steps", min=0, help="Steps to add to the budget.")]


def register(app: typer.Typer) -> None:
    """Put the commands onto the command line."""

    @command(app, "steer")
    async def steer(run: Invocation, task_id: TaskId, text: Message, item: ForItem = None) -> int:
        """Send the agent a message, or with --item a sub-agent; it is delivered with its next model call."""
        if item is not None and not item.strip():
            raise BadInput("--item: is empty; name an item of the swarm at work, or * for all of them")
        return await _tell(run, task_id, "steer", Steer(text=given_words(text), item=item))

    @command(app, "pause")
    async def pause(run: Invocation, task_id: TaskId) -> int:
        """Hold a session after its current step; the clock stands."""
        return await _tell(run, task_id, "pause")

    @command(app, "resume")
    async def resume(run: Invocation, task_id: TaskId) -> int:
        """Go on after a pause, or when what the session waited for is mended."""
        return await _tell(run, task_id, "resume")

    @command(app, "rollback")
    async def rollback(run: Invocation, task_id: TaskId, to_step: ToStep, reason: Words = "") -> int:
        """Undo the steps after one: the session goes on with the files and the conversation of that time."""
        wish = Rollback(to_step=to_step, reason=given_words(reason, "--reason") if reason else "")
        return await _tell(run, task_id, "rollback", wish)

    @command(app, "cancel")
    async def cancel(run: Invocation, task_id: TaskId, reason: Reason = "") -> int:
        """End a session: running commands are killed, what there is gets delivered."""
        try:
            return await _tell(run, task_id, "cancel", reason)
        except WorkerAbsent:
            return await _cancel_later(run, task_id, reason)

    @command(app, "extend")
    async def extend(
        run: Invocation,
        task_id: TaskId,
        hours: Hours = 0.0,
        tokens: MoreTokens = 0,
        usd: MoreUsd = 0.0,
        steps: MoreSteps = 0,
    ) -> int:
        """Give a session more active time, or more of its budget; one that holds for it goes on."""
        more = Extend(active_hours=hours, tokens=tokens, usd=usd, steps=steps)
        if more == Extend():
            raise BadInput("--hours: nothing is added; give --hours, --tokens, --usd or --steps")
        return await _tell(run, task_id, "extend", more)


async def _tell(run: Invocation, task_id: str, verb: str, *given: Any) -> int:
    client = await run.client()
    answer = await updates.tell(client, task_id, verb, *given)
    run.out.document({"task_id": task_id, "action": verb, "answer": answer}, Text(f"{task_id}: {clean(answer)}"))
    return ExitCode.OK


async def _cancel_later(run: Invocation, task_id: str, reason: str) -> int:
    answer = await updates.cancel_later(await run.client(), task_id, reason)
    run.out.document({"task_id": task_id, "action": "cancel", "answer": answer}, Text(f"{task_id}: {answer}"))
    return ExitCode.OK
