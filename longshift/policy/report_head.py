"""What the lead reads first of its swarm: what is not merged and why, what is left open, what it cost and how long."""

from collections.abc import Mapping, Sequence

from longshift.contracts.checks import ChecksDigest
from longshift.contracts.swarm import CriticalPath, ItemStatus, SwarmSummary

REASON_CHARACTERS = 200
FACTS_CHARACTERS = 1_200
QUESTION_CHARACTERS = 500
NAMED_ITEMS = 5
"""Of those that leave the same question."""
_ORDER = (ItemStatus.FAILED, ItemStatus.DROPPED, ItemStatus.BLOCKED, ItemStatus.STRUCK, ItemStatus.CANCELLED)
"""Not merged: what went wrong by itself goes first."""

Questions = Sequence[tuple[str, Sequence[str]]]


def heading(
    statuses: Mapping[str, str],
    reasons: Mapping[str, str],
    questions: Questions,
    summary: SwarmSummary,
    path: CriticalPath,
    limit_characters: int,
    *,
    branch: str,
    checks: ChecksDigest | None,
    reason: str,
) -> str:
    """At most `limit_characters`. Items that are not merged are all named, their reasons shortened for want of room."""
    merged = sum(status == ItemStatus.MERGED for status in statuses.values())
    first = f"{merged} of {len(statuses)} items of the swarm are merged."
    if reason:
        first += f" It ended before all were settled: {_cut(_line(reason), 300)}."
    facts = _cut("\n".join(_facts(summary, path, branch, checks)), FACTS_CHARACTERS)
    room = limit_characters - len(first) - len(facts) - 3
    trouble = _not_merged(statuses, reasons, room)
    room -= len(trouble)
    text = "\n".join(part for part in (first, trouble, _open(questions, room), facts) if part)
    return text[:limit_characters]


def path_line(path: CriticalPath) -> str:
    """The critical path in a line; empty where nothing was done."""
    if not path.serial_steps:
        return ""
    return (
        f"critical path: {path.steps:,} steps, against {path.serial_steps:,} one after the other "
        f"({path.speed_up:.1f} times as fast); {path.seconds:,.0f} s of work on the longest chain, "
        f"{path.serial_seconds:,.0f} s in all"
    )


def _facts(summary: SwarmSummary, path: CriticalPath, branch: str, checks: ChecksDigest | None) -> list[str]:
    spent, unknown = summary.spent, summary.unknown
    lost = f" ({unknown.tokens:,} tokens of them of calls with an unknown outcome)" if unknown.tokens else ""
    found = [f"branch: {branch}" if branch else "branch: none, nothing was merged"]
    if checks is not None:
        red = ", ".join(each.name for each in checks.results if not each.passed)
        found.append(f"checks of the whole: {checks.headline}" + (f"; red: {red}" if red else ""))
    found.append(f"spent: {summary.steps:,} steps, {spent.tokens:,} tokens, ${spent.usd:,.2f}{lost}")
    return [*found, *filter(None, (path_line(path),))]


def _not_merged(statuses: Mapping[str, str], reasons: Mapping[str, str], room: int) -> str:
    """Those of one status and reason in a line."""
    for limit in (REASON_CHARACTERS, 120, 80, 40, 20, 0):
        alike: dict[tuple[str, str], list[str]] = {}
        for item, status in sorted(statuses.items(), key=lambda each: _rank(each[1])):
            if status != ItemStatus.MERGED:
                alike.setdefault((status, _cut(_line(reasons.get(item, "")), limit)), []).append(item)
        if not alike:
            return ""
        lines = [
            f"- {', '.join(items)}: {status}" + (f": {why}" if why else "") for (status, why), items in alike.items()
        ]
        text = "\n".join(("Not merged:", *lines))
        if len(text) <= room:
            return text
    return _cut("Not merged (there is no room for the reasons):\n" + "\n".join(lines), max(0, room))


def _rank(status: str) -> int:
    return _ORDER.index(ItemStatus(status)) if status in _ORDER else len(_ORDER)


def _open(questions: Questions, room: int) -> str:
    """Each question with the items that leave it, as far as there is room; the others are counted."""
    lines = list[str]()
    room -= 100
    for number, (question, items) in enumerate(questions):
        more = f" and {len(items) - NAMED_ITEMS} more" if len(items) > NAMED_ITEMS else ""
        line = f"- {_cut(question, QUESTION_CHARACTERS)} ({', '.join(items[:NAMED_ITEMS])}{more})"
        if len(line) + 1 > room:
            lines.append(f"- {len(questions) - number} more, in the reports")
            break
        lines.append(line)
        room -= len(line) + 1
    return "\n".join(("Open questions:", *lines)) if lines and room + 100 > 0 else ""


def _line(text: str) -> str:
    return " ".join(text.split())


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: max(0, limit - 1)] + ("…" if limit else "")
