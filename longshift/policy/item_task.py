"""The tasks that the runner writes for a swarm: of its items, of those that mend merges, of the integration, of a seed.

What a sub-agent is told about being one of many stands in `policy.prompt`; how a task is kept is the caller's.
"""

from collections.abc import Sequence

from longshift.contracts import ids
from longshift.contracts.completion import ProposedCheck
from longshift.contracts.sub_agent import SubAgent
from longshift.contracts.swarm_plan import SwarmItem, SwarmPlan, SwarmRules
from longshift.contracts.task import Budget, Check, TaskSpec

TITLE_CHARACTERS = 200
GOAL_LINE_CHARACTERS = 160
SHOWN_OTHERS = 10
CHECK_NAME_CHARACTERS = 60


def item_task(session: TaskSpec, plan: SwarmPlan, item: SwarmItem, sub_agent: SubAgent) -> TaskSpec:
    """The task of an item; `sub_agent` says what all items of the swarm have in common."""
    return _task(
        session,
        sub_agent.model_copy(update={"item": item.id, "write_scope": item.write_scope}),
        title=f"{item.id}: {goal_line(item.goal)}",
        instructions=_instructions(plan, item),
        checks=_as_checks(item.checks),
        model=item.model,
    )


def resolver_task(
    session: TaskSpec,
    sub_agent: SubAgent,
    *,
    title: str,
    instructions: str,
    checks: Sequence[Check],
    write_scope: Sequence[str],
    model: str = "",
) -> TaskSpec:
    """The task of a sub-agent that mends a merge: `sub_agent` names its item, state and conflict."""
    return _task(
        session,
        sub_agent.model_copy(update={"write_scope": tuple(write_scope)}),
        title=title,
        instructions=instructions,
        checks=_unique(checks),
        model=model,
    )


def integration_task(session: TaskSpec, plan: SwarmPlan, sub_agent: SubAgent) -> TaskSpec:
    """The task of the worktree in which work is merged; nobody works on it, its checks prove what was merged."""
    return _task(
        session,
        sub_agent.model_copy(update={"item": ids.INTEGRATION, "write_scope": None}),
        title=f"integration: {goal_line(plan.goal)}",
        instructions=plan.goal,
        checks=integration_checks(session, plan),
    )


def seed_task(session: TaskSpec, sub_agent: SubAgent) -> TaskSpec:
    """The task of the workspace that a host without the session's makes its worktrees from; nobody works on it."""
    return _task(
        session,
        sub_agent.model_copy(update={"item": ids.SEED, "write_scope": None}),
        title=f"seed of {sub_agent.swarm}",
        instructions=f"The files of {sub_agent.session} as they were when {sub_agent.swarm} began.",
        checks=(),
    )


def integration_checks(session: TaskSpec, plan: SwarmPlan) -> tuple[Check, ...]:
    """What proves merged work: the task's own checks, then those of the plan."""
    return _unique((*session.checks, *_as_checks(plan.checks)))


def goal_line(goal: str) -> str:
    """The first line of a goal, short enough for a list."""
    line = " ".join(goal.strip().partition("\n")[0].split())
    return line if len(line) <= GOAL_LINE_CHARACTERS else f"{line[: GOAL_LINE_CHARACTERS - 1]}…"


def _task(
    session: TaskSpec,
    sub_agent: SubAgent,
    *,
    title: str,
    instructions: str,
    checks: tuple[Check, ...],
    model: str = "",
) -> TaskSpec:
    return session.model_copy(
        update={
            "id": ids.item_task_id(sub_agent.swarm, sub_agent.item),
            "title": title[:TITLE_CHARACTERS],
            "instructions": instructions,
            "checks": checks,
            "model": model or session.model,
            "budget": Budget(),
            "verifier": None,
            "deliver": None,
            "not_before": None,
            "start_from": None,
            "swarm": SwarmRules(max_items=0),
            "sub_agent": sub_agent,
        }
    )


def _instructions(plan: SwarmPlan, item: SwarmItem) -> str:
    parts = [item.goal.strip()]
    if item.inputs:
        parts.append("Read first:\n" + "\n".join(f"- {each}" for each in item.inputs))
    parts.append("\n".join(_place(plan, item)))
    return "\n\n".join(parts)


def _place(plan: SwarmPlan, item: SwarmItem) -> list[str]:
    """Where the item stands in the whole."""
    goals = {each.id: goal_line(each.goal) for each in plan.items}
    lines = [
        "## Where this stands in the whole",
        f"This is the item `{item.id}`, one of {len(plan.items)} that together are to reach: {goal_line(plan.goal)}",
    ]
    lines += _listed("It builds on these, whose work is in your files already:", item.depends_on, goals)
    before = "These may be at work on the same files now; their work is merged before yours, so keep changes small:"
    lines += _listed(before, item.merge_after, goals)
    dependents = [each.id for each in plan.items if item.id in each.depends_on]
    lines += _listed("These wait for it, and start from what you leave:", dependents, goals)
    return lines


def _listed(said: str, items: Sequence[str], goals: dict[str, str]) -> list[str]:
    if not items:
        return []
    more = [f"- and {len(items) - SHOWN_OTHERS} more"] if len(items) > SHOWN_OTHERS else []
    return [said, *(f"- `{each}`: {goals.get(each, '')}" for each in items[:SHOWN_OTHERS]), *more]


def _as_checks(proposed: Sequence[ProposedCheck]) -> tuple[Check, ...]:
    return _unique([Check(name=check.name, run=check.run) for check in proposed])


def _unique(checks: Sequence[Check]) -> tuple[Check, ...]:
    """The same with a number behind a name that was there before; the same command is run once."""
    found: list[Check] = []
    for check in checks:
        if any(check.run == other.run and check.measure == other.measure for other in found):
            continue
        name, number = check.name, 2
        while any(name == other.name for other in found):
            suffix = f" {number}"
            name, number = f"{check.name[: CHECK_NAME_CHARACTERS - len(suffix)]}{suffix}", number + 1
        found.append(check.model_copy(update={"name": name}))
    return tuple(found)
