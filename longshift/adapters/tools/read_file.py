"""The tool `read_file`: lines with their numbers, in windows of bounded size, from files of any size."""

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from longshift.adapters.tools.encodings import SNIFF_BYTES, UTF_8, TextEncoding, binary_kind, sniff
from longshift.adapters.tools.located import Located
from longshift.adapters.tools.outcome import ToolOutcome, ToolRefused, counted
from longshift.adapters.tools.paths import Tree
from longshift.contracts.tools import ReadFileArguments, ToolStatus

LINE_LIMIT_CHARACTERS: Final = 2_000
WINDOW_LIMIT_BYTES: Final = 100_000
COUNT_LIMIT_BYTES: Final = 256_000_000
"""The lines of larger files are not counted beyond the window."""
_BLOCK: Final = 1 << 16


@dataclass(frozen=True)
class _Line:
    text: str
    """Without its end; cut to the limit."""
    characters: int
    """Of the whole line."""
    has_carriage_return: bool


def read_file(arguments: ReadFileArguments, tree: Tree) -> ToolOutcome:
    """Read a window of lines.

    Raises:
        ToolRefused: Not a text file beneath the tree, or the window lies behind its end.
    """
    with tree.locate(arguments.path) as located, open(located.open_file(), "rb") as file:
        beginning = file.read(SNIFF_BYTES)
        encoding = sniff(beginning)
        if encoding is None:
            kind = binary_kind(beginning, located.relative)
            raise ToolRefused(
                f"{arguments.path} is a binary file ({kind}, {counted(located.status.st_size, 'byte')}); "
                "look at it with a program through bash."
            )
        file.seek(len(encoding.mark))
        text = _window(arguments, located, file, encoding)
    return ToolOutcome(ToolStatus.OK, text, summary=f"read {arguments.path}")


def _window(arguments: ReadFileArguments, located: Located, file: io.BufferedReader, encoding: TextEncoding) -> str:
    first = arguments.offset
    shown: list[str] = []
    size = carriage_returns = 0
    more = False
    # newline="\n": a lone carriage return is not a line's end, as in grep and in editors.
    with io.TextIOWrapper(file, encoding.codec, errors="replace", newline="\n") as text:
        lines = _lines(text)
        before = sum(1 for _ in islice(lines, first - 1))
        for number, line in enumerate(lines, first):
            row = f"{number:>6}\t{_rendered(line)}"
            size += len(row.encode("utf-8", "replace")) + 1
            if len(shown) == arguments.limit or (shown and size > WINDOW_LIMIT_BYTES):
                more = True
                break
            shown.append(row)
            carriage_returns += line.has_carriage_return
    if not shown:
        if first == 1:
            return f"({arguments.path} is empty)"
        raise ToolRefused(f"{arguments.path} has only {counted(before, 'line')}; offset {first} lies behind its end.")
    notes: list[str] = []
    last = first + len(shown) - 1
    if more:
        total = _count_lines(located, encoding)
        of = f" of {total:,}" if total is not None else f"; the file has {counted(located.status.st_size, 'byte')}"
        notes.append(f"[lines {first:,}-{last:,}{of}; continue with offset={last + 1}]")
    if carriage_returns * 2 > len(shown):
        notes.append("[line ends are CRLF]")
    if encoding is not UTF_8:
        notes.append(f"[encoding: {encoding.name}]")
    return "\n".join([*shown, *notes])


def _lines(text: io.TextIOWrapper) -> Iterator[_Line]:
    """Lines without their ends; of a very long one only the beginning is kept in memory."""
    while piece := text.readline(LINE_LIMIT_CHARACTERS + 2):
        beginning, characters, end = piece, len(piece), piece[-2:]
        while not end.endswith("\n") and (piece := text.readline(_BLOCK)):
            characters += len(piece)
            end = (end + piece)[-2:]
        has_newline, has_return = end.endswith("\n"), end == "\r\n"
        characters -= has_newline + has_return
        yield _Line(beginning[: min(characters, LINE_LIMIT_CHARACTERS)], characters, has_return)


def _rendered(line: _Line) -> str:
    text = line.text.replace("\x00", "\ufffd")
    if line.characters > LINE_LIMIT_CHARACTERS:
        return f"{text}… [line cut: {line.characters:,} characters]"
    return text


def _count_lines(located: Located, encoding: TextEncoding) -> int | None:
    """How many lines the whole file has; None where counting would take too long or a byte is not a character."""
    if located.status.st_size > COUNT_LIMIT_BYTES or encoding.codec != "utf-8":
        return None
    newlines, last = 0, b"\n"
    descriptor = located.open_file()
    try:
        while block := os.read(descriptor, _BLOCK * 16):
            newlines += block.count(b"\n")
            last = block[-1:]
    finally:
        os.close(descriptor)
    return newlines + (last != b"\n")
