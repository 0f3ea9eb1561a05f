"""Reads the JSON text of a call's arguments as it was streamed, and mends damage that has one reading only.

Mended: trailing commas, single quotes, Python literals, raw control characters in strings, code fences and special
tokens around the value, harmless text after it, an object encoded once too often. Refused: text that ends
inside a string or an object (a cut `write_file` must never run), unescaped quotes, missing commas, duplicate keys.

The text is rebuilt token by token into strict JSON and then read by the standard parser. General repair libraries
guess instead: they drop the newline at a string's end, split a string at inner quotes, and complete what was cut.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, NoReturn, cast

_BEFORE = re.compile(r"\ufeff?\s*(?:(?:```[A-Za-z]*|<\|[a-z_]{1,40}\|>)\s*)*")
_TOKEN = re.compile(
    r"""[ \t\r\n]*+(?:
        (?P<string>"(?:[^"\\]++|\\.)*+"|'(?:[^'\\]++|\\.)*+')
        |(?P<mark>[{}\[\],:])
        |(?P<word>[A-Za-z0-9+.\-]++)
    )""",
    re.DOTALL | re.VERBOSE,
)
_IN_STRING = re.compile(r'\\.|["\x00-\x1f]', re.DOTALL)
_LITERALS = {"True": "true", "False": "false", "None": "null"}
_CLOSES = {"}": "{", "]": "["}
_AMBIGUOUS_REST = frozenset('{["')

CUT = "it ends inside a string or an object: it was cut off, or a quote inside a string is not escaped"


@dataclass(frozen=True)
class JsonText:
    """What a text holds: a value, or the problem that keeps it from being used."""

    value: Any = None
    repaired: bool = False
    problem: str = ""


def parse_json_text(text: str) -> JsonText:
    """The value in `text`; strict JSON is taken as it is."""
    strict = _parse_strict(text)
    if not strict.problem:
        return _unwrap(strict)
    start = cast(re.Match[str], _BEFORE.match(text)).end()
    rebuilt, problem = _rebuild(text, start)
    if problem:
        return JsonText(problem=problem)
    mended = _parse_strict(rebuilt)
    if mended.problem:
        return JsonText(problem=strict.problem)
    return JsonText(value=mended.value, repaired=True)


def _unwrap(parsed: JsonText) -> JsonText:
    """An object that was encoded twice; other strings stay what they are."""
    if not isinstance(parsed.value, str) or not parsed.value.lstrip().startswith("{"):
        return parsed
    inner = _parse_strict(parsed.value)
    return JsonText(value=inner.value, repaired=True, problem=inner.problem)


def _parse_strict(text: str) -> JsonText:
    try:
        return JsonText(value=json.loads(text, object_pairs_hook=_unique_pairs, parse_constant=_refuse_constant))
    except json.JSONDecodeError as error:
        return JsonText(problem=f"{error.msg} at character {error.pos}")
    except ValueError as error:
        return JsonText(problem=str(error)[:200])
    except RecursionError:
        return JsonText(problem="it is nested too deeply")


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) == len(pairs):
        return mapping
    for key, value in pairs:
        if mapping[key] != value:
            raise ValueError(f"the key {key[:80]!r} occurs twice with different values")
    return mapping


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _rebuild(text: str, start: int) -> tuple[str, str]:
    """Strict JSON for the first object or array at `start`, and the problem if there is none that is whole."""
    tokens: list[str] = []
    stack: list[str] = []
    position = start
    while match := _TOKEN.match(text, position):
        position = match.end()
        mark = match["mark"]
        if string := match["string"]:
            tokens.append(_strict_string(string))
        elif word := match["word"]:
            tokens.append(_LITERALS.get(word, word))
        elif mark in _CLOSES:
            if not stack or stack.pop() != _CLOSES[mark]:
                return "", f"unexpected {mark!r} at character {position - 1}"
            if tokens[-1] == ",":
                tokens.pop()
            tokens.append(mark)
        else:
            tokens.append(mark)
            if mark in "{[":
                stack.append(mark)
        if not stack:
            return _ended(text, position, tokens)
    rest = text[position:].lstrip()
    if not rest or rest[0] in "\"'":
        return "", CUT if text.strip() else "it is empty"
    return "", f"unexpected {rest[0]!r} at character {len(text) - len(rest)}"


def _ended(text: str, position: int, tokens: list[str]) -> tuple[str, str]:
    if tokens[0] not in "{[":
        return "", "it is not a JSON object"
    if not _AMBIGUOUS_REST.isdisjoint(text[position:]):
        return "", f"there is more after the object's end at character {position}; a quote may not be escaped"
    return " ".join(tokens), ""


def _strict_string(token: str) -> str:
    single = token[0] == "'"

    def mend(match: re.Match[str]) -> str:
        found = match[0]
        if found == "\\'" and single:
            return "'"
        if found == '"':
            return '\\"'
        return found if found[0] == "\\" else f"\\u{ord(found):04x}"

    return f'"{_IN_STRING.sub(mend, token[1:-1])}"'
