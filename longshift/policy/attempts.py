"""An attempt at an item: what its agent starts with, and what a later one is told of the one before.

How an agent's report becomes the end of an attempt is `policy.item_end`'s.
"""

from longshift.contracts import ids
from longshift.contracts.activities import OpenAgentInput, OpenedAgent
from longshift.contracts.agent import AgentReport, AgentState
from longshift.contracts.delegation import VERSION_WITH_SWARMS
from longshift.contracts.item import ItemInput
from longshift.contracts.ledger import Spend
from longshift.contracts.session import AgentStatus
from longshift.contracts.swarm import ItemEnd, ItemFailure, ItemNews
from longshift.contracts.transcript import Note, Speaker
from longshift.contracts.workspace import Workspace
from longshift.policy import loop

GENERATIONS = 1_000
"""Each attempt has so many of them to itself: the slots of a later one count on from there, whatever became of the
earlier one."""
REASON_CHARACTERS = 300
_WHY = {
    ItemFailure.STUCK: "you were stuck",
    ItemFailure.OVER_BUDGET: "your share of the budget was used up; you have as much again",
    ItemFailure.OUT_OF_SCOPE: "your work was not taken, as it changes files outside of your write scope",
    ItemFailure.CHECKS_RED: "your work was not taken, as its checks are red",
    ItemFailure.HOST: "no host could keep your worktree",
    ItemFailure.LOST: "you were interrupted",
}


def task_id(request: ItemInput) -> str:
    """The id of the item's task."""
    return ids.item_task_id(request.swarm, request.item)


def agent_of(request: ItemInput, attempt: int | None = None) -> str:
    """The agent of an attempt, of this one where none is named."""
    return ids.agent_id(task_id(request), shift=attempt or request.attempt)


def first_generation(request: ItemInput) -> int:
    """What the slots of this attempt count on from."""
    return (request.attempt - 1) * GENERATIONS


def opening(request: ItemInput, workspace: Workspace) -> OpenAgentInput:
    """How its agent begins: a later one goes on with what the earlier ones have said and seen."""
    return OpenAgentInput(
        task_id=task_id(request),
        agent=agent_of(request),
        profile=request.profile,
        workspace=workspace,
        handoff_from=agent_of(request, request.attempt - 1) if request.attempt > 1 else "",
        keeps_conversation=request.attempt > 1,
    )


def agent_state(request: ItemInput, workspace: Workspace, opened: OpenedAgent) -> AgentState:
    """What its agent starts with; it asks nobody, and stops where its share is used up."""
    state = AgentState(
        agent=agent_of(request),
        task_id=task_id(request),
        version=VERSION_WITH_SWARMS,
        autonomy=request.autonomy,
        is_sub_agent=True,
        profile=request.profile,
        fallback=request.fallback,
        workspace=workspace,
        limits=request.limits,
        has_checks=True,  # its write scope, whatever else
        fleet_held=request.fleet_held,
        paused=request.paused,
        first_step=opened.first_step,
        step=opened.first_step,
        epoch_first_step=opened.first_step,
        plan=opened.plan,
        notes=(*opened.notes, *_about_attempt(request), *request.notes),
    )
    return state if request.wrap_up_seconds is None else loop.wrap_up(state, request.wrap_up_seconds)


def ended(request: ItemInput, started_at: float, now: float, *, host: str = "") -> ItemEnd:
    """The end of an attempt that nothing is known of but when it was."""
    return ItemEnd(item=request.item, attempt=request.attempt, started_at=started_at, ended_at=now, host=host)


def with_report(end: ItemEnd, report: AgentReport, *, told_throttled: int = 0) -> ItemEnd:
    """The end with what the agent has spent; of so many 429s the swarm has heard, and one halves the window once."""
    return end.model_copy(
        update={
            "steps": report.steps,
            "spent": Spend(usage=report.usage, usd=report.cost_usd, steps=report.steps),
            "unknown": report.unknown,
            "costs": report.costs,
            "throttled": max(0, report.throttled - told_throttled),
        }
    )


def failed(end: ItemEnd, failure: ItemFailure, reason: str) -> ItemEnd:
    """The end of an attempt that came to nothing."""
    return end.model_copy(update={"failure": failure, "reason": reason[:REASON_CHARACTERS]})


def news(request: ItemInput, status: AgentStatus, *, throttled: int) -> ItemNews:
    """What the swarm hears of a sub-agent that is held up, or goes on; `throttled` is how many 429s are new."""
    return ItemNews(
        item=request.item,
        waiting=status.waiting,
        attention=status.attention if status.waiting else None,
        needs_person=status.waiting and not status.wait_seconds,
        steps=status.step,
        spent=status.spent,
        unknown=status.unknown,
        throttled=throttled,
    )


def _about_attempt(request: ItemInput) -> tuple[Note, ...]:
    if request.before is None:
        return ()
    why = _WHY.get(request.before, "you did not get to an end")
    detail = f" ({request.before_reason})" if request.before_reason else ""
    text = (
        f"This is attempt {request.attempt} at your item. The one before ended: {why}{detail}. Its background jobs are "
        "gone. Look at the files first, then go on, and finish again when the work is done."
    )
    return (Note(speaker=Speaker.RUNNER, text=text, message_id=f"attempt {request.attempt}"),)
