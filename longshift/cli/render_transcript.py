"""Entries of a transcript, whole (`logs`) or in a line or two (`run`, `watch`). Pure functions."""

import json
from typing import Any, cast

from rich.text import Text

from longshift.cli.terminal_text import clean, one_line
from longshift.contracts.transcript import Block, EpochBase, EpochCause, Note, Speaker
from longshift.policy import answers
from longshift.sessions.transcript_reader import AnswerEntry, CallResult, Entry, HandoffEntry, OpeningEntry, SealEntry

ARGUMENT_CHARACTERS = 2_000
RESULT_LINES = 40
"""A longer result keeps its head and its tail; `--full` shows all of it."""


def full(entry: Entry, *, all_lines: bool = False) -> list[Text]:
    """The entry as it stands in the transcript."""
    match entry:
        case OpeningEntry():
            base = entry.base
            head = f"{entry.agent} · epoch {entry.epoch}, from step {base.first_step}"
            if base.cause is EpochCause.ROLLBACK:  # what it starts with has been shown
                return [_rule(f"{head} · {_rolled_back(base)}")]
            return [_rule(head), *_opening(entry)]
        case AnswerEntry():
            usage = entry.answer.usage
            spent = f"{usage.prompt_tokens:,} tokens in ({usage.cached_tokens:,} cached), {usage.output_tokens:,} out"
            head = _rule(f"step {entry.step} · {entry.answer.stop_reason} · {spent}")
            return [head, *map(_note, entry.answer.notes), *_answer(entry)]
        case HandoffEntry():
            return [_rule(f"{entry.agent} · hand-off: {entry.record.reason}"), Text(clean(entry.record.note))]
        case SealEntry():
            lines = [line for result in entry.results for line in _result(result, all_lines)]
            return [*lines, *map(_note, entry.notes)]


def brief(entry: Entry) -> list[Text]:
    """What happened, in a line for each thing."""
    match entry:
        case OpeningEntry():
            compacted = f"context compacted: epoch {entry.epoch}"
            text = _rolled_back(entry.base) if entry.base.cause is EpochCause.ROLLBACK else compacted
            return [] if entry.epoch == 1 else [Text(text, style="magenta")]
        case AnswerEntry():
            said = one_line(answers.text_of(entry.answer.content))
            head = Text.assemble((f"step {entry.step}", "bold"), f"  {said}" if said else "")
            running = [Text(f"  → {one_line(call.summary or call.name)}", style="dim") for call in entry.answer.calls]
            return [*_brief_notes(entry.answer.notes), head, *running]
        case HandoffEntry():
            return [Text(f"hand-off note written: {one_line(entry.record.reason)}", style="magenta")]
        case SealEntry():
            return [*map(_brief_result, entry.results), *_brief_notes(entry.notes)]


def _rolled_back(base: EpochBase) -> str:
    """Which step everything went back to."""
    return f"rolled back to step {base.carried[-1].end_step - 1 if base.carried else 0}"


def _opening(entry: OpeningEntry) -> list[Text]:
    texts = [str(block.get("text", "")) for message in entry.base.messages for block in message["content"]]
    return [Text(clean("\n".join(texts)), style="dim")]


def _answer(entry: AnswerEntry) -> list[Text]:
    answer = entry.answer
    lines = [line for block in answer.content for line in _block(block)]
    for index, reason in answer.rejections.items():
        lines.append(Text(f"✗ call {index} was not run: {clean(reason)}", style="red"))
    if answer.truncated:
        lines.append(Text("✗ cut off by the output limit inside a call, which was left out", style="yellow"))
    if answer.leaked:
        lines.append(Text("✗ calls arrived as text; none of them ran", style="yellow"))
    return lines


def _block(block: Block) -> list[Text]:
    kind = block.get("type")
    if kind == "text":
        return [Text(clean(str(block.get("text", ""))))]
    if kind == "thinking":
        return [Text(clean(str(block.get("thinking", ""))), style="dim italic")]
    if kind == "tool_use":
        return [_call(str(block.get("name", "")), block.get("input"))]
    return [Text(f"[{clean(str(kind))}]", style="dim")]


def _call(name: str, arguments: Any) -> Text:
    text = Text.assemble(("→ ", "cyan"), (clean(name), "bold cyan"))
    if not isinstance(arguments, dict):
        return text
    for key, value in cast("dict[str, Any]", arguments).items():
        shown = shown_argument(value)
        joint = "\n" if "\n" in shown else " "
        text.append(f"\n    {clean(str(key))}:{joint}{_indented(clean(shown), joint)}")
    return text


def shown_argument(value: Any) -> str:
    """An argument of a call, shortened where it is long."""
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if len(shown) <= ARGUMENT_CHARACTERS:
        return shown
    return f"{shown[:ARGUMENT_CHARACTERS]}… ({len(shown):,} characters)"


def cut_lines(text: str, *, all_lines: bool) -> list[str]:
    """The lines of a result; of a longer one the head and the tail."""
    lines = clean(text).splitlines()
    if all_lines or len(lines) <= RESULT_LINES:
        return lines
    half = RESULT_LINES // 2
    left_out = f"… {len(lines) - RESULT_LINES:,} lines left out (--full shows them) …"
    return [*lines[:half], left_out, *lines[-half:]]


def _indented(text: str, joint: str) -> str:
    return "\n".join(f"      {line}" for line in text.splitlines()) if joint == "\n" else text


def _result(result: CallResult, all_lines: bool) -> list[Text]:
    style = "red" if result.is_error else "green"
    head = Text.assemble(("✗ " if result.is_error else "✓ ", style), (one_line(result.summary or result.name), style))
    lines = cut_lines(result.text, all_lines=all_lines)
    return [head, *([Text("\n".join(f"    {line}" for line in lines))] if lines else [])]


def _brief_result(result: CallResult) -> Text:
    mark, style = ("✗", "red") if result.is_error else ("✓", "green")
    said = f"  {one_line(result.text, 100)}" if result.is_error else ""
    return Text.assemble((f"  {mark} ", style), one_line(result.summary or result.name, 100), (said, style))


def _note(note: Note) -> Text:
    who = "a person" if note.speaker is Speaker.PERSON else "the runner"
    return Text.assemble((f"message from {who}: ", "bold yellow"), clean(note.text))


def _brief_notes(notes: tuple[Note, ...]) -> list[Text]:
    people = [note for note in notes if note.speaker is Speaker.PERSON]
    return [Text(f"message from a person: {one_line(note.text)}", style="yellow") for note in people]


def _rule(title: str) -> Text:
    return Text(f"── {clean(title)} ──", style="bold")
