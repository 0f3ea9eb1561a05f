"""How a person changes a swarm's plan, a line for each change: `strike annotate-007`, `goal docs: Write …`.

Nothing is applied unless every line can be, and the plan that comes of it is checked like any other. A whole plan in
another form is `swarm_plan.planned`'s.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

from longshift.contracts.delegate import DelegateArguments, DelegatedCheck, DelegatedItem
from longshift.contracts.swarm_plan import SwarmPlan
from longshift.policy.describe import is_check_name
from longshift.policy.plan_faults import Site
from longshift.policy.plan_templates import items_of
from longshift.policy.swarm_plan import PlanRefused, planned, replanned

_LINE = re.compile(r"(?P<verb>[a-z-]+)\s+(?P<names>[^:]+?)\s*(?P<colon>:\s*(?P<text>.*))?", re.DOTALL)
_SEPARATOR = re.compile(r"[\s,]+")
WAYS: Final = (
    "strike ID …, add ID: goal, goal ID: text, scope ID: glob, …, inputs ID: path, …, after ID: ID, …, "
    "merge-after ID: ID, …, checks ID: command, share ID: 0.1, model ID: name"
)


@dataclass
class _Draft:
    """The items as they become, and what is wrong with the lines so far."""

    items: dict[str, DelegatedItem]
    struck: list[str] = field(default_factory=list[str])
    rechecked: set[str] = field(default_factory=set[str])
    """Items whose checks were given anew: a second line adds one."""
    faults: list[str] = field(default_factory=list[str])


def amended(plan: SwarmPlan, text: str, site: Site) -> SwarmPlan:
    """The plan with the changes of `text`, a line each; a line that begins with blanks goes on with the one before.

    Raises:
        PlanRefused: a line cannot be applied, or what comes of all of them cannot be carried out.
    """
    draft = _Draft({item.id: item for item in items_of(plan)})
    lines = _lines(text)
    if not lines:
        raise PlanRefused((f"the change is empty; write a line for each: {WAYS}",))
    for number, line in lines:
        if fault := _apply(draft, line):
            draft.faults.append(f"line {number} ({' '.join(line.split())[:60]}): {fault}")
    draft.faults += _left_waiting(draft)
    if draft.faults:
        raise PlanRefused(draft.faults)
    return replanned(plan, tuple(draft.items.values()), site, draft.struck)


def replaced(plan: SwarmPlan, arguments: DelegateArguments, site: Site) -> SwarmPlan:
    """A plan that a person has written as a whole, in place of another one.

    Raises:
        PlanRefused: it cannot be carried out.
    """
    changed = planned(arguments, site)
    names = {item.id for item in changed.items}
    struck = dict.fromkeys(name for name in (*plan.struck, *(item.id for item in plan.items)) if name not in names)
    templates = changed.templates or plan.templates  # only shows items together that are what it makes
    return changed.model_copy(update={"struck": tuple(struck), "templates": templates})


def _lines(text: str) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if found and line[:1] in (" ", "\t") and line.strip():
            found[-1] = (found[-1][0], f"{found[-1][1]}\n{line.strip()}")
        elif line.strip():
            found.append((number, line.strip()))
    return found


def _apply(draft: _Draft, line: str) -> str:
    """Apply one change; gives what is wrong with it."""
    match = _LINE.fullmatch(line)
    if match is None or (match["verb"] not in _EDITS and match["verb"] not in ("strike", "add")):
        return f"is no change; there are {WAYS}"
    verb, text = match["verb"], (match["text"] or "").strip()
    if verb != "strike" and match["colon"] is None:
        return f"has no colon; write {verb} ID: …"
    if verb == "add":
        return _add(draft, match["names"], text)
    names = [name for name in _SEPARATOR.split(match["names"]) if name]
    meant = [name for name in draft.items if any(fnmatchcase(name, each) for each in names)]
    unknown = [each for each in names if not any(fnmatchcase(name, each) for name in draft.items)]
    if unknown:
        return f"there is no item {unknown[0][:60]!r}; the items are {_listed(list(draft.items))}"
    if verb == "strike":
        for name in meant:
            del draft.items[name]
        draft.struck += meant
        return ""
    return next(filter(None, [_edit(draft, verb, name, text) for name in meant]), "")


def _add(draft: _Draft, name: str, goal: str) -> str:
    if name in draft.items:
        return f"there is an item {name!r} already; change it with goal {name}: …"
    draft.items[name] = DelegatedItem.model_construct(id=name, goal=goal)
    return ""


def _edit(draft: _Draft, verb: str, name: str, text: str) -> str:
    item = draft.items[name]
    if verb == "checks":
        kept = item.checks if name in draft.rechecked else ()
        draft.rechecked.add(name)
        more = (_check(text, kept),) if text else ()
        draft.items[name] = item.model_copy(update={"checks": (*kept, *more)})
        return ""
    place, read = _EDITS[verb]
    try:
        draft.items[name] = item.model_copy(update={place: read(text)})
    except ValueError:
        return f"{text[:60]!r} is no number; write a part such as 0.1, or nothing for an even share"
    return ""


def _check(command: str, others: Sequence[DelegatedCheck]) -> DelegatedCheck:
    """A check is named after its command."""
    plain = "".join(letter if is_check_name(letter) else " " for letter in command[:200])
    name = " ".join(plain.split())[:50].strip() or "check"
    taken = {check.name for check in others}
    number = 2
    wanted = name
    while wanted in taken:
        wanted, number = f"{name} {number}", number + 1
    return DelegatedCheck.model_construct(name=wanted, run=command)


def _left_waiting(draft: _Draft) -> list[str]:
    """Items that wait for one that was struck."""
    faults: list[str] = []
    for item in draft.items.values():
        for verb, names in (("after", item.depends_on), ("merge-after", item.merge_after)):
            if gone := [name for name in names if name in draft.struck and name not in draft.items]:
                faults.append(
                    f"strike {_listed(gone)}: {item.id!r} comes after; strike it too, or write its order anew: "
                    f"{verb} {item.id}: …"
                )
    return faults


def _texts(text: str) -> tuple[str, ...]:
    return tuple(part for each in re.split(r"[,\n]", text) if (part := each.strip()))


def _share(text: str) -> float | None:
    return float(text) if text else None


_EDITS: Mapping[str, tuple[str, Callable[[str], object]]] = {
    "goal": ("goal", str),
    "scope": ("write_scope", _texts),
    "inputs": ("inputs", _texts),
    "after": ("depends_on", _texts),
    "merge-after": ("merge_after", _texts),
    "checks": ("checks", str),
    "share": ("budget_share", _share),
    "model": ("model", str),
}
"""What a line changes: the field of the item, and how its text is read."""


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
