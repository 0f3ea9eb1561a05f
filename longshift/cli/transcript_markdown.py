"""A transcript as Markdown that reads well on GitHub. Pure functions.

Whatever is not the runner's own stands in fences that are longer than any in it, so that nothing breaks out of them.
"""

import re
from collections.abc import Iterator

from longshift.cli.render_transcript import cut_lines, shown_argument
from longshift.cli.terminal_text import clean, one_line
from longshift.contracts.transcript import Block, CarriedSteps, EpochCause, Note, Speaker
from longshift.sessions.transcript_reader import AnswerEntry, Entry, HandoffEntry, OpeningEntry, SealEntry

CAUSES = {
    EpochCause.OPENING: "the agent began",
    EpochCause.HANDOFF: "the context was compacted into a hand-off note",
    EpochCause.CLEARING: "old tool results were cleared to make room",
    EpochCause.ROLLBACK: "steps were undone",
    EpochCause.FORK: "another session's conversation goes on here",
}
"""Why an epoch was begun, in words."""
_FENCE = re.compile(r"`{3,}")


def markdown(entry: Entry, *, full: bool = False) -> str:
    """One entry; `full` leaves long results whole."""
    match entry:
        case OpeningEntry():
            parts = _opening(entry)
        case AnswerEntry():
            parts = _answer(entry)
        case SealEntry():
            parts = _seal(entry, full)
        case HandoffEntry():
            reason = f" ({one_line(entry.record.reason)})" if entry.record.reason else ""
            parts = iter([f"## {_plain(entry.agent + reason)}: last hand-off note", fenced(entry.record.note)])
    return "".join(f"{part}\n\n" for part in parts)


def fenced(text: str, language: str = "text") -> str:
    """A block that `text` cannot end."""
    longest = max((len(found) for found in _FENCE.findall(text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{clean(text)}\n{fence}"


def carried_steps(steps: CarriedSteps) -> str:
    """Which steps an epoch carries, in words."""
    last = steps.end_step - 1
    which = f"step {last}" if last == steps.first_step else f"steps {steps.first_step} to {last}"
    notes = [*(["results cleared"] if steps.cleared else []), *(["of another provider"] if steps.foreign else [])]
    return f"{which} of {steps.agent}, epoch {steps.epoch}" + (f" ({', '.join(notes)})" if notes else "")


def _opening(entry: OpeningEntry) -> Iterator[str]:
    base = entry.base
    yield f"## {_plain(entry.agent)}: epoch {entry.epoch}, from step {base.first_step}"
    facts = [f"begun because {CAUSES[base.cause]}", *(f"carries {carried_steps(each)}" for each in base.carried)]
    yield "\n".join(f"- {_plain(fact)}" for fact in facts)
    if base.handoff is not None:
        yield "**Hand-off note that it began with**"
        yield fenced(base.handoff.note)
    messages = [*base.messages, *(message for each in base.carried for message in each.then)]
    texts = [str(block.get("text", "")) for message in messages for block in message["content"]]
    yield _folded("Opening messages", fenced("\n".join(texts)))


def _answer(entry: AnswerEntry) -> Iterator[str]:
    answer = entry.answer
    yield f"### Step {entry.step}"
    yield from _notes(answer.notes)
    for block in answer.content:
        yield _block(block)
    for index, reason in answer.rejections.items():
        yield f"**Call {_plain(index)} was not run**"
        yield fenced(reason)
    if answer.truncated:
        yield "*The answer was cut off by the output limit inside a call, which was left out.*"
    if answer.leaked:
        yield "*Calls arrived as text; none of them ran.*"


def _block(block: Block) -> str:
    kind = str(block.get("type"))
    if kind == "text":
        return fenced(str(block.get("text", "")), "markdown")
    if kind == "thinking":
        return _folded("Thinking", fenced(str(block.get("thinking", ""))))
    if kind == "tool_use":
        arguments = block.get("input")
        lines = [f"{name}: {shown_argument(value)}" for name, value in arguments.items()] if arguments else []
        return f"**→ {_plain(str(block.get('name', '')))}**\n\n{fenced(chr(10).join(lines) or '(no arguments)')}"
    return f"*{_plain(kind)}*"


def _seal(entry: SealEntry, full: bool) -> Iterator[str]:
    for result in entry.results:
        mark = "✗" if result.is_error else "✓"
        yield f"**{mark} {_plain(one_line(result.summary or result.name))}**"
        yield fenced("\n".join(cut_lines(result.text, all_lines=full)))
    yield from _notes(entry.notes)


def _notes(notes: tuple[Note, ...]) -> Iterator[str]:
    for note in notes:
        yield f"**Message from {'a person' if note.speaker is Speaker.PERSON else 'the runner'}**"
        yield fenced(note.text)


def _folded(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"


def _plain(text: str) -> str:
    """Text that stands between our own words: no character of it means anything in Markdown."""
    return re.sub(r"([\\`*_{}\[\]<>#|~&!$@:])", r"\\\1", clean(text).replace("\n", " "))
