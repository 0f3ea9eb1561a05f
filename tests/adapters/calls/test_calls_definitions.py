"""The tool definitions that models see."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from pydantic import BaseModel, Field

from longshift.adapters.calls import tool_definitions
from longshift.contracts.errors import BadInput
from longshift.contracts.tools import TOOL_ARGUMENTS, ToolArguments

DESCRIPTIONS = {name: f"What {name} does." for name in TOOL_ARGUMENTS}
KEYWORDS = {
    "type",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "anyOf",
    "enum",
    "description",
    "default",
}
"""Everything that Moonshot Flavored JSON Schema knows, apart from references."""


def schemas_in(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    nested = [*schema.get("properties", {}).values(), *schema.get("anyOf", [])]
    if "items" in schema:
        nested.append(schema["items"])
    for inner in nested:
        yield from schemas_in(inner)


def test_definitions_are_sorted_and_have_the_same_bytes_every_time() -> None:
    first = tool_definitions(DESCRIPTIONS, TOOL_ARGUMENTS)
    second = tool_definitions(DESCRIPTIONS, dict(reversed(TOOL_ARGUMENTS.items())))
    assert sorted(TOOL_ARGUMENTS) == [definition["name"] for definition in first]
    assert json.dumps(first) == json.dumps(second)


@pytest.mark.parametrize("definition", tool_definitions(DESCRIPTIONS, TOOL_ARGUMENTS), ids=lambda d: d["name"])
def test_schemas_are_flat_small_and_keep_to_the_strictest_dialect(definition: dict[str, Any]) -> None:
    schema = definition["input_schema"]
    assert schema["type"] == "object"
    assert "description" not in schema
    for inner in schemas_in(schema):
        assert inner.keys() <= KEYWORDS
    assert len(json.dumps(schema)) <= 15_000
    jsonschema.Draft202012Validator.check_schema(schema)


def test_the_schema_accepts_what_the_model_accepts() -> None:
    (definition,) = tool_definitions(DESCRIPTIONS, {"update_plan": TOOL_ARGUMENTS["update_plan"]})
    jsonschema.validate({"items": [{"title": "a", "status": "done"}]}, definition["input_schema"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"items": [{"title": "a", "status": "later"}]}, definition["input_schema"])


def test_bounds_are_said_in_the_description() -> None:
    (definition,) = tool_definitions(DESCRIPTIONS, {"read_file": TOOL_ARGUMENTS["read_file"]})
    limit = definition["input_schema"]["properties"]["limit"]
    assert limit == {"description": "How many lines to read. 1 to 20000.", "type": "integer", "default": 2000}


def test_a_tool_without_a_description_is_refused() -> None:
    with pytest.raises(BadInput, match="tool bash: it has no description"):
        tool_definitions({}, {"bash": TOOL_ARGUMENTS["bash"]})


class Node(BaseModel):
    """A value that contains itself."""

    children: list["Node"] = []


class TreeArguments(ToolArguments):
    """Arguments with a recursive value."""

    root: Node


class HugeArguments(ToolArguments):
    """Arguments whose schema is too large."""

    text: str = Field(description="x" * 15_000)


def test_a_recursive_model_gives_a_finite_schema() -> None:
    (definition,) = tool_definitions({"tree": "A tree."}, {"tree": TreeArguments})
    assert "$ref" not in json.dumps(definition)


def test_a_schema_that_is_too_large_is_refused() -> None:
    with pytest.raises(BadInput, match="tool huge: its schema has"):
        tool_definitions({"huge": "Huge."}, {"huge": HugeArguments})
