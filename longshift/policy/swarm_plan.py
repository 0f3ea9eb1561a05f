"""From the arguments of `delegate` to a plan, or to all that is wrong with them; the plan's hash, and its rows.

What is wrong is found in `plan_faults` and `plan_order`, templates are filled in by `plan_templates`, people read
`plan_text`.
"""

import hashlib
import json
from collections.abc import Sequence

from longshift.contracts.completion import ProposedCheck
from longshift.contracts.delegate import DelegateArguments, DelegatedCheck, DelegatedItem
from longshift.contracts.swarm_plan import ItemRow, PlanTemplate, SwarmItem, SwarmPlan
from longshift.policy.plan_faults import Site, item_faults, plan_faults
from longshift.policy.plan_order import order_faults, plain_path, with_all_named
from longshift.policy.plan_templates import count_of, filled, kept, template_faults, written

REFUSED_CHARACTERS = 8_000
TITLE_CHARACTERS = 200
_PATTERN_LETTERS = "*?[]\\"


class PlanRefused(Exception):
    """A plan that cannot be carried out; the text has every fault, for whoever wrote it."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__(refusal(faults))
        self.faults = tuple(faults)


def planned(arguments: DelegateArguments, site: Site) -> SwarmPlan:
    """The plan that arguments make.

    Raises:
        PlanRefused: it cannot be carried out.
    """
    unfillable = template_faults(arguments)
    faults = plan_faults(arguments.goal, arguments.checks, count_of(arguments), site) + unfillable
    if count_of(arguments) > site.max_items or unfillable:
        raise PlanRefused(faults)
    items = [*arguments.items, *(item for template in arguments.templates for item in filled(template))]
    checked = _checked(items, site, faults)
    return _plan(arguments.goal, checked, arguments.checks, tuple(kept(template) for template in arguments.templates))


def replanned(plan: SwarmPlan, items: Sequence[DelegatedItem], site: Site, struck: Sequence[str]) -> SwarmPlan:
    """The same plan with other items; `struck` are those that a person has taken out since.

    Raises:
        PlanRefused: it cannot be carried out.
    """
    checks = tuple(DelegatedCheck(name=check.name, run=check.run) for check in plan.checks)
    checked = _checked(items, site, plan_faults(plan.goal, checks, len(items), site))
    changed = _plan(plan.goal, checked, checks, plan.templates)
    names = {item.id for item in items}
    taken_out = tuple(dict.fromkeys(name for name in (*plan.struck, *struck) if name not in names))
    return changed.model_copy(update={"struck": taken_out})


def canonical(plan: SwarmPlan) -> bytes:
    """A plan as it lies in the store: the same bytes for the same plan."""
    value = plan.model_dump(mode="json")
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def hash_of(body: bytes) -> str:
    """Of a plan's canonical form: SHA-256, the first 16 hex digits."""
    return hashlib.sha256(body).hexdigest()[:16]


def title_of(plan: SwarmPlan) -> str:
    """The goal in one line, at most 200 characters."""
    line = " ".join(plan.goal.split())
    return line if len(line) <= TITLE_CHARACTERS else f"{line[: TITLE_CHARACTERS - 1]}…"


def rows_of(plan: SwarmPlan) -> tuple[ItemRow, ...]:
    """The items as the workflow sees them."""
    return tuple(
        ItemRow(
            id=item.id,
            depends_on=item.depends_on,
            merge_after=item.merge_after,
            budget_share=item.budget_share,
            profile=item.model,
            has_checks=bool(item.checks),
        )
        for item in plan.items
    )


def made_of(plan: SwarmPlan) -> dict[str, tuple[int, str]]:
    """Items that are just what a template makes of an input, by id: the template's place, and the input."""
    own = {item.id: item for item in plan.items}
    found: dict[str, tuple[int, str]] = {}
    for place, template in enumerate(plan.templates):
        for value, made in zip(template.over, filled(written(template)), strict=True):
            if made.id in own and _is_same(own[made.id], _item(with_all_named(made, list(own)))):
                found[made.id] = (place, value)
    return found


def refusal(faults: Sequence[str]) -> str:
    """All faults as a list, as far as there is room."""
    count = f"{len(faults)} fault{'s' if len(faults) > 1 else ''}"
    lines, room = [f"The plan cannot be carried out ({count}):"], REFUSED_CHARACTERS - 200
    for number, fault in enumerate(faults):
        line = f"- {fault[:1_000]}"
        room -= len(line) + 1
        if room < 0:
            lines.append(f"- and {len(faults) - number} more")
            break
        lines.append(line)
    return "\n".join(lines)


def _checked(items: Sequence[DelegatedItem], site: Site, faults: Sequence[str]) -> Sequence[DelegatedItem]:
    """The items with their orders spelled out and their scopes as globs, where nothing is wrong with them."""
    names = [item.id for item in items]
    items = [with_all_named(_with_plain_scope(item, site), names) for item in items]
    found = [*faults, *item_faults(items, site)]
    if len({*names}) == len(names):
        found += order_faults(items, site)
    if found:
        raise PlanRefused(found)
    return items


def _with_plain_scope(item: DelegatedItem, site: Site) -> DelegatedItem:
    """The path of what is there stands for that file or folder alone, whatever it would mean as a pattern."""
    scope = tuple(_plain_glob(text, site) for text in item.write_scope)
    return item if scope == item.write_scope else item.model_copy(update={"write_scope": scope})


def _plain_glob(text: str, site: Site) -> str:
    if text in site.files:
        return _file_glob(text)
    return _folder_glob(text) if text.rstrip("/") in site.folders else text


def _is_same(item: SwarmItem, made: SwarmItem) -> bool:
    scopes = zip(item.write_scope, made.write_scope, strict=False)
    is_scope = len(item.write_scope) == len(made.write_scope) and all(
        own in (text, _file_glob(text), _folder_glob(text)) for own, text in scopes
    )
    return is_scope and item == made.model_copy(update={"write_scope": item.write_scope})


def _file_glob(path: str) -> str:
    glob = "".join(f"\\{letter}" if letter in _PATTERN_LETTERS else letter for letter in path)
    return f"/{glob}" if "/" not in glob or glob.startswith(("!", "#")) else glob


def _folder_glob(path: str) -> str:
    return f"{_file_glob(path.rstrip('/'))}/"


def _plan(
    goal: str, items: Sequence[DelegatedItem], checks: Sequence[DelegatedCheck], templates: tuple[PlanTemplate, ...]
) -> SwarmPlan:
    return SwarmPlan(
        goal=goal.strip(),
        items=tuple(_item(item) for item in items),
        checks=_proposed(checks),
        templates=templates,
    )


def _item(item: DelegatedItem) -> SwarmItem:
    return SwarmItem(
        id=item.id,
        goal=item.goal.strip(),
        inputs=tuple(dict.fromkeys(plain_path(text) or text for text in item.inputs)),
        write_scope=tuple(dict.fromkeys(item.write_scope)),
        depends_on=tuple(dict.fromkeys(item.depends_on)),
        merge_after=tuple(name for name in dict.fromkeys(item.merge_after) if name not in item.depends_on),
        checks=_proposed(item.checks),
        budget_share=item.budget_share,
        model=item.model,
    )


def _proposed(checks: Sequence[DelegatedCheck]) -> tuple[ProposedCheck, ...]:
    return tuple(ProposedCheck(name=check.name, run=check.run) for check in checks)
