"""What is wrong with the items of a plan, each fault with its item, field and remedy, so that a model can mend it.

Orders and scopes are in `plan_order`; the plan that comes of items without faults is made in `swarm_plan`.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from longshift.contracts import ids
from longshift.contracts.completion import MAX_PROPOSED_CHECKS, PROPOSED_RUN_CHARACTERS
from longshift.contracts.delegate import DelegatedCheck, DelegatedItem
from longshift.contracts.swarm_plan import GOAL_MAX_CHARACTERS, ITEM_ID_PATTERN
from longshift.policy import globs
from longshift.policy.describe import is_check_name
from longshift.policy.plan_templates import is_unfilled

RESERVED: Final = frozenset({ids.INTEGRATION, ids.SEED})
SHARE_SLACK: Final = 1e-6
"""What sums of shares may be off by."""
MAX_TEXTS: Final = 100
"""Inputs of an item, or globs of its scope."""
MAX_PATTERNS: Final = 3_000
"""Globs of all scopes that are more than the name of a file: each may have to be compared with each."""


@dataclass(frozen=True)
class Site:
    """What a plan is held against."""

    files: frozenset[str] = frozenset()
    """Paths of the tree, relative to its root."""
    profiles: frozenset[str] = frozenset()
    """Names of the model profiles that there are."""
    protected: tuple[str, ...] = ()
    """Globs of files that must not change."""
    task_checks: frozenset[str] = frozenset()
    """Names of the task's own checks."""
    max_items: int = 300

    @cached_property
    def folders(self) -> frozenset[str]:
        """Every folder that has a file in it."""
        return frozenset(path[:at] for path in self.files for at, letter in enumerate(path) if letter == "/")

    @cached_property
    def protected_globs(self) -> tuple[globs.Glob, ...]:
        """Those protected globs that are read alike by everybody."""
        return tuple(globs.parse(text) for text in self.protected if not globs.problem_of(text))


@dataclass
class Faults:
    """Faults, in the order in which they were found."""

    lines: list[str] = field(default_factory=list[str])

    def add(self, place: str, what: str, remedy: str) -> None:
        """One fault: where it is, what is wrong, what helps."""
        self.lines.append(f"{place}: {what}; {remedy}")


def name_of(item: DelegatedItem, number: int) -> str:
    """How faults call an item."""
    return f"item {item.id[:60]!r}" if item.id else f"item number {number}"


def item_faults(items: Sequence[DelegatedItem], site: Site) -> list[str]:
    """What is wrong with items on their own, and with all of them together; their order is left out."""
    faults = Faults()
    counts = Counter(item.id for item in items)
    for number, item in enumerate(items, 1):
        name = name_of(item, number)
        _check_id(faults, name, item, counts)
        _check_goal(faults, f"{name}, goal", item.goal)
        if is_unfilled(item):
            faults.add(name, "has a {{placeholder}}", "only templates are filled in; put it there, or write it out")
        _check_scope(faults, name, item, site)
        _check_checks(faults, f"{name}, checks", item.checks, frozenset())
        if item.model and item.model not in site.profiles:
            remedy = f"there are {_listed(site.profiles)}"
            faults.add(f"{name}, model", f"no profile is named {item.model[:60]!r}", remedy)
    patterns = sum(any(letter in text for letter in "*?[") for item in items for text in item.write_scope)
    if patterns > MAX_PATTERNS:
        remedy = "name folders or files instead"
        faults.add("write_scope", f"all items together have {patterns:,} patterns, at most {MAX_PATTERNS:,}", remedy)
    _check_shares(faults, items)
    return faults.lines


def plan_faults(goal: str, checks: Sequence[DelegatedCheck], count: int, site: Site) -> list[str]:
    """What is wrong with a plan apart from its items, of which there are `count`."""
    faults = Faults()
    if not site.max_items:
        faults.add("items", "this task allows no sub-agents", "do the work yourself")
    elif not count:
        faults.add("items", "the plan has none", "give items, or templates with inputs")
    elif count > site.max_items:
        remedy = "give each more to do, or delegate in several rounds"
        faults.add("items", f"the plan has {count}, at most {site.max_items} are allowed", remedy)
    _check_goal(faults, "goal", goal)
    _check_checks(faults, "checks", checks, site.task_checks)
    return faults.lines


def _check_id(faults: Faults, name: str, item: DelegatedItem, counts: Counter[str]) -> None:
    if re.fullmatch(ITEM_ID_PATTERN, item.id) is None:
        remedy = "use lower-case letters, digits and - within, at most 40 characters"
        faults.add(f"{name}, id", f"{item.id[:60]!r} is no id", remedy)
    elif item.id in RESERVED:
        faults.add(f"{name}, id", "the runner uses this name itself", "choose another one")
    elif counts[item.id] > 1:
        counts[item.id], several = 0, counts[item.id]  # said once
        faults.add(f"{name}, id", f"{several} items have it", "ids must differ; {{number}} in a template sees to that")


def _check_goal(faults: Faults, place: str, goal: str) -> None:
    if not goal.strip():
        faults.add(place, "is empty", "say what is to be done")
    elif len(goal) > GOAL_MAX_CHARACTERS:
        remedy = "put what is long into a file and name it in inputs"
        faults.add(place, f"has {len(goal):,} characters, at most {GOAL_MAX_CHARACTERS:,} are allowed", remedy)


def _check_scope(faults: Faults, name: str, item: DelegatedItem, site: Site) -> None:
    for place, texts in (("inputs", item.inputs), ("write_scope", item.write_scope)):
        if len(texts) > MAX_TEXTS:
            remedy = "name folders or patterns instead"
            faults.add(f"{name}, {place}", f"has {len(texts)} entries, at most {MAX_TEXTS} are allowed", remedy)
    for text in item.write_scope:
        place = f"{name}, write_scope"
        if problem := globs.problem_of(text):
            what, _, remedy = problem.partition("; ")
            faults.add(place, f"{text[:80]!r} {what}", remedy)
            continue
        glob = globs.parse(text)
        if protected := next((each for each in site.protected_globs if globs.covers(each, glob)), None):
            remedy = "leave it out: a change there makes the checks red"
            faults.add(place, f"{text[:80]!r} is protected by the task ({protected.text})", remedy)


def _check_checks(faults: Faults, place: str, checks: Sequence[DelegatedCheck], taken: frozenset[str]) -> None:
    if len(checks) > MAX_PROPOSED_CHECKS:
        faults.add(place, f"there are {len(checks)}, at most {MAX_PROPOSED_CHECKS} are allowed", "join some with &&")
    names = Counter(check.name for check in checks)
    for check in checks:
        if not is_check_name(check.name):
            remedy = "use letters, digits, spaces and . : - _ only, at most 60"
            faults.add(place, f"{check.name[:80]!r} is no name of a check", remedy)
        if not check.run.strip():
            faults.add(place, f"{check.name[:60]!r} has no command", "say what is run")
        elif len(check.run) > PROPOSED_RUN_CHARACTERS:
            remedy = f"put it into a script; at most {PROPOSED_RUN_CHARACTERS:,} are allowed"
            faults.add(place, f"the command of {check.name[:60]!r} has {len(check.run):,} characters", remedy)
    for name in sorted(name for name, count in names.items() if count > 1):
        faults.add(place, f"several are named {name[:60]!r}", "names must differ")
    for name in sorted(taken & names.keys()):
        faults.add(place, f"{name!r} is a check of the task, which is run anyway", "leave it out, or rename it")


def _check_shares(faults: Faults, items: Sequence[DelegatedItem]) -> None:
    given = [item.budget_share for item in items if item.budget_share is not None]
    for number, item in enumerate(items, 1):
        share = item.budget_share
        if share is not None and not 0 < share <= 1:
            remedy = "give a part above 0 and up to 1, or leave it out"
            faults.add(f"{name_of(item, number)}, budget_share", f"is {share:g}", remedy)
    total = math.fsum(share for share in given if share > 0)
    if total > 1 + SHARE_SLACK:
        faults.add("budget_share", f"all shares together are {total:.4g}, more than 1", "make them smaller")
    elif total > 1 - SHARE_SLACK and len(given) < len(items):
        remedy = "give them one too, or make the others smaller"
        without = len(items) - len(given)
        faults.add("budget_share", f"the shares add up to 1, so {without} items without get none", remedy)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)[:20]) or "none"
