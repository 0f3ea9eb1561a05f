"""The JSON Schema of a task file, for editors and machines. `docs/task.schema.json` is its published copy."""

import ast
import inspect
import textwrap
from enum import Enum
from typing import Any

from pydantic import BaseModel

from longshift.contracts import delivery, sub_agent, swarm_plan, task
from longshift.contracts.task import TaskSpec

DERIVED = {
    "id": "Unique name of the task; derived from the title and the content when left out.",
    "title": "One line for people; the first heading or the file's name when left out.",
    "instructions": "What to do. In a Markdown file this is the text below the front matter.",
}
"""Fields that a file may leave out although a task always has them."""
OWN = {"sub_agent": "SubAgent"}
"""Fields that only the runner writes, with their definitions: no file has them."""


def task_schema() -> dict[str, Any]:
    """The schema of a task file, with the descriptions that stand beside the fields in the code."""
    schema = TaskSpec.model_json_schema()
    found = {**vars(delivery), **vars(sub_agent), **vars(swarm_plan), **vars(task)}
    models = {name: value for name, value in found.items() if inspect.isclass(value)}
    for name, definition in [("TaskSpec", schema), *schema.get("$defs", {}).items()]:
        _describe(definition, models[name])
    for field, definition in OWN.items():
        del schema["properties"][field], schema["$defs"][definition]
    for name, text in DERIVED.items():
        schema["properties"][name]["description"] = text
    schema["required"] = [name for name in schema.get("required", ()) if name not in DERIVED]
    if not schema["required"]:
        del schema["required"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "Longshift task",
        "description": "A task for Longshift: a YAML or JSON file, or the front matter of a Markdown file.",
    }


def _describe(definition: dict[str, Any], model: type) -> None:
    if issubclass(model, Enum):
        notes = [f"{member}: {text}" for member, text in _texts(model)]
        definition["description"] = "\n".join([definition.get("description", ""), *notes]).strip()
    elif issubclass(model, BaseModel):
        for name, text in _texts(model):
            definition["properties"][name]["description"] = text


def _texts(model: type) -> list[tuple[str, str]]:
    """Name and docstring of every attribute that has one: the string that stands below it."""
    body = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    assert isinstance(body, ast.ClassDef)
    found: list[tuple[str, str]] = []
    for statement, below in zip(body.body, body.body[1:], strict=False):
        target = statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
        if isinstance(target, ast.Name) and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            found.append((target.id.lower() if issubclass(model, Enum) else target.id, str(below.value.value)))
    return found
