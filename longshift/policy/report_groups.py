"""The items of a swarm in groups of groups, so that many of them can be told of by a few names.

The same plan always gives the same groups: a name that the lead has read is good for as long as the swarm is known.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from longshift.contracts.swarm_plan import ItemRow, SwarmItem, SwarmPlan
from longshift.policy.critical_path import levels

GROUP_MEMBERS = 20
"""Items of a group that has no parts, and parts of one that has, at most."""
ALL = "all"
"""The name of the group of all items."""


@dataclass(frozen=True)
class Group:
    """Some items of a plan, in its order within stages and families."""

    name: str
    """Such as `2.1`: the first part of the second part of all."""
    label: str
    """What they have in common, such as `stage 2, lint-*`."""
    items: tuple[str, ...]
    parts: tuple["Group", ...] = ()


Key = Callable[[SwarmItem], str]
"""What the items of a part have in common, in words."""


def groups_of(plan: SwarmPlan) -> Group:
    """All items: by stage, then by what their ids begin with, then in order, until no group is larger than 20."""
    rows = tuple(ItemRow(id=item.id, depends_on=item.depends_on) for item in plan.items)
    stage = levels(rows)
    keys: tuple[Key, ...] = (lambda item: f"stage {stage[item.id] + 1}", lambda item: f"{family_of(item.id)}*")
    return _group("", "all items", sorted(plan.items, key=lambda item: stage[item.id]), keys)


def find(group: Group, name: str) -> Group | None:
    """The group of this name in it."""
    if group.name == name:
        return group
    return next((found for part in group.parts if (found := find(part, name)) is not None), None)


def family_of(item: str) -> str:
    """What the ids of a template have in common: all before the first `-`, without a number at the end."""
    head = item.partition("-")[0]
    return re.sub(r"\d+$", "", head) or head


def _group(name: str, label: str, items: Sequence[SwarmItem], keys: tuple[Key, ...]) -> Group:
    names = tuple(item.id for item in items)
    if len(items) <= GROUP_MEMBERS:
        return Group(name or ALL, label, names)
    before = f"{label}, " if name else ""
    for number, key in enumerate(keys, 1):
        alike: dict[str, list[SwarmItem]] = {}
        for item in items:
            alike.setdefault(key(item), []).append(item)
        if 1 < len(alike) <= GROUP_MEMBERS:
            parts = [(f"{before}{shared}", part) for shared, part in alike.items()]
            return Group(name or ALL, label, names, _parts(name, parts, keys[number:]))
    size = math.ceil(len(items) / math.ceil(len(items) / GROUP_MEMBERS))
    cuts = [items[start : start + size] for start in range(0, len(items), size)]
    return Group(name or ALL, label, names, _parts(name, [(label, cut) for cut in cuts], ()))


def _parts(name: str, parts: Sequence[tuple[str, Sequence[SwarmItem]]], keys: tuple[Key, ...]) -> tuple[Group, ...]:
    dot = f"{name}." if name else ""
    return tuple(_group(f"{dot}{number}", label, items, keys) for number, (label, items) in enumerate(parts, 1))
