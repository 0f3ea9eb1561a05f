"""What was once written loads for ever: histories, objects in the store, task files. The files are `tests/golden`."""

import json
from pathlib import Path

import pytest
from pydantic import BaseModel
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import pydantic_data_converter

from longshift.contracts.wire import Wire
from tests.house import make_golden

RENAMED = {"none": "low", "risky": "medium", "dangerous": "high"}
"""Classes of risk as an earlier release wrote them, and what they are read as."""
Json = dict[str, "Json"] | list["Json"] | str | float | bool | None

VALUES = make_golden.values()
FILES = [(name, path) for name in VALUES for path in make_golden.files_of(name)]


@pytest.mark.parametrize(("name", "path"), FILES, ids=[path.stem for _, path in FILES])
def test_a_golden_file_loads_and_loses_nothing(name: str, path: Path) -> None:
    written = json.loads(path.read_text(encoding="utf-8"))
    adapter = make_golden.adapter(VALUES[name])
    value = adapter.validate_json(path.read_text(encoding="utf-8"))
    assert [] == lost(written, json.loads(adapter.dump_json(value)), name)
    assert value == adapter.validate_json(adapter.dump_json(value))


def test_every_value_and_every_field_has_a_golden_file() -> None:
    missing = {name: sorted(make_golden.unshown(name, value)) for name, value in VALUES.items()}
    without = [f"{name}: {', '.join(fields)}" for name, fields in missing.items() if fields]
    assert [] == without, f"run `{make_golden.COMMAND}` and commit what it writes:\n" + "\n".join(without)


def test_every_golden_file_belongs_to_a_value() -> None:
    orphans = sorted(set(make_golden.FOLDER.glob("*.json")) - {path for _, path in FILES})
    assert [] == orphans


@pytest.mark.parametrize("name", [name for name, value in VALUES.items() if issubclass(value, Wire)])
def test_the_engine_carries_a_wire_value_unchanged(name: str) -> None:
    value = make_golden.example(VALUES[name])
    converter = pydantic_data_converter.payload_converter
    payload: Payload = converter.to_payload(value)
    assert value == converter.from_payload(payload, VALUES[name])


def test_values_are_frozen() -> None:
    models = [value for value in VALUES.values() if issubclass(value, BaseModel)]
    assert [] == [value.__name__ for value in models if not value.model_config.get("frozen")]


def test_a_field_that_is_no_longer_read_is_noticed() -> None:
    assert ["Value.b.0.gone"] == lost({"a": 1, "b": [{"gone": 2}]}, {"a": 1, "b": [{"new": 3}], "c": None}, "Value")


def test_a_value_that_changes_on_the_way_is_noticed() -> None:
    assert ["Value.a"] == lost({"a": 1}, {"a": 2}, "Value")


def lost(written: Json, read: Json, place: str) -> list[str]:
    """Where `read` lacks or changes something of `written`; it may have more."""
    if isinstance(written, dict) and isinstance(read, dict):
        absent = [f"{place}.{key}" for key in written if key not in read]
        return absent + [
            where for key in written if key in read for where in lost(written[key], read[key], f"{place}.{key}")
        ]
    if isinstance(written, list) and isinstance(read, list) and len(written) == len(read):
        pairs = enumerate(zip(written, read, strict=True))
        return [where for index, (old, new) in pairs for where in lost(old, new, f"{place}.{index}")]
    if place.rpartition(".")[2] == "risk" or place.startswith("Risk."):
        written = RENAMED.get(str(written), written)
    return [] if written == read else [place]
