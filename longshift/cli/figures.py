"""Numbers, bars and times as people read them on a terminal."""

from datetime import datetime

from rich.console import RenderableType
from rich.text import Text

BAR_CELLS = 20

Row = tuple[str, RenderableType]
"""A name and what is told of it."""


def bar(share: float) -> Text:
    """A bar that turns yellow and red as it fills."""
    share = min(1.0, max(0.0, share))
    style = "red" if share >= 0.9 else "yellow" if share >= 0.75 else "green"
    filled = round(share * BAR_CELLS)
    return Text.assemble(("█" * filled, style), ("░" * (BAR_CELLS - filled), "dim"), f" {share:.0%}")


def duration(seconds: float) -> str:
    """`4 s`, `3 min`, `2 h 05 min`."""
    if seconds < 60:
        return f"{int(seconds)} s"
    minutes = int(seconds // 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def money(usd: float) -> str:
    """US dollars and cents; what is less than a cent is not shown as nothing."""
    return "<$0.01" if 0 < usd < 0.005 else f"${usd:,.2f}"


def moment(at: datetime) -> str:
    """A time in the local zone, to the second."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
