"""The order of a plan's items: what each waits for, cycles, and write scopes that overlap without an order.

`depends_on` and `merge_after` make one order together: either way the other item's work is merged first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from graphlib import CycleError, TopologicalSorter
from typing import Final

from longshift.contracts.delegate import DelegatedItem
from longshift.policy import globs
from longshift.policy.plan_faults import Faults, Site, name_of

MAX_EDGES: Final = 2_000
"""In the orders of a plan: they travel through workflows."""
SHOWN_CYCLES: Final = 5
SHOWN_INPUTS: Final = 50
SHOWN_OVERLAPS: Final = 30


def with_all_named(item: DelegatedItem, names: Sequence[str]) -> DelegatedItem:
    """An item whose orders name every item that a pattern such as `annotate-*` stands for."""
    if not any("*" in text for text in (*item.depends_on, *item.merge_after)):
        return item
    orders = {"depends_on": item.depends_on, "merge_after": item.merge_after}
    return item.model_copy(update={field: _named(texts, item.id, names) for field, texts in orders.items()})


def order_faults(items: Sequence[DelegatedItem], site: Site) -> list[str]:
    """What is wrong with the order, with scopes under it, and with inputs that others have to write first.

    Ids have to be without faults. Where the order has faults itself, nothing is said of what depends on it.
    """
    faults = Faults()
    _check_names(faults, items)
    if faults.lines:
        return faults.lines
    before = {item.id: frozenset((*item.depends_on, *item.merge_after)) for item in items}
    if (edges := sum(map(len, before.values()))) > MAX_EDGES:
        remedy = "let one item depend on many, and the later ones on that one"
        faults.add("depends_on", f"{edges:,} orders between items, at most {MAX_EDGES:,} are allowed", remedy)
        return faults.lines
    _check_cycles(faults, before)
    if not faults.lines:
        _check_inputs(faults, items, site)
        _check_overlaps(faults, items, Order.of(before))
    return faults.lines


@dataclass(frozen=True)
class Order:
    """Which items come before which."""

    ranks: Mapping[str, int]
    earlier: Sequence[int]
    """By an item's number, the bits of the numbers of all items that come before it."""

    @classmethod
    def of(cls, before: Mapping[str, frozenset[str]]) -> "Order":
        """The order that follows from what each item comes right after; without cycles."""
        ranks = {name: number for number, name in enumerate(before)}
        earlier = [0] * len(ranks)
        for name in TopologicalSorter(before).static_order():
            for other in before[name]:
                earlier[ranks[name]] |= earlier[ranks[other]] | 1 << ranks[other]
        return cls(ranks, earlier)

    def has(self, one: int, other: int) -> bool:
        """Whether one of two items, by number, comes before the other."""
        return bool(self.earlier[one] >> other & 1 or self.earlier[other] >> one & 1)

    def before(self, name: str) -> frozenset[str]:
        """All items that come before one."""
        bits = self.earlier[self.ranks[name]]
        return frozenset(other for other, number in self.ranks.items() if bits >> number & 1)


def _named(texts: Sequence[str], own: str, names: Sequence[str]) -> tuple[str, ...]:
    named: dict[str, None] = {}
    for text in texts:
        meant = [name for name in names if name != own and fnmatchcase(name, text)] if "*" in text else []
        named.update(dict.fromkeys(meant or [text]))
    return tuple(named)


def _check_names(faults: Faults, items: Sequence[DelegatedItem]) -> None:
    known = {item.id for item in items}
    for number, item in enumerate(items, 1):
        for field, names in (("depends_on", item.depends_on), ("merge_after", item.merge_after)):
            place = f"{name_of(item, number)}, {field}"
            for name in names:
                if name == item.id:
                    faults.add(place, "names the item itself", "leave it out")
                elif name not in known:
                    faults.add(place, f"there is no item {name[:60]!r}", "name an item of this plan, or leave it out")


def _check_cycles(faults: Faults, before: Mapping[str, frozenset[str]]) -> None:
    left = {name: set(names) for name, names in before.items()}
    for _ in range(SHOWN_CYCLES):
        try:
            TopologicalSorter(left).prepare()
        except CycleError as error:
            cycle: list[str] = error.args[1]  # each one comes before the next
            shown = " → ".join(cycle[:12]) + (" → …" if len(cycle) > 12 else "")
            faults.add(f"item {cycle[1]!r}", f"waits for itself: {shown}", "leave out one of these orders")
            left[cycle[1]].discard(cycle[0])
        else:
            return


def _check_inputs(faults: Faults, items: Sequence[DelegatedItem], site: Site) -> None:
    if not any(item.inputs for item in items):
        return
    started_from = Order.of({item.id: frozenset(item.depends_on) for item in items})
    scopes = {item.id: [globs.parse(text) for text in item.write_scope if not globs.problem_of(text)] for item in items}
    for number, item in enumerate(items, 1):
        if len(faults.lines) >= SHOWN_INPUTS:
            return
        place = f"{name_of(item, number)}, inputs"
        for text in item.inputs:
            path = plain_path(text)
            if path is None:
                remedy = "write it from the root, without .."
                faults.add(place, f"{text[:80]!r} is no path within the workspace", remedy)
            elif path not in site.files and path not in site.folders and path != ".":
                wanted = globs.of_path(path, with_contents=True)
                writers = (glob for name in started_from.before(item.id) for glob in scopes[name])
                if not any(globs.shared_path(glob, wanted) is not None for glob in writers):
                    remedy = "name what is there, or depend on the item that writes it"
                    faults.add(place, f"{text[:80]!r} is not in the workspace", remedy)


def plain_path(text: str) -> str | None:
    """A path from the root, `.` for the root itself; None: it leads elsewhere, or nowhere."""
    if not text.strip() or text.startswith(("/", "~")) or "\\" in text or not text.isprintable():
        return None
    names = [name for name in text.split("/") if name not in ("", ".")]
    return None if ".." in names else "/".join(names) or "."


def _check_overlaps(faults: Faults, items: Sequence[DelegatedItem], order: Order) -> None:
    scopes = [[globs.parse(text) for text in item.write_scope if not globs.problem_of(text)] for item in items]
    for found, each in enumerate(globs.overlaps(scopes, order.has)):
        if found == SHOWN_OVERLAPS:
            faults.add("write_scope", "more scopes overlap", "mend those above first")
            return
        one, other = items[each.first].id, items[each.second].id
        anchor = " (a name without a slash is meant in every folder; begin it with / for the root alone)"
        hint = anchor if any("/" not in text.rstrip("/") for text in (each.first_glob, each.second_glob)) else ""
        faults.add(
            f"items {one!r} and {other!r}, write_scope",
            f"{each.first_glob!r} and {each.second_glob!r} both allow {each.path!r}{hint}",
            f"keep them apart, or give an order: merge_after or depends_on {one!r} in {other!r}",
        )
