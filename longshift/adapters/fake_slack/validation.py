"""What Slack checks of blocks and views before it takes them; the renderer knows nothing of these checks."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from longshift.adapters.slack import limits

TEXT_TYPES = frozenset({"plain_text", "mrkdwn"})
STYLES = frozenset({"primary", "danger"})
TASK_STATUSES = frozenset({"pending", "in_progress", "complete", "error"})


def complaints_about_blocks(blocks: Any, *, view: bool = False) -> list[str]:
    """What is wrong with the blocks of a message or a view."""
    most = limits.BLOCKS_PER_VIEW if view else limits.BLOCKS_PER_MESSAGE
    if not isinstance(blocks, list):
        return ["blocks: is no list"]
    listed = cast("list[Any]", blocks)
    found = [f"blocks: more than {most}"] if len(listed) > most else []
    for number, block in enumerate(listed):
        found += [f"blocks/{number}/{each}" for each in _about_block(block)]
    return [*found, *_about_ids(listed)]


def characters_of(value: Any) -> int:
    """All text of blocks together."""
    if isinstance(value, Mapping):
        table = cast("Mapping[str, Any]", value)
        own = sum(len(each) for name, each in table.items() if name in {"text", "title"} and isinstance(each, str))
        return own + sum(characters_of(each) for each in table.values())
    return sum(map(characters_of, cast("list[Any]", value))) if isinstance(value, list) else 0


def complaints_about_view(view: Any) -> list[str]:
    """What is wrong with a view."""
    if not isinstance(view, dict):
        return ["view: is no object"]
    table = cast("dict[str, Any]", view)
    found = list(_text(table.get("title"), "title", limits.VIEW_TITLE_CHARACTERS, {"plain_text"}))
    for name in ("submit", "close"):
        if name in table:
            found += _text(table[name], name, limits.VIEW_BUTTON_CHARACTERS, {"plain_text"})
    if table.get("type") != "modal":
        found.append("type: is not modal")
    if len(str(table.get("callback_id", ""))) > limits.ID_CHARACTERS:
        found.append("callback_id: too long")
    if len(str(table.get("private_metadata", ""))) > limits.PRIVATE_METADATA_CHARACTERS:
        found.append("private_metadata: too long")
    has_input = any(each.get("type") == "input" for each in table.get("blocks", []))
    if has_input and "submit" not in table:
        found.append("submit: missing, and there is an input")
    return [*found, *complaints_about_blocks(table.get("blocks"), view=True)]


def _about_block(block: Any) -> Iterator[str]:
    if not isinstance(block, dict):
        yield "is no object"
        return
    table = cast("dict[str, Any]", block)
    check = _BLOCKS.get(str(table.get("type")))
    if check is None:
        yield f"type: {table.get('type')!r} is unknown"
        return
    if len(str(table.get("block_id", ""))) > limits.ID_CHARACTERS:
        yield "block_id: too long"
    yield from check(table)


def _about_ids(blocks: list[Any]) -> list[str]:
    tables = [cast("dict[str, Any]", block) for block in blocks if isinstance(block, dict)]
    elements: list[dict[str, Any]] = [each for table in tables for each in table.get("elements", [])]
    ids = [str(each["action_id"]) for each in elements if "action_id" in each]
    return ["action_id: one stands there twice"] if len(ids) != len(set(ids)) else []


def _text(value: Any, name: str, limit: int, types: set[str] | frozenset[str] = TEXT_TYPES) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{name}: is no text object"
        return
    table = cast("dict[str, Any]", value)
    text = table.get("text")
    if table.get("type") not in types:
        yield f"{name}: {table.get('type')!r} is no type that is allowed here"
    if not isinstance(text, str) or not text:
        yield f"{name}: has no text"
    elif len(text) > limit:
        yield f"{name}: {len(text)} characters, at most {limit}"


def _header(block: dict[str, Any]) -> Iterator[str]:
    yield from _text(block.get("text"), "text", limits.HEADER_CHARACTERS, {"plain_text"})


def _section(block: dict[str, Any]) -> Iterator[str]:
    if "text" not in block and "fields" not in block:
        yield "has neither text nor fields"
    if "text" in block:
        yield from _text(block["text"], "text", limits.SECTION_CHARACTERS)
    fields = block.get("fields", [])
    if len(fields) > limits.FIELDS_PER_SECTION:
        yield "fields: too many"
    for field in fields:
        yield from _text(field, "field", limits.FIELD_CHARACTERS)


def _context(block: dict[str, Any]) -> Iterator[str]:
    elements = block.get("elements", [])
    if not 1 <= len(elements) <= limits.CONTEXT_ELEMENTS:
        yield f"elements: {len(elements)}, from 1 to {limits.CONTEXT_ELEMENTS}"
    for each in elements:
        yield from _text(each, "element", limits.CONTEXT_CHARACTERS)


def _actions(block: dict[str, Any]) -> Iterator[str]:
    elements = block.get("elements", [])
    if not 1 <= len(elements) <= limits.ELEMENTS_PER_ACTIONS:
        yield f"elements: {len(elements)}, from 1 to {limits.ELEMENTS_PER_ACTIONS}"
    for each in elements:
        yield from _button(each)


def _button(button: dict[str, Any]) -> Iterator[str]:
    if button.get("type") != "button":
        yield f"element: {button.get('type')!r} is not supported here"
    yield from _text(button.get("text"), "button", limits.BUTTON_CHARACTERS, {"plain_text"})
    if len(str(button.get("value", ""))) > limits.BUTTON_VALUE_CHARACTERS:
        yield "value: too long"
    if len(str(button.get("action_id", ""))) > limits.ID_CHARACTERS:
        yield "action_id: too long"
    if button.get("style", "primary") not in STYLES:
        yield f"style: {button.get('style')!r} is none"


def _plan(block: dict[str, Any]) -> Iterator[str]:
    if not isinstance(block.get("title"), str) or not block["title"]:
        yield "title: is no text"
    tasks = block.get("tasks", [])
    ids = [each.get("task_id") for each in tasks]
    if len(set(ids)) != len(ids):
        yield "tasks: two have one task_id"
    for task in tasks:
        if not isinstance(task.get("title"), str) or not task["title"]:
            yield "task: has no title"
        if task.get("status") not in TASK_STATUSES:
            yield f"task: {task.get('status')!r} is no status"


def _input(block: dict[str, Any]) -> Iterator[str]:
    yield from _text(block.get("label"), "label", limits.LABEL_CHARACTERS, {"plain_text"})
    element: dict[str, Any] = block.get("element") or {}
    if element.get("type") != "plain_text_input":
        yield f"element: {element.get('type')!r} is not supported here"
    if not 1 <= int(element.get("max_length", 1)) <= limits.INPUT_CHARACTERS:
        yield "max_length: out of range"


def _nothing(block: dict[str, Any]) -> Iterator[str]:
    del block
    return iter(())


_BLOCKS = {
    "header": _header,
    "section": _section,
    "context": _context,
    "actions": _actions,
    "plan": _plan,
    "input": _input,
    "divider": _nothing,
}
