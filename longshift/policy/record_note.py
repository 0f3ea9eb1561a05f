"""A hand-off note made of the record alone, for when no model writes one: what was called, and what was last said."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LINES_LIMIT_CHARACTERS = 12_000
WORDS_LIMIT_CHARACTERS = 4_000
EARLIER_LIMIT_CHARACTERS = 20_000
LAST_WORDS = 5


@dataclass(frozen=True)
class Done:
    """What one step did."""

    step: int
    words: str
    """The model's own text, without its thinking."""
    calls: tuple[tuple[str, bool], ...]
    """Each call in a line, and whether it failed."""


def record_note(done: Sequence[Done], reason: str, earlier_note: str = "") -> str:
    """The note; `reason` says why no model wrote it. Of a long record the newest part is kept.

    `earlier_note` is the one that the conversation began with: nobody has put it into new words.
    """
    words = [f"Step {each.step}: {each.words}" for each in done if each.words][-LAST_WORDS:]
    lines = [f"{each.step}: {text}{' (failed)' if failed else ''}" for each in done for text, failed in each.calls]
    parts = [
        f"No model wrote this note ({reason}). It lists what the record holds; what was found out and decided is not "
        "in it, so look at the files before you go on.",
    ]
    if earlier_note:
        parts.append(f"The note from before:\n{earlier_note[:EARLIER_LIMIT_CHARACTERS]}")
    if words:
        parts.append("What you last said:\n" + "\n".join(_newest(words, WORDS_LIMIT_CHARACTERS)))
    if lines:
        parts.append("What you last called, by step:\n" + "\n".join(_newest(lines, LINES_LIMIT_CHARACTERS)))
    return "\n\n".join(parts)


def _newest(lines: Iterable[str], limit_characters: int) -> list[str]:
    kept: list[str] = []
    room = limit_characters
    for line in reversed(list(lines)):
        if len(line) > room:
            kept.append(f"… {line[len(line) - room :]}" if not kept else "…")
            break
        kept.append(line)
        room -= len(line) + 1
    return kept[::-1]
