"""The list of sessions for people."""

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from longshift.cli import figures, render
from longshift.cli.terminal_text import clean
from longshift.sessions.listing import ListedSession


def table(sessions: list[ListedSession]) -> Table:
    """The list for people."""
    shown = Table(box=None, pad_edge=False, header_style="dim", show_edge=False)
    shown.add_column("id", overflow="fold", min_width=12)
    shown.add_column("state", no_wrap=True)
    for name in ("step", "tokens", "cost", "context"):
        shown.add_column(name, justify="right", no_wrap=True)
    shown.add_column("started", no_wrap=True)
    for session in sessions:
        shown.add_row(*_cells(session))
    return shown


def _cells(session: ListedSession) -> list[RenderableType]:
    state = Text(session.state.value, style=render.STATE_STYLES[session.state])
    if session.attention:
        state.append(f" ({clean(session.attention)})")
    name = Text(clean(session.task_id))
    if session.started_from:
        name.append(f" ← {clean(session.started_from)}", style="dim")
    if session.swarm:
        name.append(f"\n  {clean(session.swarm)}", style="dim")
    return [
        name,
        state,
        str(session.step or "–"),
        f"{session.tokens:,}" if session.tokens else "–",
        figures.money(session.cost_usd) if session.cost_usd else "–",
        f"{session.context_fill:.0%}" if session.context_fill else "–",
        session.started_at.astimezone().strftime("%m-%d %H:%M"),
    ]
