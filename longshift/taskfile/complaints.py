"""What is wrong with a task, in words that name the field, what was found there, and the remedy.

The table is over pydantic's kinds of errors; known keys come from the task's own schema.
"""

import difflib
import reprlib
from collections.abc import Iterator
from datetime import date
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from longshift.contracts.ids import TASK_ID_PATTERN
from longshift.contracts.task import SECRET_NAME_PATTERN, TaskSpec
from longshift.taskfile.document import Document, Location

Schema = dict[str, Any]

_TEXT = "must be text; put it into quotes"
_NUMBER = "must be a number"
_WHOLE = "must be a whole number"
_SWITCH = "must be true or false"
REMEDIES = {
    "string_type": _TEXT,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "bool_type": _SWITCH,
    "bool_parsing": _SWITCH,
    "tuple_type": "must be a list; begin each entry with '- '",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length:,} characters; put more into a file of the workspace",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "enum": "must be one of {expected}",
}
_PATTERNS = {
    TASK_ID_PATTERN: "must be lower-case letters, digits, '.', '_' or '-', begin and end with a letter or digit, "
    "and have at most 100 characters",
    SECRET_NAME_PATTERN: "must be the name of a secret: letters, digits and '_', beginning with no digit, at most 64",
    r"^[\w .:-]{1,60}$": "must be letters, digits, spaces, '.', ':', '_' or '-', at most 60 of them",
}


def complaints(document: Document, error: ValidationError) -> str:
    """Every fault of a task, one per line."""
    faults = [_fault(document, detail) for detail in error.errors(include_url=False)]
    return "\n".join(dict.fromkeys(faults))


def _fault(document: Document, detail: ErrorDetails) -> str:
    location = detail["loc"]
    field = ".".join(str(part) for part in location)
    text = _text(detail, location)
    if not field or (detail["type"] == "value_error" and text.startswith(str(location[0]))):
        return f"{document.place(location)}: {text}"
    return f"{document.place(location)}: {field}: {text}"


def _text(detail: ErrorDetails, location: Location) -> str:
    kind, context, found = detail["type"], detail.get("ctx", {}), detail["input"]
    if kind == "missing":
        return "is missing; add it"
    if kind == "extra_forbidden":
        return _unknown_key(location)
    if kind == "value_error":
        return str(context.get("error", detail["msg"]))
    if found is None:
        return "is empty; give it a value or remove the key"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        keys = ", ".join(_known_keys(location))
        return f"must be a table with some of the keys {keys}; found {_shown(found)}"
    if kind == "string_pattern_mismatch":
        return f"{_PATTERNS.get(context.get('pattern', ''), detail['msg'])}; found {_shown(found)}"
    template = REMEDIES.get(kind)
    if template is None:
        return f"{detail['msg']}; found {_shown(found)}"
    return f"{template.format(**context)}; found {_shown(found)}"


def _shown(value: Any) -> str:
    if isinstance(value, date):
        return str(value)
    short = reprlib.Repr()
    short.maxstring = short.maxother = 60
    return short.repr(value)


def _unknown_key(location: Location) -> str:
    key = str(location[-1])
    here = _known_keys(location[:-1])
    near = difflib.get_close_matches(key.lower(), here, n=1)
    if near:
        return f"is not a known key; did you mean {near[0]}?"
    elsewhere = [path for path in _every_key(TaskSpec.model_json_schema()) if path.split(".")[-1] == key]
    if elsewhere:
        return f"is not a known key here; did you mean {elsewhere[0]}?"
    return f"is not a known key; remove it (there are: {', '.join(here)})"


def _known_keys(location: Location) -> list[str]:
    root = TaskSpec.model_json_schema()
    schema = root
    for part in location:
        schema = _resolved(schema, root)
        schema = schema.get("items", {}) if isinstance(part, int) else schema.get("properties", {}).get(part, {})
    return list(_resolved(schema, root).get("properties", {}))


def _resolved(schema: Schema, root: Schema) -> Schema:
    """The schema itself, behind a reference or the alternative to null."""
    for option in schema.get("anyOf", ()):
        if option.get("type") != "null":
            schema = option
    reference = schema.get("$ref")
    return root["$defs"][reference.rsplit("/", 1)[-1]] if reference else schema


def _every_key(root: Schema, schema: Schema | None = None, prefix: str = "") -> Iterator[str]:
    for name, inner in _resolved(schema or root, root).get("properties", {}).items():
        yield prefix + name
        found = _resolved(inner, root)
        is_list = "items" in found
        yield from _every_key(root, found["items"] if is_list else found, f"{prefix}{name}{'[]' if is_list else ''}.")
