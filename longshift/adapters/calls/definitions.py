"""Tool definitions for the Messages API, from the arguments' pydantic models: flat, small, the same bytes every time.

The schema keeps to the keywords that the strictest endpoint understands (Moonshot Flavored JSON Schema: `type`,
`properties`, `required`, `additionalProperties`, `items`, `anyOf`, `enum`, `description`, `default`). Bounds, which it
lacks, are said in the description; the pydantic model still enforces them.
"""

import functools
from collections.abc import Mapping
from typing import Any, cast

import orjson

from longshift.contracts.errors import BadInput
from longshift.contracts.tools import ToolArguments

SCHEMA_LIMIT_BYTES = 15_000
"""Per tool; larger ones are refused by some endpoints."""

Schema = dict[str, Any]


def tool_definitions(
    descriptions: Mapping[str, str], offered: Mapping[str, type[ToolArguments]]
) -> tuple[dict[str, Any], ...]:
    """One definition per offered tool, sorted by name.

    Raises:
        BadInput: a tool has no description, or its schema is too large.
    """
    definitions: list[dict[str, Any]] = []
    for name in sorted(offered):
        if not descriptions.get(name, "").strip():
            raise BadInput(f"tool {name}: it has no description")
        schema = flat_schema(offered[name])
        size = len(orjson.dumps(schema))
        if size > SCHEMA_LIMIT_BYTES:
            raise BadInput(f"tool {name}: its schema has {size} bytes, at most {SCHEMA_LIMIT_BYTES} are allowed")
        definitions.append({"name": name, "description": descriptions[name].strip(), "input_schema": schema})
    return tuple(definitions)


@functools.cache
def flat_schema(model: type[ToolArguments]) -> Schema:
    """The schema of `model` without references, titles or the class's own docstring."""
    schema = model.model_json_schema()
    return _flat({**schema, "description": ""}, schema.get("$defs", {}), depth=0)


def short_schema(model: type[ToolArguments]) -> str:
    """One line that says which arguments `model` takes; for error texts."""
    return _short(flat_schema(model))


def _flat(schema: Schema, definitions: Mapping[str, Schema], depth: int) -> Schema:
    if depth > 16:
        return {"type": "object"}  # a recursive model: the endpoint sees it open, pydantic still checks it
    if reference := schema.get("$ref"):
        target = definitions[cast(str, reference).rsplit("/", 1)[1]]
        own = {key: value for key, value in schema.items() if key != "$ref"}
        return _flat({**target, "description": "", **own}, definitions, depth + 1)
    options = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
    if len(options) == 1:
        own = {key: value for key, value in schema.items() if key != "anyOf"}
        return _flat({**options[0], **own}, definitions, depth + 1)
    flat: Schema = {}
    if description := _description(schema):
        flat["description"] = description
    for keyword in ("type", "enum", "required"):
        if keyword in schema:
            flat[keyword] = schema[keyword]
    if options:
        flat["anyOf"] = [_flat(option, definitions, depth + 1) for option in options]
    if "properties" in schema:
        members = cast(dict[str, Schema], schema["properties"])
        flat["properties"] = {name: _flat(member, definitions, depth + 1) for name, member in members.items()}
        flat["additionalProperties"] = False
    elif isinstance(schema.get("additionalProperties"), dict):
        flat["additionalProperties"] = _flat(schema["additionalProperties"], definitions, depth + 1)
    if "items" in schema:
        flat["items"] = _flat(schema["items"], definitions, depth + 1)
    if schema.get("default") is not None:
        flat["default"] = schema["default"]
    return flat


def _description(schema: Schema) -> str:
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    bounds = ""
    if low is not None and high is not None:
        bounds = f"{low} to {high}."
    elif low is not None or high is not None:
        bounds = f"At least {low}." if high is None else f"At most {high}."
    if "maxItems" in schema:
        bounds = f"At most {schema['maxItems']} entries."
    return " ".join(part for part in (schema.get("description", ""), bounds) if part)


def _short(schema: Schema) -> str:
    if "enum" in schema:
        return " | ".join(f'"{value}"' for value in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(_short(option) for option in schema["anyOf"])
    if schema.get("type") == "array":
        return f"[{_short(schema.get('items', {}))}, …]"
    if "properties" in schema:
        required = schema.get("required", ())
        members = cast(dict[str, Schema], schema["properties"])
        inner = ", ".join(
            f'"{name}"{"" if name in required else "?"}: {_short(member)}' for name, member in members.items()
        )
        return f"{{{inner}}}"
    return cast(str, schema.get("type", "any"))
