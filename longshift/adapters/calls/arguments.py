"""Fits a call's arguments to its tool's model: known aliases, encoded values; else the precise errors.

Only rules with one reading are here. Names of tools are in `names`, the JSON text in `json_text`, lists of small
objects in `written_lists`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import orjson
from pydantic import ValidationError

from longshift.adapters.calls.definitions import flat_schema, short_schema
from longshift.adapters.calls.json_text import parse_json_text
from longshift.adapters.calls.names import snake_case
from longshift.adapters.calls.written_lists import written_lists
from longshift.contracts.tools import ToolArguments

_ALIASES = {
    "path": "file_path filepath filename file target_file file_name directory dir folder search_path",
    "command": "cmd script bash_command shell_command code commands",
    "timeout_seconds": "timeout timeout_secs timeout_sec timeout_s",
    "background": "run_in_background is_background in_background",
    "old": "old_string old_str old_text search find old_content",
    "new": "new_string new_str new_text replace replacement new_content",
    "replace_all": "all expected_all global",
    "content": "text contents file_text file_content data body",
    "offset": "start_line line_offset start from_line",
    "limit": "n_lines num_lines max_lines line_count",
    "pattern": "glob_pattern regex query search_pattern expression",
    "glob": "include file_pattern include_pattern",
    "ignore_case": "case_insensitive _i",
    "context_lines": "context _c",
    "max_matches": "head_limit max_results max_count",
    "job": "job_id id bash_id shell_id task_id",
    "wait_seconds": "wait timeout block_seconds",
    "items": "todos plan tasks steps todo_list plan_items",
    "summary": "message result answer text report final_answer",
    "verified": "verification verifications verified_by evidence commands_run",
    "checks": "proposed_checks acceptance_checks tests",
}
_FIELDS_BY_ALIAS: dict[str, tuple[str, ...]] = {
    alias: tuple(field for field, aliases in _ALIASES.items() if alias in aliases.split())
    for alias in {alias for aliases in _ALIASES.values() for alias in aliases.split()}
}
_COMMENTS = frozenset({"description", "explanation", "reasoning", "reason", "thought", "security_risk"})
"""Keys with which models comment on a call; they change nothing."""
_WRAPPERS = frozenset({"arguments", "input", "parameters", "params", "args"})
_MAX_ERRORS = 8
_FREE_TEXT = frozenset({"content", "old", "new"})
"""File contents; everywhere else a NUL character makes the system call fail."""


@dataclass(frozen=True)
class FittedArguments:
    """Arguments that fit, with the input to store; or the problem, for the model to read."""

    arguments: ToolArguments | None = None
    stored: dict[str, Any] | None = None
    repaired: bool = False
    problem: str = ""


def fit_arguments(model: type[ToolArguments], value: dict[str, Any]) -> FittedArguments:
    """`value` as it is when it fits strictly, else mended, else the problem. `value` is storable JSON."""
    fitted = _fit(model, value)
    for name, member in (fitted.stored or {}).items():
        if isinstance(member, str) and "\0" in member and name not in _FREE_TEXT:
            return FittedArguments(problem=f"- {name}: contains a NUL character")
    return fitted


def _fit(model: type[ToolArguments], value: dict[str, Any]) -> FittedArguments:
    try:
        return FittedArguments(arguments=model.model_validate_json(orjson.dumps(value), strict=True), stored=value)
    except ValidationError:
        mended = _mended(model, value)
    try:
        arguments = model.model_validate(mended)
    except ValidationError as error:
        return FittedArguments(problem=_problem(model, error))
    stored = arguments.model_dump(mode="json", exclude_unset=True)
    return FittedArguments(arguments=arguments, stored=stored, repaired=True)


def _mended(model: type[ToolArguments], value: dict[str, Any]) -> dict[str, Any]:
    fields = cast(dict[str, dict[str, Any]], flat_schema(model).get("properties", {}))
    value = _unwrapped(value, fields)
    required = set(flat_schema(model).get("required", ()))
    lists = written_lists(model)
    mended: dict[str, Any] = {}
    for key, member in value.items():
        name = _field_of(key, fields, value)
        if name is None and snake_case(key) in _COMMENTS:
            continue
        if name is not None and member is None and name not in required:
            continue  # models write null for "not given"
        if name is not None and isinstance(member, str) and fields[name].get("type") in ("array", "object"):
            parsed = parse_json_text(member)
            member = member if parsed.problem else parsed.value
        if name is not None and name in lists:
            member = lists[name](member)
        if name is not None and name in mended and mended[name] != member:
            name = None  # two spellings of one argument that disagree
        mended[name or key] = member
    return mended


def _unwrapped(value: dict[str, Any], fields: Mapping[str, object]) -> dict[str, Any]:
    """The arguments inside `{"arguments": {...}}`, where the tool has no such argument."""
    if len(value) != 1:
        return value
    ((key, inner),) = value.items()
    if key in fields or key not in _WRAPPERS:
        return value
    if isinstance(inner, str):
        inner = parse_json_text(inner).value
    return cast(dict[str, Any], inner) if isinstance(inner, dict) else value


def _field_of(key: str, fields: Mapping[str, object], value: Mapping[str, object]) -> str | None:
    if key in fields:
        return key
    plain = snake_case(key)
    if plain in fields:
        return plain
    meant = [field for field in _FIELDS_BY_ALIAS.get(plain, ()) if field in fields]
    if len(meant) != 1 or (meant[0] in value and value[meant[0]] != value[key]):
        return None
    return meant[0]


def _problem(model: type[ToolArguments], error: ValidationError) -> str:
    errors = error.errors(include_url=False, include_input=False, include_context=False)
    lines = [_error_line(".".join(str(part) for part in item["loc"]), item["type"], item["msg"]) for item in errors]
    if len(lines) > _MAX_ERRORS:
        lines = [*lines[:_MAX_ERRORS], f"- and {len(lines) - _MAX_ERRORS} more"]
    return "\n".join([*lines, f"Expected: {short_schema(model)}"])


def _error_line(location: str, kind: str, message: str) -> str:
    location = location[:80] or "arguments"
    if kind == "missing":
        return f"- {location}: required, but missing"
    if kind == "extra_forbidden":
        return f"- {location}: the tool has no such argument"
    return f"- {location}: {message[:200]}"
