"""The order in which items are merged: after all that they depend on, and all that is to be merged before them."""

import heapq
from collections import defaultdict
from collections.abc import Collection, Sequence

from longshift.contracts.swarm_activities import Merge
from longshift.contracts.swarm_plan import ItemRow


def ordered(
    merges: Sequence[Merge], rows: Sequence[ItemRow], settled: Collection[str], *, first: Collection[str] = ()
) -> tuple[Merge, ...]:
    """What of `merges` may be merged now, in order; what waits for an item that is neither `settled` nor before it is
    left out. As far as the order allows, the items of `first` lead, and the rest is as in the plan."""
    here = {each.item: each for each in merges}
    place = {row.id: (row.id not in first, number) for number, row in enumerate(rows)}
    waits: dict[str, int] = {}
    followers: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        before = {*row.depends_on, *row.merge_after}.difference(settled)
        if row.id in here and before.issubset(here):
            waits[row.id] = len(before)
            for each in before:
                followers[each].append(row.id)
    free = [(place[item], item) for item, count in waits.items() if not count]
    heapq.heapify(free)
    chosen: list[Merge] = []
    while free:
        item = heapq.heappop(free)[1]
        chosen.append(here[item])
        for each in followers[item]:
            waits[each] -= 1
            if not waits[each]:
                heapq.heappush(free, (place[each], each))
    return tuple(chosen)


def fitting(merges: Sequence[Merge], rows: Sequence[ItemRow], settled: Collection[str]) -> tuple[Merge, ...]:
    """What of `merges`, which are in order, may still be merged where only `settled` items went before."""
    before = {row.id: {*row.depends_on, *row.merge_after} for row in rows}
    known, fit = set(settled), list[Merge]()
    for each in merges:
        if before[each.item] <= known:
            fit.append(each)
            known.add(each.item)
    return tuple(fit)
