"""A task file's text as a table of values that know their lines. What the values must be is not judged here."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

from longshift.contracts.errors import BadInput

FENCE = "---"
LIMIT_BYTES = 4_000_000
"""More than the longest instructions and everything else that a task may hold."""
LINES_LIMIT_CHARACTERS = 250_000
"""Beyond it messages about JSON name no line: to find the lines takes seconds."""
SUFFIXES = {".md": "markdown", ".markdown": "markdown", ".yaml": "yaml", ".yml": "yaml", ".json": "json"}
MEDIA_TYPES = {
    "application/json": "json",
    "text/markdown": "markdown",
    "application/yaml": "yaml",
    "application/x-yaml": "yaml",
    "text/yaml": "yaml",
}

Location = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """One task file."""

    path: Path
    values: dict[str, Any]
    body: str = ""
    """The text below the front matter."""
    lines: dict[Location, int] = field(default_factory=dict[Location, int])
    """Where in the file each value stands, by its keys and indexes."""

    def place(self, location: Location) -> str:
        """File and line of a value, or of the nearest one around it."""
        for end in range(len(location), 0, -1):
            line = self.lines.get(location[:end])
            if line is not None:
                return f"{self.path}:{line}"
        return str(self.path)


def read_document(path: Path) -> Document:
    """Read a task file; which kind it is, its name says.

    Raises:
        BadInput: it cannot be read or is not well-formed; the message names file, line and remedy.
    """
    kind = SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise BadInput(f"{path}: the name of a task file ends in {', '.join(SUFFIXES)}; rename it")
    return parse_document(path, _read(path), kind)


def parse_document(path: Path, raw: bytes, kind: str) -> Document:
    """The task in `raw`, which is of a kind of `SUFFIXES`; `path` is how messages call it.

    Raises:
        BadInput: it is not well-formed; the message names line and remedy.
    """
    text = _text(path, raw)
    try:
        if kind == "json":
            return _json(path, text)
        if kind == "yaml":
            return _yaml(path, text, "", first_line=1)
        return _markdown(path, text)
    except RecursionError:
        raise BadInput(f"{path}: is nested too deeply; a task has at most four levels") from None


def _read(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise BadInput(f"{path}: is a directory; give the path of a task file")
        with path.open("rb") as file:
            return file.read(LIMIT_BYTES + 1)
    except FileNotFoundError:
        raise BadInput(f"{path}: there is no such file; give the path of a task file (.md, .yaml or .json)") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error


def _text(path: Path, raw: bytes) -> str:
    if len(raw) > LIMIT_BYTES:
        raise BadInput(f"{path}: is larger than {LIMIT_BYTES:,} bytes; put large inputs into the workspace instead")
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise BadInput(f"{path}:{line}: is not UTF-8 text; save it as UTF-8") from None


def _markdown(path: Path, text: str) -> Document:
    lines = text.split("\n")
    if lines[0].rstrip() != FENCE:
        return Document(path, {}, text.strip())
    for number, line in enumerate(lines[1:], start=1):
        if line.rstrip() in (FENCE, "..."):
            return _yaml(path, "\n".join(lines[1:number]), "\n".join(lines[number + 1 :]).strip(), first_line=2)
    raise BadInput(f"{path}:1: the front matter does not end; close it with a line that is just {FENCE}")


def _yaml(path: Path, text: str, body: str, *, first_line: int) -> Document:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        lines = dict(_lines(path, node, (), first_line, set())) if node is not None else {}
        values: Any = yaml.load(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise BadInput(_yaml_complaint(path, error, first_line)) from None
    except ValueError as error:  # a date such as 2026-13-45
        raise BadInput(f"{path}: a value is no valid YAML ({error}); put text into quotes") from None
    return Document(path, _table(path, values, body), body, lines)


def _json(path: Path, text: str) -> Document:
    try:
        values = json.loads(text, object_pairs_hook=lambda pairs: _without_repetition(path, pairs))
    except json.JSONDecodeError as error:
        raise BadInput(f"{path}:{error.lineno}: is not valid JSON: {error.msg} (column {error.colno})") from None
    except ValueError:  # Python reads no number of more than 4,300 digits
        raise BadInput(f"{path}: a number has too many digits; no field takes one as large") from None
    if len(text) > LINES_LIMIT_CHARACTERS:
        return Document(path, _table(path, values, ""))
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        lines = dict(_lines(path, node, (), 1, set())) if node is not None else {}
    except yaml.YAMLError:
        lines = {}  # JSON indented with tabs is no YAML; then messages have no line
    return Document(path, _table(path, values, ""), "", lines)


def _table(path: Path, values: Any, body: str) -> dict[str, Any]:
    if values is None and body:
        return {}
    if values is None:
        raise BadInput(f"{path}: is empty; write at least title and instructions")
    if not isinstance(values, dict):
        raise BadInput(f"{path}: must be a table of keys and values, such as `title: …`, not {type(values).__name__}")
    return cast("dict[str, Any]", values)


def _without_repetition(path: Path, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadInput(f"{path}: {twice}: stands there twice; keep one of them")
    return table


def _lines(
    path: Path, node: yaml.Node, location: Location, first_line: int, seen: set[int]
) -> Iterator[tuple[Location, int]]:
    """Line by location. Refuses keys that stand twice, as the first would be lost, and repeated tables and lists."""
    if isinstance(node, yaml.CollectionNode):
        if id(node) in seen:
            line = node.start_mark.line + first_line
            raise BadInput(f"{path}:{line}: is referred to by an alias (*name); write it out where it is needed")
        seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        names: set[str] = set()
        for key, value in cast("list[tuple[yaml.Node, yaml.Node]]", node.value):
            line, name = key.start_mark.line + first_line, _name(path, key, first_line)
            if name in names:
                raise BadInput(f"{path}:{line}: {name}: stands there twice; keep one of them")
            names.add(name)
            yield (*location, name), line
            yield from _lines(path, value, (*location, name), first_line, seen)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(cast("list[yaml.Node]", node.value)):
            yield (*location, index), value.start_mark.line + first_line
            yield from _lines(path, value, (*location, index), first_line, seen)


def _name(path: Path, key: yaml.Node, first_line: int) -> str:
    line = key.start_mark.line + first_line
    if not isinstance(key, yaml.ScalarNode):
        raise BadInput(f"{path}:{line}: a key must be plain text")
    if key.tag == "tag:yaml.org,2002:merge":
        raise BadInput(f"{path}:{line}: <<: merged keys are not supported; write the keys out")
    if key.tag != "tag:yaml.org,2002:str":
        raise BadInput(f"{path}:{line}: {key.value}: YAML does not read this key as text; remove it")
    return str(key.value)


def _yaml_complaint(path: Path, error: yaml.YAMLError, first_line: int) -> str:
    mark = getattr(error, "problem_mark", None)
    place = f"{path}:{mark.line + first_line}" if mark is not None else str(path)
    problem = str(getattr(error, "problem", None) or error).splitlines()[0]
    column = f" (column {mark.column + 1})" if mark is not None else ""
    remedy = "check indentation, and put text with ':' or '#' into quotes"
    return f"{place}: is not valid YAML: {problem}{column}; {remedy}"
