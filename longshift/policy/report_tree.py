"""The reports of a swarm reduced to what its lead has room for: first what is not merged and what is left open, then
the reports in groups of groups, each with its share of the room. What has none is summed up, and says how to read it.

Everything is named: an item by itself, or by the name of a group that it is in.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from longshift.contracts.checks import ChecksDigest
from longshift.contracts.swarm import CriticalPath, ItemReport, ItemStatus, SwarmSummary
from longshift.contracts.swarm_plan import SwarmPlan
from longshift.policy import report_texts
from longshift.policy.report_groups import Group, find, groups_of
from longshift.policy.report_head import heading

LIMIT_CHARACTERS = 24_000
LEAST_FOR_PART = 160
"""A part of a group that gets less is not told of by itself."""
PAGE_CHARACTERS = 30_000


@dataclass(frozen=True)
class Reports:
    """What is known of the items of a swarm."""

    plan: SwarmPlan
    reports: Mapping[str, ItemReport]
    statuses: Mapping[str, str]
    reasons: Mapping[str, str]

    def status(self, item: str) -> str:
        """An `ItemStatus`."""
        report = self.reports.get(item)
        return self.statuses.get(item) or (report.status.value if report else ItemStatus.PENDING.value)

    def whole(self, item: str) -> str:
        """The report of an item."""
        return report_texts.whole(item, self.status(item), self.reasons.get(item, ""), self.reports.get(item))

    def brief(self, item: str) -> str:
        """The same in a line."""
        return report_texts.brief(item, self.status(item), self.reasons.get(item, ""), self.reports.get(item))


def reduced(
    plan: SwarmPlan,
    reports: Mapping[str, ItemReport],
    statuses: Mapping[str, str],
    reasons: Mapping[str, str],
    summary: SwarmSummary,
    path: CriticalPath,
    limit_characters: int = LIMIT_CHARACTERS,
    *,
    branch: str = "",
    checks: ChecksDigest | None = None,
    reason: str = "",
) -> str:
    """What the lead reads of its swarm, at most `limit_characters`; with room for everything, everything.

    `branch`: the name of the swarm's branch; `checks`: of the integrated tree; `reason`: why it ended early.
    """
    known = Reports(plan, reports, statuses, reasons)
    names = [item.id for item in plan.items]
    told = {item: known.status(item) for item in names}
    why = {item: reasons.get(item) or (reports[item].reason if item in reports else "") for item in names}
    asked = report_texts.questions_of([reports[item] for item in names if item in reports])
    head = heading(
        told, why, asked, summary, path, limit_characters * 3 // 4, branch=branch, checks=checks, reason=reason
    )
    room = limit_characters - len(head) - 2
    return f"{head}\n\n{_told(groups_of(plan), known, max(0, room))}"[:limit_characters]


def group_text(known: Reports, name: str, limit_characters: int = PAGE_CHARACTERS) -> str | None:
    """What there is to say of a group within the limit; None where there is none of this name."""
    group = find(groups_of(known.plan), name)
    return None if group is None else _told(group, known, limit_characters)


def page(text: str, offset: int, again: str, limit_characters: int = PAGE_CHARACTERS) -> str:
    """A part of a long text from a character on, and how the next one is read: `again` is the call without offset."""
    part = text[offset : offset + limit_characters]
    end = offset + len(part)
    if end >= len(text):
        return part
    return f"{part}\n… characters {offset:,} to {end:,} of {len(text):,}; read_report({again}, offset={end}) goes on"


def _told(group: Group, known: Reports, room: int) -> str:
    whole = "\n".join(known.whole(item) for item in group.items)
    if len(whole) <= room:
        return whole
    head = _summed_up(group, known, room)
    left = room - len(head) - 1
    if group.parts:
        if left < LEAST_FOR_PART * len(group.parts):
            return head
        return "\n".join((head, *_shared(group, known, left)))
    return "\n".join((head, *_lines(group, known, left)))


def _shared(group: Group, known: Reports, room: int) -> list[str]:
    """The parts in their order, each with its share: what one does not need is there for the others."""
    needs = {part.name: sum(len(known.whole(item)) + 1 for item in part.items) for part in group.parts}
    shares = {part.name: min(needs[part.name], LEAST_FOR_PART - 1) for part in group.parts}
    left, items_left = room - len(group.parts) - sum(shares.values()), len(group.items)
    for part in sorted(group.parts, key=lambda part: needs[part.name] / len(part.items)):
        more = min(needs[part.name] - shares[part.name], left * len(part.items) // items_left)
        shares[part.name] += more
        left -= more
        items_left -= len(part.items)
    return [_told(part, known, shares[part.name]) for part in group.parts]


def _lines(group: Group, known: Reports, room: int) -> list[str]:
    """The items of the smallest group: a line each, the whole report where there is room left; else as many as fit."""
    briefs = {item: known.brief(item) for item in group.items}
    left = room - sum(len(text) + 1 for text in briefs.values())
    if left >= 0:
        for item in sorted(group.items, key=lambda item: _urgency(item, known)):
            whole = known.whole(item)
            if len(whole) - len(briefs[item]) <= left:
                left -= len(whole) - len(briefs[item])
                briefs[item] = whole
        return list(briefs.values())
    found = list[str]()
    for item in group.items:
        if len(briefs[item]) + 1 > room:
            break
        found.append(briefs[item])
        room -= len(briefs[item]) + 1
    return found


def _urgency(item: str, known: Reports) -> int:
    report = known.reports.get(item)
    if known.status(item) != ItemStatus.MERGED:
        return 0
    return 1 if report is not None and report.open_questions else 2


def _summed_up(group: Group, known: Reports, room: int) -> str:
    """What a group's reports come to, the more important the earlier, as far as there is room."""
    counts: dict[str, int] = {}
    for item in group.items:
        counts[known.status(item)] = counts.get(known.status(item), 0) + 1
    found = [known.reports[item] for item in group.items if item in known.reports]
    files = sum(len(report.files) for report in found)
    added, removed = sum(report.insertions for report in found), sum(report.deletions for report in found)
    name = f'read_report(group="{group.name}")'
    told = ", ".join(f"{number} {status}" for status, number in counts.items())
    text = f"# {name}: {len(group.items)} items"
    more = [
        f", {group.items[0]} … {group.items[-1]}",
        f", {told}",
        f", {group.label}",
        f"\n  changed: {files} files, +{added} −{removed}",
        *(f"\n  measured: {line}" for line in report_texts.measured_together(found)),
    ]
    for part in more:
        if len(text) + len(part) > room:
            break
        text += part
    return text[:room]
