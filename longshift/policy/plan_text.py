"""A swarm's plan for people: all of it as far as there is room, alike items once, and what is left out is said.

How a plan differs from another one is in `plan_diff`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from longshift.contracts.swarm_plan import PlanTemplate, SwarmItem, SwarmPlan
from longshift.policy.swarm_plan import made_of

PIECES: Final = 20
PIECE_CHARACTERS: Final = 2_000
LEAST_CHARACTERS: Final = 1_500
ROOM_CHARACTERS: Final = (PIECES - 1) * LEAST_CHARACTERS
"""What surely fits, wherever lines end."""
WHOLE: Final = 100_000
CUTS: Final = (WHOLE, 2_000, 600, 240, 100)
"""Characters of each text (goal, command, list), tried in turn."""


@dataclass(frozen=True)
class _Block:
    """An item, or items from one template."""

    text: str
    items: int
    is_cut: bool


def shown(plan: SwarmPlan, task_id: str) -> tuple[str, ...]:
    """The plan in at most 20 pieces of 2,000 characters; the first says so where they are not all of it."""
    for cut in CUTS:
        blocks = blocks_of(plan, cut)
        shortened = sum(block.items for block in blocks if block.is_cut)
        text = "\n\n".join([_head(plan, WHOLE), *(block.text for block in blocks)])
        left_out = f"the texts of {shortened} items are shortened" if shortened else ""
        found = pieces(_with_remark(text, left_out, task_id))
        if len(found) <= PIECES:
            return found
    return _beginning(plan, task_id)


def _beginning(plan: SwarmPlan, task_id: str) -> tuple[str, ...]:
    """As many items as there is room for."""
    blocks = blocks_of(plan, CUTS[-1])
    texts, room = [_head(plan, PIECE_CHARACTERS)], ROOM_CHARACTERS - len(_head(plan, PIECE_CHARACTERS))
    for number, block in enumerate(blocks):
        room -= len(block.text) + 2
        if room < 0:
            missing = sum(each.items for each in blocks[number:])
            left_out = f"{missing} of {len(plan.items)} items are not shown, and the texts of others are shortened"
            return pieces(_with_remark("\n\n".join(texts), left_out, task_id))
        texts.append(block.text)
    left_out = "its goal and the texts of items are shortened"
    return pieces(_with_remark("\n\n".join(texts), left_out, task_id))


def whole(plan: SwarmPlan, cut: int = WHOLE) -> str:
    """All of a plan as one text; `cut`: at most so many characters of each goal, command or list."""
    return "\n\n".join([_head(plan, WHOLE), *(block.text for block in blocks_of(plan, cut))])


def pieces(text: str) -> tuple[str, ...]:
    """A text in pieces of at most 2,000 characters that end with a line where one ends in their last quarter."""
    found: list[str] = []
    while text:
        end = text.rfind("\n", LEAST_CHARACTERS, PIECE_CHARACTERS) + 1 if len(text) > PIECE_CHARACTERS else 0
        found.append(text[: end or PIECE_CHARACTERS])
        text = text[end or PIECE_CHARACTERS :]
    return tuple(found)


def where_all_of_it_is(task_id: str) -> str:
    """The command that shows the whole plan."""
    return f"longshift swarm {task_id} --plan"


def item_text(item: SwarmItem, cut: int = WHOLE) -> str:
    """An item with all its fields, a line for each."""
    return "\n".join([f"{item.id}", *(f"  {line}" for line in _fields(item, cut))])


def blocks_of(plan: SwarmPlan, cut: int) -> list[_Block]:
    """The items in their order; those in a row that one template makes are one block."""
    made = made_of(plan)
    blocks: list[_Block] = []
    for place, group in groupby(plan.items, key=lambda item: made.get(item.id, (None, ""))[0]):
        items = tuple(group)
        if place is None or len(items) == 1:
            blocks += [_block(item_text(item, cut), item_text(item), 1) for item in items]
            continue
        template, values = plan.templates[place], [(item.id, made[item.id][1]) for item in items]
        blocks.append(_block(_group_text(template, values, cut), _group_text(template, values, WHOLE), len(items)))
    return blocks


def _block(text: str, full: str, items: int) -> _Block:
    return _Block(text, items, text != full)


def _head(plan: SwarmPlan, cut: int) -> str:
    lines = [f"Goal: {_cut(plan.goal, cut)}", f"{len(plan.items)} item{'s' if len(plan.items) != 1 else ''}"]
    lines += [f"check of the merged tree: {check.name}: `{_cut(check.run, cut)}`" for check in plan.checks]
    if plan.struck:
        lines.append(f"taken out by a person: {_cut(', '.join(plan.struck), cut)}")
    return "\n".join(lines)


def _with_remark(text: str, left_out: str, task_id: str) -> str:
    if not left_out:
        return text
    return f"NOT ALL OF THE PLAN IS SHOWN HERE: {left_out}. All of it: {where_all_of_it_is(task_id)}\n\n{text}"


def _group_text(template: PlanTemplate, values: Sequence[tuple[str, str]], cut: int) -> str:
    """Items of one template: its texts once, and what each item puts into them."""
    first, last = values[0][0], values[-1][0]
    lines = [f"{first} … {last} ({len(values)} items) from one template, {template.id}:"]
    lines += [f"  {line}" for line in _fields(template, cut)]
    lines.append("  {{input}} of each:")
    lines += [f"    {name}: {value}" for name, value in values]
    return "\n".join(lines)


def _fields(item: SwarmItem | PlanTemplate, cut: int) -> list[str]:
    checks = [check if isinstance(check, tuple) else (check.name, check.run) for check in item.checks]
    rows = [
        ("goal", item.goal),
        ("may change", ", ".join(item.write_scope) or "nothing: it only reports"),
        ("reads", ", ".join(item.inputs)),
        ("starts after", ", ".join(item.depends_on)),
        ("is merged after", ", ".join(item.merge_after)),
        *((f"check {name}", f"`{run}`") for name, run in checks),
        ("share of the budget", "" if item.budget_share is None else f"{item.budget_share:.4g}"),
        ("model", item.model),
    ]
    return [f"{name}: {_cut(text, cut)}" for name, text in rows if text]


def _cut(text: str, characters: int) -> str:
    """The first lines of a text, indented; says how much is missing."""
    kept = text if len(text) <= characters else f"{text[:characters]}… ({len(text) - characters:,} more characters)"
    return kept.replace("\n", "\n    ")
