"""Templates of a plan: one text for many items, filled in for each of its inputs."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from longshift.contracts.delegate import DelegateArguments, DelegatedCheck, DelegatedItem, ItemTemplate
from longshift.contracts.swarm_plan import MAX_ITEMS, PlanTemplate, SwarmPlan

ITEM_ID_CHARACTERS: Final = 40
PLACEHOLDERS: Final = ("input", "number", "slug")
_PLACEHOLDER = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_NUMBER_OR_SLUG = re.compile(r"\{\{\s*(?:number|slug)\s*\}\}")
_KNOWN = re.compile(r"\{\{\s*(?:input|number|slug)\s*\}\}")


def count_of(arguments: DelegateArguments) -> int:
    """How many items the templates and the others make."""
    return len(arguments.items) + sum(len(template.over) for template in arguments.templates)


def filled(template: ItemTemplate) -> list[DelegatedItem]:
    """The items of a template, one for each of its inputs."""
    digits = len(str(len(template.over)))
    items: list[DelegatedItem] = []
    for number, value in enumerate(template.over, 1):
        counted = f"{number:0{digits}}"
        room = ITEM_ID_CHARACTERS - len(_filled_text(template.id, {"input": value, "number": counted, "slug": ""}))
        values = {"input": value, "number": counted, "slug": slug_of(value, max(room, 8))}
        items.append(_filled_item(template, values))
    return items


def slug_of(text: str, characters: int) -> str:
    """`text` as a part of an id: its end, where it is too long."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[-characters:].strip("-")


def template_faults(arguments: DelegateArguments) -> list[str]:
    """What is wrong with templates themselves, with the remedy."""
    faults: list[str] = []
    for template in arguments.templates:
        where = f"template {template.id[:60]!r}"
        if not _NUMBER_OR_SLUG.search(template.id):
            faults.append(f"{where}, id: all its items would have one id; put {{{{number}}}} or {{{{slug}}}} into it")
        unknown = sorted({name for text in texts_of(template) for name in _names(text)} - {*PLACEHOLDERS})
        faults += [
            f"{where}: {{{{{name[:40]}}}}} is no placeholder; "
            "there are {{input}}, {{number}} and {{slug}}, and other braces only in single items"
            for name in unknown
        ]
    return faults


def is_unfilled(item: DelegatedItem) -> bool:
    """Whether an item that is in no template has one of the placeholders, where it can be no part of a text."""
    goal_and_commands = {item.goal, *(check.run for check in item.checks)}
    return any(_KNOWN.search(text) for text in texts_of(item) if text not in goal_and_commands)


def texts_of(item: DelegatedItem) -> list[str]:
    """All texts of an item that placeholders may stand in."""
    lists = (item.inputs, item.write_scope, item.depends_on, item.merge_after)
    checks = (text for check in item.checks for text in (check.name, check.run))
    return [item.id, item.goal, item.model, *(text for texts in lists for text in texts), *checks]


def checks_in(arguments: Mapping[str, Any]) -> list[DelegatedCheck]:
    """Every different check that a call of `delegate` has, of the whole and of its items, templates filled in."""
    parsed = DelegateArguments.model_validate(arguments)
    items = list(parsed.items)
    if count_of(parsed) <= MAX_ITEMS:  # a plan of more is refused
        items += (item for template in parsed.templates for item in filled(template))
    checks = [*parsed.checks, *(check for item in items for check in item.checks)]
    return list({check.run: check for check in checks}.values())


def kept(template: ItemTemplate) -> PlanTemplate:
    """A template as it stands in a plan."""
    checks = tuple((check.name, check.run) for check in template.checks)
    return PlanTemplate.model_validate({**template.model_dump(), "checks": checks})


def written(template: PlanTemplate) -> ItemTemplate:
    """A template of a plan as it was written."""
    checks = tuple(DelegatedCheck(name=name, run=run) for name, run in template.checks)
    return ItemTemplate.model_validate({**template.model_dump(), "checks": checks})


def items_of(plan: SwarmPlan) -> tuple[DelegatedItem, ...]:
    """The items of a plan as somebody may write them."""
    fields = {*DelegatedItem.model_fields}
    return tuple(DelegatedItem.model_validate(item.model_dump(include=fields)) for item in plan.items)


def _filled_item(template: ItemTemplate, values: Mapping[str, str]) -> DelegatedItem:
    def fill(texts: Iterable[str]) -> tuple[str, ...]:
        return tuple(_filled_text(text, values) for text in texts)

    # Limits are held against the result, with an error that names the item.
    return DelegatedItem.model_construct(
        id=_filled_text(template.id, values),
        goal=_filled_text(template.goal, values),
        inputs=fill(template.inputs),
        write_scope=fill(template.write_scope),
        depends_on=fill(template.depends_on),
        merge_after=fill(template.merge_after),
        checks=tuple(
            DelegatedCheck.model_construct(name=_filled_text(check.name, values), run=_filled_text(check.run, values))
            for check in template.checks
        ),
        budget_share=template.budget_share,
        model=_filled_text(template.model, values),
    )


def _names(text: str) -> list[str]:
    return _PLACEHOLDER.findall(text)


def _filled_text(text: str, values: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), text)
