"""The queue and the hosts for people: from counts to what a terminal shows. Pure functions; nothing is asked here."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from longshift.cli import figures
from longshift.cli.terminal_text import clean, one_line
from longshift.hosts import Host, HostState
from longshift.queue_census import Group as Waiting
from longshift.queue_census import QueueCensus, WaitingSession
from longshift.queue_control import QueueControl

HOST_STYLES = {
    HostState.UP: "green",
    HostState.DRAINING: "yellow",
    HostState.SILENT: "red",
    HostState.GONE: "red",
}
SESSIONS_NAMED = 3


def page(census: QueueCensus, control: QueueControl, hosts: Sequence[Host], now: datetime) -> Group:
    """The whole page of the queue."""
    parts: list[RenderableType] = [_headline(census), *control_lines(control), _slots_line(hosts)]
    if census.by_priority:
        parts += ["", _groups("priority", census.by_priority, now)]
    if census.by_key:
        parts += ["", _groups("fairness key", census.by_key, now)]
    if census.in_other_keys:
        parts.append(Text(f"{census.in_other_keys:,} more under other keys", style="dim"))
    if census.first:
        parts += ["", _first(census.first, now)]
    if census.waiting > len(census.first):
        parts.append(Text(f"{census.waiting - len(census.first):,} more wait; --limit shows more", style="dim"))
    return Group(*parts)


def control_lines(control: QueueControl) -> list[Text]:
    """Whether the queue is worked off, how fast, since when, by whom and why; then the weights."""
    rate = f"{control.rate_per_second:g} sessions a second at most" if control.rate_per_second is not None else ""
    if control.is_paused:
        state = Text("paused", style="bold yellow")
        state.append(f", then {rate}" if rate else "", style="not bold")
    else:
        state = Text(rate or "open", style="yellow" if rate else "green")
    if control.is_paused or rate:
        since = f" since {figures.moment(control.since)}" if control.since else ""
        state.append(f"{since} by {clean(control.by)}", style="not bold dim")
        state.append(f": {one_line(control.reason, 300)}" if control.reason else "", style="not bold")
    weights = (f"{one_line(key, 64)} ×{weight:g}" for key, weight in (control.weights or {}).items())
    found = ", ".join(weights)
    return [_row("state", state), *([_row("weights", Text(found))] if found else [])]


def slots(hosts: Iterable[Host]) -> dict[str, int]:
    """Slots for sessions on hosts that take some: used, free, and of how many; hosts that do not say are left out."""
    known = [host for host in hosts if host.state is HostState.UP and host.slots is not None]
    of = sum(host.slots or 0 for host in known)
    used = sum(host.slots_used or 0 for host in known)
    return {"used": used, "free": max(0, of - used), "of": of}


def hosts_table(hosts: Sequence[Host], now: datetime) -> Table:
    """Every host in a row."""
    shown = _table("host", "state", ("slots", "sub-agents", "sessions"), "", "seen", "longshift", "sdk")
    for host in hosts:
        named = ", ".join(clean(each) for each in host.sessions[:SESSIONS_NAMED])
        more = "…" if host.sessions_held > SESSIONS_NAMED else ""
        shown.add_row(
            Text(clean(host.host_id)),
            Text(host.state.value, style=HOST_STYLES[host.state]),
            _share(host.slots_used, host.slots),
            _share(host.sub_agent_slots_used, host.sub_agent_slots),
            str(host.sessions_held),
            Text(f"{named}{more}", style="dim"),
            f"{_age(host.seen_at, now)} ago" if host.seen_at else "–",
            clean(host.version) or "–",
            clean(host.sdk_version) or "–",
        )
    return shown


def _headline(census: QueueCensus) -> Text:
    text = f"{census.waiting:,} waiting"
    text += f" ({census.returning:,} of them to go on)" if census.returning else ""
    text += f", {census.not_before:,} before their time" if census.not_before else ""
    text += f", {census.capped:,} held back by their cap" if census.capped else ""
    return _row("queue", Text(text, style="bold"))


def _slots_line(hosts: Sequence[Host]) -> Text:
    found = slots(hosts)
    others = [
        f"{count} {state.value}" for state in HostState if (count := _count(hosts, state)) and state is not HostState.UP
    ]
    beside = f" ({', '.join(others)})" if others else ""
    if not hosts:
        return _row("slots", Text("no host has been heard of", style="yellow"))
    up = _count(hosts, HostState.UP)
    text = f"{found['used']} of {found['of']} used, {found['free']} free on {up} host{'' if up == 1 else 's'}{beside}"
    return _row("slots", Text(text))


def _count(hosts: Iterable[Host], state: HostState) -> int:
    return sum(host.state is state for host in hosts)


def _groups(name: str, groups: Sequence[Waiting], now: datetime) -> Table:
    shown = _table(name, ("waiting", "oldest"))
    for group in groups:
        shown.add_row(Text(one_line(group.name, 64) or "(none)"), f"{group.waiting:,}", _age(group.oldest, now))
    return shown


def _first(sessions: Sequence[WaitingSession], now: datetime) -> Table:
    shown = _table("id", ("priority", "waits"), "fairness key", "title")
    for session in sessions:
        shown.add_row(
            Text(clean(session.task_id)),
            str(session.priority),
            _age(session.since, now),
            Text(one_line(session.fairness_key, 64)),
            Text(one_line(session.title, 80)),
        )
    return shown


def _table(first: str, *columns: str | tuple[str, ...]) -> Table:
    """A plain table; names in a tuple are of numbers."""
    shown = Table(box=None, pad_edge=False, header_style="dim", show_edge=False)
    shown.add_column(first, overflow="fold", min_width=12)
    for column in columns:
        for name in (column,) if isinstance(column, str) else column:
            shown.add_column(name, justify="left" if isinstance(column, str) else "right", overflow="fold")
    return shown


def _share(used: int | None, of: int | None) -> str:
    return "–" if used is None else f"{used}/{'?' if of is None else of}"


def _age(moment: datetime | None, now: datetime) -> str:
    return figures.duration(max(0.0, (now - moment).total_seconds())) if moment else "–"


def _row(name: str, value: Text) -> Text:
    return Text.assemble((f"{name:<8}", "dim"), value)
