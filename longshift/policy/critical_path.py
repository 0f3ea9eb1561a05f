"""How long a swarm's job was against doing all of it one after the other.

Stages are the levels of the order in which items start (`depends_on`); when they are merged is another matter.
"""

from collections.abc import Mapping
from graphlib import TopologicalSorter

from longshift.contracts.swarm import CriticalPath
from longshift.contracts.swarm_plan import ItemRow


def levels(rows: tuple[ItemRow, ...]) -> dict[str, int]:
    """Item → its stage, from 0: one more than the latest of those that it depends on. Others than `rows` do not count.

    Raises:
        graphlib.CycleError: items depend on each other; plans that do are refused before.
    """
    found: dict[str, int] = {}
    needs = _needs(rows)
    for item in TopologicalSorter(needs).static_order():
        found[item] = 1 + max((found[each] for each in needs[item]), default=-1)
    return found


def critical_path(lead_steps: int, rows: tuple[ItemRow, ...], work: Mapping[str, tuple[int, float]]) -> CriticalPath:
    """The path, from item → (steps, seconds at work), of all its attempts; an item without an entry did nothing.

    In steps, which do not depend on how fast a machine is: the lead's, and the longest item of each stage. In seconds:
    the longest chain of items that depend on each other.
    """
    stage = levels(rows)
    stages = [0] * (1 + max(stage.values(), default=-1))
    for item, level in stage.items():
        stages[level] = max(stages[level], work.get(item, (0, 0.0))[0])
    done = [work[item] for item in stage if item in work]
    steps, serial_steps = lead_steps + sum(stages), lead_steps + sum(each for each, _ in done)
    return CriticalPath(
        steps=steps,
        serial_steps=serial_steps,
        seconds=_longest_chain(rows, work),
        serial_seconds=sum(seconds for _, seconds in done),
        stages=tuple(stages),
        speed_up=serial_steps / steps if steps else 1.0,
    )


def _longest_chain(rows: tuple[ItemRow, ...], work: Mapping[str, tuple[int, float]]) -> float:
    ends: dict[str, float] = {}
    needs = _needs(rows)
    for item in TopologicalSorter(needs).static_order():
        ends[item] = work.get(item, (0, 0.0))[1] + max((ends[each] for each in needs[item]), default=0.0)
    return max(ends.values(), default=0.0)


def _needs(rows: tuple[ItemRow, ...]) -> dict[str, tuple[str, ...]]:
    there = {row.id for row in rows}
    return {row.id: tuple(each for each in row.depends_on if each in there) for row in rows}
