"""The report of an item as the lead reads it: whole, or in a line; and what many of them measured."""

import re
import statistics
from collections.abc import Iterable, Sequence

from longshift.contracts.swarm import ItemReport, ItemStatus

BRIEF_CHARACTERS = 200
"""Of a summary's first sentences, where the report is told of in a line."""
FILES_IN_BRIEF = 2


def whole(item: str, status: str, reason: str, report: ItemReport | None) -> str:
    """All of it but the whole output of checks; what the sub-agent wrote is indented."""
    head = f"## {item}: {status}"
    if report is None:
        return "\n".join((head, f"  why: {reason or 'it was not begun'}"))
    attempt = f", attempt {report.attempt}" if report.attempt > 1 else ""
    failure = f" ({report.failure.value})" if report.failure is not None else ""
    lines = [f"{head}{failure}{attempt}"]
    if why := reason or report.reason:
        lines.append(f"  why: {_indented(why)}")
    if report.summary.strip():
        lines.append(f"  {_indented(report.summary.strip())}")
    if report.files:
        size = f"+{report.insertions} −{report.deletions}"
        lines.append(f"  files ({len(report.files)}, {size}): {', '.join(report.files)}")
    if report.checks is not None:
        red = [each for each in report.checks.results if not each.passed]
        lines.append(f"  checks: {report.checks.headline}")
        lines += [f"    red: {each.name}: {_indented(each.detail, 6)}" for each in red]
    if report.measurements:
        lines.append(f"  measured: {_measured(report)}")
    lines += [f"  open question: {_indented(each)}" for each in report.open_questions]
    if report.steps:
        branch = f"; merged as {report.branch}" if report.branch else ""
        lines.append(f"  {report.steps} steps, {report.spend.tokens:,} tokens, ${report.spend.usd:.2f}{branch}")
    return "\n".join(lines)


def brief(item: str, status: str, reason: str, report: ItemReport | None) -> str:
    """In a line: status, first sentences, files, measurements, how many questions it leaves."""
    if report is None:
        return f"- {item} ({status}): {_cut(_line(reason) or 'not begun', BRIEF_CHARACTERS)}"
    said = first_sentences(report.summary) if status == ItemStatus.MERGED else _line(reason or report.reason)
    facts = list[str]()
    if report.files:
        more = f" and {len(report.files) - FILES_IN_BRIEF} more" if len(report.files) > FILES_IN_BRIEF else ""
        facts.append(", ".join(_cut(each, 80) for each in report.files[:FILES_IN_BRIEF]) + more)
    if report.measurements:
        facts.append(_cut(_measured(report), 120))
    if report.open_questions:
        facts.append(f"open questions: {len(report.open_questions)}")
    shown = f" [{'; '.join(facts)}]" if facts else ""
    return f"- {item} ({status}): {_cut(said or 'no summary', BRIEF_CHARACTERS)}{shown}"


def first_sentences(text: str, limit: int = BRIEF_CHARACTERS) -> str:
    """As many whole sentences from the beginning as fit, at least the beginning of the first."""
    line, found = _line(text), ""
    for sentence in re.split(r"(?<=[.!?])\s+", line):
        longer = f"{found} {sentence}".strip()
        if len(longer) > limit:
            break
        found = longer
    return found or _cut(line, limit)


def measured_together(reports: Iterable[ItemReport]) -> list[str]:
    """`seconds: 0.1 / 0.3 / 2.5 in 20 reports (least, median, most)`, by name."""
    values: dict[str, list[float]] = {}
    for report in reports:
        for name, value in report.measurements.items():
            values.setdefault(name, []).append(value)
    return [
        f"{_line(name)}: {min(each):g} / {statistics.median(each):g} / {max(each):g} in {len(each)} reports "
        "(least, median, most)"
        for name, each in sorted(values.items())
    ]


def questions_of(reports: Sequence[ItemReport]) -> list[tuple[str, list[str]]]:
    """Each open question once, as it was first written, with the items that leave it; what most leave comes first."""
    asked: dict[str, tuple[str, list[str]]] = {}
    for report in reports:
        for question in report.open_questions:
            line = _line(question)
            same = asked.setdefault(line.casefold().rstrip("?.! "), (line, []))
            if report.item not in same[1]:
                same[1].append(report.item)
    return sorted(asked.values(), key=lambda each: -len(each[1]))


def _measured(report: ItemReport) -> str:
    return ", ".join(f"{_line(name)} = {value:g}" for name, value in sorted(report.measurements.items()))


def _line(text: str) -> str:
    return " ".join(text.split())


def _indented(text: str, by: int = 2) -> str:
    return text.replace("\n", "\n" + " " * by)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: max(0, limit - 1)] + "…"
