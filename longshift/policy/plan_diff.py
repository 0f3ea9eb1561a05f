"""How a swarm's plan differs from the one that was shown before, for people, in the manner of a unified diff."""

from difflib import unified_diff
from typing import Final

from longshift.contracts.swarm_plan import SwarmPlan
from longshift.policy.plan_text import PIECE_CHARACTERS, PIECES, item_text, pieces, where_all_of_it_is

GROUPED: Final = 5
"""Items in a row that were taken out, from which on they are named and not shown."""


def changes(before: SwarmPlan, after: SwarmPlan, task_id: str) -> tuple[str, ...]:
    """What was added, struck and edited, in at most 20 pieces of 2,000 characters."""
    old, new = ({item.id: item for item in plan.items} for plan in (before, after))
    struck = [name for name in old if name not in new]
    added = [name for name in new if name not in old]
    edited = [name for name in new if name in old and new[name] != old[name]]
    parts = [
        f"{len(added)} added, {len(struck)} struck, {len(edited)} edited, "
        f"{len(new) - len(added) - len(edited)} as they were"
    ]
    if _head_of(before) != _head_of(after):
        parts.append(_difference("the plan", _head_of(before), _head_of(after)))
    parts += [_difference(f"{name} (edited)", item_text(old[name]), item_text(new[name])) for name in edited]
    parts += [_difference(f"{name} (added)", "", item_text(new[name])) for name in added]
    if len(struck) > GROUPED:
        parts.append("\n".join(["@@ struck @@", *(f"-{name}" for name in struck)]))
    else:
        parts += [_difference(f"{name} (struck)", item_text(old[name]), "") for name in struck]
    found = pieces("\n".join(parts))
    if len(found) <= PIECES:
        return found
    rest = sum(map(len, found[PIECES - 1 :]))
    remark = f"NOT ALL CHANGES ARE SHOWN HERE ({rest:,} more characters): {where_all_of_it_is(task_id)}"
    return (*found[: PIECES - 1], remark[:PIECE_CHARACTERS])


def _head_of(plan: SwarmPlan) -> str:
    return "\n".join([f"goal: {plan.goal}", *(f"check {check.name}: `{check.run}`" for check in plan.checks)])


def _difference(title: str, old: str, new: str) -> str:
    lines = list(unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=1))[2:]
    return "\n".join([f"@@ {title} @@", *(line for line in lines if not line.startswith("@@"))])
