"""The pure half of `edit_file`: find the old text, replace it, and say what changed or why it could not be found."""

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

from longshift.adapters.tools.outcome import ToolRefused, counted

_CONTEXT_LINES: Final = 2
_SPOTS_SHOWN: Final = 3
_LINES_SHOWN: Final = 30
"""Of the old and of the new lines of one spot."""
_LINE_SHOWN_CHARACTERS: Final = 300
_MATCHES_LISTED: Final = 20
_COMPARED_LINES: Final = 50_000
"""The closest region is sought in this much of a file."""
_CANDIDATES: Final = 12
_COMPARED_CHARACTERS: Final = 1_500
_CLOSE_ENOUGH: Final = 0.5
_NUMBERED_LINE: Final = re.compile(r" {0,8}[0-9]{1,9}\t")


@dataclass(frozen=True)
class Replacement:
    """A text after an edit."""

    text: str
    count: int
    changes: str
    """A short diff of the places that changed."""


def replace(text: str, old: str, new: str, *, replace_all: bool, path: str) -> Replacement:
    """Replace `old`, which has to occur exactly once unless `replace_all`; the file's line ends are kept.

    Raises:
        ToolRefused: `old` is not there, is there several times, or equals `new`.
    """
    old, new = _with_line_ends(text, old, new)
    if old == new:
        raise ToolRefused("old and new are the same; nothing was changed.")
    starts = _starts(text, old)
    if not starts:
        raise ToolRefused(f"The old text does not occur in {path}; nothing was changed.{_hint(text, old)}")
    if len(starts) > 1 and not replace_all:
        lines = ", ".join(str(_line_number(text, start)) for start in starts[:_MATCHES_LISTED])
        more = ", …" if len(starts) > _MATCHES_LISTED else ""
        raise ToolRefused(
            f"The old text occurs {len(starts)} times in {path}, at lines {lines}{more}; nothing was changed. "
            "Add surrounding lines until it is unique, or set replace_all."
        )
    return Replacement(text.replace(old, new), len(starts), _changes(text, starts, old, new))


def _with_line_ends(text: str, old: str, new: str) -> tuple[str, str]:
    """`old` and `new` with the line ends of the place they are for: the model sees and writes plain newlines."""
    crlf = text.count("\r\n")
    if crlf == 0:
        return old, new
    windows_old, windows_new = (part.replace("\r\n", "\n").replace("\n", "\r\n") for part in (old, new))
    if "\n" not in old:
        return old, windows_new if crlf * 2 > text.count("\n") else new
    # This form first: a text that begins with a newline would also be found in the middle of a CRLF.
    return (windows_old, windows_new) if windows_old in text else (old, new)


def _starts(text: str, old: str) -> list[int]:
    starts: list[int] = []
    start = text.find(old)
    while start >= 0:
        starts.append(start)
        start = text.find(old, start + len(old))
    return starts


def _line_number(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _changes(text: str, starts: list[int], old: str, new: str) -> str:
    """Around each place: the lines before, the old and the new whole lines, the lines after."""
    parts: list[str] = []
    for start in starts[:_SPOTS_SHOWN]:
        begin = text.rfind("\n", 0, start) + 1
        end = start + len(old)
        # The line behind is part of the change, unless both texts end where a line ends.
        is_whole = old.endswith("\n") and (new.endswith("\n") or (not new and begin == start))
        line_end = end if is_whole else _line_end(text, end)
        first, last = begin, line_end
        for _ in range(_CONTEXT_LINES):
            first = text.rfind("\n", 0, max(first - 1, 0)) + 1
            last = _line_end(text, last)
        parts += [
            f"@@ line {_line_number(text, start):,} @@",
            *_rows(text[first:begin], " "),
            *_rows(text[begin:line_end], "-"),
            *_rows(text[begin:start] + new + text[end:line_end], "+"),
            *_rows(text[line_end:last], " "),
        ]
    if len(starts) > _SPOTS_SHOWN:
        parts.append(f"… and {counted(len(starts) - _SPOTS_SHOWN, 'more place')}")
    return "\n".join(parts)


def _line_end(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end + 1


def _rows(block: str, sign: str) -> list[str]:
    if not block:
        return []
    lines = block.removesuffix("\n").split("\n")
    rows = [sign + _shown(line) for line in lines[:_LINES_SHOWN]]
    if len(lines) > _LINES_SHOWN:
        rows.append(f"{sign}… {counted(len(lines) - _LINES_SHOWN, 'more line')}")
    return rows


def _shown(line: str) -> str:
    line = line.removesuffix("\r")
    cut = line if len(line) <= _LINE_SHOWN_CHARACTERS else line[:_LINE_SHOWN_CHARACTERS] + "…"
    return cut.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")


def _hint(text: str, old: str) -> str:
    """What may have been meant."""
    old_lines = old.removesuffix("\n").split("\n")
    if all(_NUMBERED_LINE.match(line) for line in old_lines if line):
        return " It carries the line numbers of read_file: leave out the number and the tab before each line."
    lines = text.split("\n", _COMPARED_LINES)[:_COMPARED_LINES]
    size = len(old_lines)
    if not lines or not old.strip():
        return ""
    best_score, best_start = 0.0, 0
    bare_old = [line.strip() for line in old_lines]
    wanted = "\n".join(bare_old)[:_COMPARED_CHARACTERS]
    for start in _candidates(lines, bare_old):
        window = "\n".join(line.strip()[:_COMPARED_CHARACTERS] for line in lines[start : start + size])
        score = SequenceMatcher(None, window[:_COMPARED_CHARACTERS], wanted, autojunk=False).ratio()
        if score > best_score:
            best_score, best_start = score, start
    if best_score < _CLOSE_ENOUGH:
        return ""
    region = lines[best_start : best_start + min(size, _LINES_SHOWN)]
    numbered = "\n".join(f"{number:>6}\t{_shown(line)}" for number, line in enumerate(region, best_start + 1))
    only_blanks = [line.strip() for line in lines[best_start : best_start + size]] == bare_old
    what = "differs only in blanks at the ends of lines" if only_blanks else "is the most similar one"
    return f" This region {what}:\n{numbered}"


def _candidates(lines: list[str], wanted: list[str]) -> list[int]:
    """First lines of the regions that share most words with the wanted lines; linear in the file's size."""
    words = {word for line in wanted for word in _words(line)}
    shared = [len(words & _words(line)) for line in lines]
    size = min(len(wanted), len(lines))
    score = sum(shared[:size])
    scores = [score]
    for start in range(1, len(lines) - size + 1):
        score += shared[start + size - 1] - shared[start - 1]
        scores.append(score)
    # Between equals, the region whose first line is the wanted one comes first.
    ranked = sorted(range(len(scores)), key=lambda start: (-scores[start], lines[start].strip() != wanted[0], start))
    return ranked[:_CANDIDATES]


def _words(line: str) -> set[str]:
    return set(re.findall(r"\w{1,64}", line[:_COMPARED_CHARACTERS]))
