"""The tool `grep`: lines that match a regular expression, as ripgrep finds them."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from longshift.adapters.tools.outcome import ToolContext, ToolOutcome, counted
from longshift.adapters.tools.paths import Tree
from longshift.adapters.tools.ripgrep import Ripgrep
from longshift.adapters.tools.searched_place import SearchedPlace
from longshift.contracts.tools import OUTPUT_LIMIT_CHARACTERS, GrepArguments, ToolStatus

COLUMNS_LIMIT: Final = 500
_SEPARATOR: Final = b"--\n"


@dataclass
class _Report:
    """The result as it grows."""

    rows: list[str] = field(default_factory=list[str])
    characters: int = 0
    matches: int = 0
    files: set[bytes] = field(default_factory=set[bytes])
    note: str = ""

    def add(self, row: str) -> None:
        self.rows.append(row)
        self.characters += len(row) + 1

    def text(self) -> str:
        while self.rows and self.rows[-1] == "--":
            self.rows.pop()
        return "\n".join([*self.rows, *([self.note] if self.note else [])])


async def grep(arguments: GrepArguments, tree: Tree, ripgrep: Ripgrep, context: ToolContext) -> ToolOutcome:
    """Search file contents.

    Raises:
        ToolRefused: The path leads nowhere, or the pattern or the glob is malformed.
    """
    place = await asyncio.to_thread(SearchedPlace.find, tree, arguments.path, context)
    report = _Report()
    status = ToolStatus.OK
    try:
        async with asyncio.timeout(ripgrep.timeout_seconds):
            await _search(arguments, place, ripgrep, report)
    except TimeoutError:
        status = ToolStatus.ERROR
        report.note = (
            f"[stopped after {ripgrep.timeout_seconds:g} s, the search is not complete; "
            "narrow the path, the glob or the pattern]"
        )
    summary = f"grep {arguments.pattern}: {counted(report.matches, 'match')} in {counted(len(report.files), 'file')}"
    text = report.text() or f"No matches for {arguments.pattern} (ignored and binary files are not searched)."
    return ToolOutcome(status, text, summary=summary)


async def _search(arguments: GrepArguments, place: SearchedPlace, ripgrep: Ripgrep, report: _Report) -> None:
    glob = place.anchored(arguments.glob) if arguments.glob is not None and place.is_folder else None
    # A glob overrides ignore files in rg; what is ignored is therefore dropped from its answer.
    allowed = None if glob is None or glob.startswith("!") else await ripgrep.files(place, glob)
    async with aclosing(ripgrep.records(place, _options(arguments), glob, b"\n")) as lines:
        async for line in lines:
            path, found, rest = line.removeprefix(b"./").partition(b"\0")
            if found and allowed is not None and path.decode(errors="replace") not in allowed:
                continue
            if not found:
                _add_other(line, report)
                continue
            number = rest[: len(rest) - len(rest.lstrip(b"0123456789"))]
            sign, text = rest[len(number) : len(number) + 1], rest[len(number) + 1 :]
            if sign == b":" and report.matches == arguments.max_matches:
                report.note = f"[stopped at {counted(report.matches, 'match')}; narrow the search or raise max_matches]"
                return
            row = f"{_shown(path)}{_shown(sign)}{_shown(number)}{_shown(sign)}{_shown(text).rstrip()}"
            if report.characters + len(row) > OUTPUT_LIMIT_CHARACTERS:
                report.note = f"[stopped at {OUTPUT_LIMIT_CHARACTERS:,} characters; narrow the search]"
                return
            report.add(row)
            if sign == b":":
                report.matches += 1
                report.files.add(path)


def _add_other(line: bytes, report: _Report) -> None:
    """A line that carries no path: the gap between two groups, or a remark such as that a binary file matches."""
    if line != _SEPARATOR:
        report.add(_shown(line).rstrip())
    elif report.rows and report.rows[-1] != "--":
        report.add("--")


def _options(arguments: GrepArguments) -> list[str]:
    options = [
        "--no-heading",
        "--with-filename",
        "--line-number",
        "--crlf",
        f"--max-columns={COLUMNS_LIMIT}",
        "--max-columns-preview",
        # One thread, but the same answer every time, also where it is cut.
        "--sort=path",
        f"--regexp={arguments.pattern}",
    ]
    if arguments.ignore_case:
        options.append("--ignore-case")
    if arguments.context_lines:
        options.append(f"--context={arguments.context_lines}")
    return options


def _shown(part: bytes) -> str:
    return part.decode(errors="replace").replace("\x00", "\ufffd")
