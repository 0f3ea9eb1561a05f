"""Swarms for people: from wire values to what a terminal shows. Pure functions; nothing is asked here."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from longshift.cli import figures
from longshift.cli.terminal_text import clean, one_line
from longshift.contracts.swarm import ItemLine, ItemStatus, SwarmSummary
from longshift.contracts.swarm_plan import SwarmItem, SwarmPlan
from longshift.policy import report_texts, swarm_words
from longshift.policy.report_head import path_line
from longshift.sessions.swarms import ItemView, SwarmView

STYLES = {
    ItemStatus.PENDING: "dim",
    ItemStatus.RUNNING: "cyan",
    ItemStatus.WAITING: "yellow",
    ItemStatus.SEALED: "cyan",
    ItemStatus.MERGED: "green",
    ItemStatus.FAILED: "red",
    ItemStatus.DROPPED: "red",
    ItemStatus.BLOCKED: "red",
    ItemStatus.STRUCK: "dim",
    ItemStatus.CANCELLED: "dim",
}


def page(task_id: str, view: SwarmView, limit: int | None = None) -> Group:
    """A swarm: what it is and how far it has come, then each item in a line, `limit` at most."""
    summary = view.table.summary
    parts: list[RenderableType] = [*head(summary)]
    if view.result is not None and view.result.branch:
        parts.append(Text.assemble(("branch  ", "dim"), clean(view.result.branch)))
    if view.result is not None and view.result.reason:
        parts.append(Text(f"it ended early: {one_line(view.result.reason, 500)}", style="yellow"))
    if view.remark:
        parts.append(Text(view.remark, style="yellow"))
    items = _first(view.table.items, limit)
    if items:
        parts += [Text(), table(items)]
    if len(items) < len(view.table.items):
        more = len(view.table.items) - len(items)
        parts.append(Text(f"… {more} more: longshift swarm {clean(task_id)}", style="dim"))
    return Group(*parts)


def head(summary: SwarmSummary) -> list[Text]:
    """Name and title, counts, what it has spent, how long its critical path is, and what holds it up."""
    lines = [
        Text.assemble((clean(summary.swarm), "bold"), f"  {one_line(summary.title)}"),
        Text(f"{swarm_words.counted(summary)}; at most {summary.width} at work"),
        Text(f"{summary.steps:,} steps, {summary.spent.tokens:,} tokens, {figures.money(summary.spent.usd)}"),
    ]
    if path := path_line(summary.critical_path):
        lines.append(Text(path))
    if summary.waiting_for:
        who = "needs a person: " if summary.needs_person else "held up: "
        lines.append(Text.assemble((who, "bold yellow"), one_line(summary.waiting_for, 500)))
    return lines


def table(items: tuple[ItemLine, ...]) -> Table:
    """Each item in a line."""
    shown = Table(box=None, pad_edge=False, header_style="dim", show_edge=False)
    shown.add_column("item", overflow="fold", min_width=10)
    shown.add_column("status", no_wrap=True)
    for name in ("attempt", "steps", "cost", "files", "time"):
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column("reason", overflow="fold")
    for each in items:
        shown.add_row(
            clean(each.item),
            Text(each.status.value, style=STYLES[each.status]),
            str(each.attempt or "–"),
            str(each.steps or "–"),
            figures.money(each.usd) if each.usd else "–",
            str(each.files or "–"),
            figures.duration(each.seconds) if each.seconds else "–",
            one_line(each.reason, 300),
        )
    return shown


def item(task_id: str, view: ItemView) -> Group:
    """An item: its line, its report, and where its transcript is."""
    line, name = view.line, view.line.item
    which = swarm_words.short(view.swarm)
    transcript = f"longshift transcript {task_id} --item {name} --swarm {which}"
    if view.report is None:
        report = Text("no attempt has ended yet", style="dim")
    else:
        report = Text(clean(report_texts.whole(name, line.status.value, line.reason, view.report)))
    return Group(table((line,)), Text(), report, Text.assemble(("transcript  ", "dim"), clean(transcript)))


def plan(shown: SwarmPlan) -> Group:
    """A whole plan."""
    parts: list[RenderableType] = [Text(clean(shown.goal), style="bold")]
    parts += [Text(f"proved by {each.name}: {one_line(each.run, 1_000)}") for each in shown.checks]
    return Group(*parts, *(_planned(each) for each in shown.items))


def _planned(item: SwarmItem) -> Text:
    rows = (
        ("reads", ", ".join(item.inputs)),
        ("may write", ", ".join(item.write_scope) or "nothing"),
        ("after", ", ".join(item.depends_on)),
        ("merged after", ", ".join(item.merge_after)),
        ("share", f"{item.budget_share:g}" if item.budget_share is not None else ""),
        ("model", item.model),
        *(("proved by", f"{each.name}: {each.run}") for each in item.checks),
    )
    lines = [Text.assemble(("\n" + clean(item.id), "bold"), f"  {clean(item.goal)}")]
    lines += [Text.assemble((f"  {name}  ", "dim"), clean(value)) for name, value in rows if value]
    return Text("\n").join(lines)


def _first(items: tuple[ItemLine, ...], limit: int | None) -> tuple[ItemLine, ...]:
    """All, or those that people look for first: what failed or waits, then what is at work, then the others."""
    if limit is None or len(items) <= limit:
        return items
    return tuple(sorted(items, key=_rank)[:limit])


def _rank(line: ItemLine) -> int:
    match line.status:
        case ItemStatus.FAILED | ItemStatus.DROPPED | ItemStatus.BLOCKED | ItemStatus.WAITING:
            return 0
        case ItemStatus.RUNNING | ItemStatus.SEALED:
            return 1
        case _:
            return 2
