"""Arguments that are lists of small objects, which models write in other ways too: plans, claims, checks, items."""

from collections.abc import Callable, Mapping
from typing import cast

from longshift.contracts.delegate import DelegateArguments
from longshift.contracts.tools import ToolArguments
from longshift.policy.describe import is_check_name

Mend = Callable[[object], object]
_ITEM_TITLES = ("title", "content", "task", "step", "text", "name", "description")
_ITEM_STATUS = {
    "completed": "done",
    "complete": "done",
    "finished": "done",
    "in progress": "in_progress",
    "in-progress": "in_progress",
    "active": "in_progress",
    "doing": "in_progress",
    "todo": "pending",
    "open": "pending",
    "not_started": "pending",
}
_CLAIM_KEYS = {"cmd": "command", "run": "command", "result": "outcome", "output": "outcome"}
_CHECK_KEYS = {"cmd": "run", "command": "run"}
_DELEGATED_KEYS = {
    "name": "id",
    "task": "goal",
    "prompt": "goal",
    "instructions": "goal",
    "files": "inputs",
    "scope": "write_scope",
    "writes": "write_scope",
    "dependencies": "depends_on",
    "after": "depends_on",
    "share": "budget_share",
    "profile": "model",
}
_DELEGATED_LISTS = frozenset({"inputs", "write_scope", "depends_on", "merge_after", "over"})


def written_lists(model: type[ToolArguments]) -> Mapping[str, Mend]:
    """How the lists of a tool's arguments are read, by the argument's name."""
    return _OF_DELEGATE if model is DelegateArguments else _LISTS


def _plan_items(items: object) -> object:
    if not isinstance(items, list):
        return items
    return [_plan_item(item) for item in cast(list[object], items)]


def _plan_item(item: object) -> object:
    if isinstance(item, str):
        return {"title": item}
    if not isinstance(item, dict):
        return item
    members = cast(dict[str, object], item)
    title = next((members[key] for key in _ITEM_TITLES if key in members), None)
    status = members.get("status", "pending")
    if isinstance(status, str):
        status = _ITEM_STATUS.get(status.strip().lower(), status.strip().lower())
    return members if title is None else {"title": title, "status": status}


def _claims(lines: object) -> object:
    """The lines of `verified`: a bare command, or one under another name."""
    if not isinstance(lines, list):
        return lines
    return [_renamed(line, "command", _CLAIM_KEYS) for line in cast(list[object], lines)]


def _proposed(checks: object) -> object:
    """The checks of a plan: a bare command names itself, and a name keeps what a name may hold."""
    if not isinstance(checks, list):
        return checks
    return [_proposed_check(_renamed(check, "run", _CHECK_KEYS)) for check in cast(list[object], checks)]


def _proposed_check(check: object) -> object:
    if not isinstance(check, dict):
        return check
    members = cast(dict[str, object], check)
    name = members.get("name") or members.get("title") or members.get("run")
    plain = "".join(letter if is_check_name(letter) else " " for letter in str(name)[:200])
    plain = " ".join(plain.split())[:60].strip() or "check"
    return {"name": plain, **{key: member for key, member in members.items() if key == "run"}}


def _renamed(line: object, wanted: str, keys: Mapping[str, str]) -> object:
    if isinstance(line, str):
        return {wanted: line}
    if not isinstance(line, dict):
        return line
    return {keys.get(key, key): member for key, member in cast(dict[str, object], line).items()}


def _delegated(items: object) -> object:
    """The items of `delegate`: fields under other names, one text instead of a list, null for "not given"."""
    if not isinstance(items, list):
        return items
    return [_delegated_item(item) for item in cast(list[object], items)]


def _delegated_item(item: object) -> object:
    if not isinstance(item, dict):
        return item
    members = cast(dict[str, object], item)
    mended: dict[str, object] = {}
    for key, member in members.items():
        wanted = _DELEGATED_KEYS.get(key, key)
        name = key if wanted in members else wanted
        if member is None:
            continue
        if name in _DELEGATED_LISTS and isinstance(member, str):
            member = [member]
        mended[name] = _delegated_checks(member) if name == "checks" else member
    return mended


def _delegated_checks(checks: object) -> object:
    """Like the checks of a plan; a name that is given stays, as it may have placeholders."""
    if not isinstance(checks, list):
        return checks
    return [_delegated_check(_renamed(check, "run", _CHECK_KEYS)) for check in cast(list[object], checks)]


def _delegated_check(check: object) -> object:
    has_name = isinstance(check, dict) and "name" in cast(dict[str, object], check)
    return cast(object, check) if has_name else _proposed_check(cast(object, check))


_LISTS: Mapping[str, Mend] = {"items": _plan_items, "verified": _claims, "checks": _proposed}
_OF_DELEGATE: Mapping[str, Mend] = {"items": _delegated, "templates": _delegated, "checks": _delegated_checks}
