"""Golden files: one example of every value that crosses a process boundary or is stored, kept for ever.

`python tests/house/make_golden.py` writes what is missing and never touches a file that exists: a file that no longer
loads means that running sessions and stored transcripts no longer load. A value that gained a field (with a default)
gets a further file, `Name.2.json`, that shows it.
"""

import json
import pkgutil
import sys
from collections.abc import Iterator
from enum import Enum, StrEnum
from importlib import import_module
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter

import longshift.contracts
from longshift.contracts.tools import ToolArguments
from longshift.contracts.wire import UserInput, Wire

FOLDER = Path(__file__).parents[1] / "golden"
COMMAND = "python tests/house/make_golden.py"

Value = type[BaseModel] | type[StrEnum]

CHOSEN: dict[str, Any] = {
    "AgentLimits.warn_at_share": 0.75,
    "AnswerRecord.content": (
        {"type": "thinking", "thinking": "It rounds down.", "signature": "c2ln"},
        {"type": "text", "text": "I look at the field first."},
        {"type": "tool_use", "id": "call_1", "name": "read_file", "input": {"path": "src/fields.py"}},
    ),
    "AnswerRecord.rejections": {"1": "bash: command is missing"},
    "Budget.warn_at_share": 0.75,
    "EpochBase.messages": ({"role": "user", "content": [{"type": "text", "text": "The task"}]},),
    "EpochBase.tools": ({"name": "bash", "description": "Runs", "input_schema": {"type": "object"}},),
    "Goal.at_least": None,
    "Goal.at_most": None,
    "Goal.at_least_times_baseline": None,
    "LandSwarmInput.ends": (("ends", 7),),
    "PlanTemplate.checks": (("tests", "pytest -q"),),
    "Limits.share": 0.5,
    "StuckThresholds.idle_steps": 70,
    "SwarmRules.attempts": 3,
    "StuckThresholds.repeated_reads_share": 0.5,
    "ModelProfile.extra_body": {"thinking": {"type": "enabled"}},
    "ModelProfile.sampling": {"temperature": 0.6},
    "TaskSpec.not_before": "2026-12-24T18:00:00+01:00",
    "TaskSpec.priority": 2,
    "TaskSpec.setup_secrets": ("NPM_TOKEN",),
    "WorkspaceSource.archive": None,
    "WorkspaceSource.directory": None,
}
"""`Value.field` → an example, where the one made from the type would be refused or would show too little."""


def values() -> dict[str, Value]:
    """Name → class of everything that is kept: wire values, what people write, tool arguments, enumerations."""
    for module in pkgutil.iter_modules(longshift.contracts.__path__, "longshift.contracts."):
        import_module(module.name)
    found: list[Value] = [each for base in (Wire, UserInput, ToolArguments) for each in _below(base)]
    found += [each for each in StrEnum.__subclasses__() if each.__module__.startswith("longshift.contracts")]
    by_name = {each.__name__: each for each in found}
    if len(by_name) != len(found):
        raise ValueError(f"two values share a name: {sorted(each.__name__ for each in found)}")
    return dict(sorted(by_name.items()))


def _below(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for each in base.__subclasses__():
        if each.__module__.startswith("longshift.contracts"):
            if each is not ToolArguments:
                yield each
            yield from _below(each)


def example(value: Value) -> Any:
    """An instance with every field set, or all members of an enumeration."""
    if issubclass(value, StrEnum):
        return list(value)
    value.model_rebuild()  # forward references
    fields = {
        name: _example_of(f"{value.__name__}.{name}", info.annotation) for name, info in value.model_fields.items()
    }
    return value.model_validate(fields)


def _example_of(place: str, annotation: Any) -> Any:
    if place in CHOSEN:
        return CHOSEN[place]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _example_of(place, arguments[0])
    if origin in {Union, UnionType}:
        return _example_of(place, next(each for each in arguments if each is not NoneType))
    if origin is Literal:
        return arguments[-1]
    if origin is tuple:
        return (_example_of(place, arguments[0]),)
    if origin is dict:
        return {"key": _example_of(place, arguments[1])}
    return _plain(place, annotation)


def _plain(place: str, annotation: Any) -> Any:
    plain: dict[Any, Any] = {
        str: place.split(".")[1].replace("_", "-"),
        int: 7,
        float: 1.5,
        bool: True,
        Any: "anything",
    }
    if annotation in plain:
        return plain[annotation]
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return list(annotation)[-1]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return example(annotation)
    raise TypeError(f"{place}: no example can be made of {annotation}; choose one in CHOSEN")


def adapter(value: Value) -> TypeAdapter[Any]:
    """What reads and writes the golden files of a value."""
    return TypeAdapter(list[value] if issubclass(value, StrEnum) else value)


def files_of(name: str) -> list[Path]:
    """The golden files of a value, the oldest first."""
    return [path for path in (_file(name, number) for number in range(1, 100)) if path.exists()]


def _file(name: str, number: int) -> Path:
    return FOLDER / (f"{name}.json" if number == 1 else f"{name}.{number}.json")


def shown(name: str) -> set[str]:
    """The fields, or the members, that the golden files of a value show."""
    return {key for path in files_of(name) for key in json.loads(path.read_text(encoding="utf-8"))}


def unshown(name: str, value: Value) -> set[str]:
    """What no golden file of a value shows yet."""
    every = {str(each) for each in value} if issubclass(value, StrEnum) else set(value.model_fields)
    return every - shown(name)


def main() -> int:
    """Write every missing file; existing ones stay as they are."""
    FOLDER.mkdir(exist_ok=True)
    for name, value in values().items():
        existing = files_of(name)
        if existing and not unshown(name, value):
            continue
        path = _file(name, len(existing) + 1)
        text = json.dumps(json.loads(adapter(value).dump_json(example(value))), indent=2, ensure_ascii=False)
        with path.open("x", encoding="utf-8") as file:
            file.write(text + "\n")
        sys.stdout.write(f"wrote {path.relative_to(FOLDER.parents[1])}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
