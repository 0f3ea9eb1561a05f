"""`fleet …`: what all sessions together may spend and have spent, and what people decide about it."""

import getpass
import socket
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from longshift import fleet_control
from longshift.cli import figures
from longshift.cli.command import command, default_command
from longshift.cli.exit_codes import ExitCode
from longshift.cli.invocation import Invocation
from longshift.cli.terminal_text import clean
from longshift.contracts.fleet import FleetLimits, FleetPeriod, FleetState
from longshift.fleet_control import Finished, FleetView
from longshift.policy import fleet as policy

UsdPerDay = Annotated[float | None, typer.Option("--usd-per-day", min=0, max=1e9, help="US dollars of this UTC day.")]
UsdPerMonth = Annotated[float | None, typer.Option("--usd-per-month", min=0, max=1e9, help="Of this UTC month.")]
TokensPerDay = Annotated[int | None, typer.Option("--tokens-per-day", min=0, help="Tokens of this UTC day.")]
TokensPerMonth = Annotated[int | None, typer.Option("--tokens-per-month", min=0, help="Of this UTC month.")]
NAMES = {
    "usd_per_day": "dollars today",
    "usd_per_month": "dollars this month",
    "tokens_per_day": "tokens today",
    "tokens_per_month": "tokens this month",
}


def register(app: typer.Typer) -> None:
    """Put the commands onto the command line."""
    group = typer.Typer(help="Show what all sessions together spend; raise their limit, or let them go on without.")
    app.add_typer(group, name="fleet")

    @default_command(group)
    async def fleet(run: Invocation) -> int:
        """Show what all sessions together spend; raise their limit, or let them go on without."""
        return await _show(run)

    @command(group, "show")
    async def show(run: Invocation) -> int:
        """Show what was spent in this day and month, the limits, the alerts, and the cost of a finished task."""
        return await _show(run)

    @command(group, "raise")
    async def raise_limits(
        run: Invocation,
        usd_per_day: UsdPerDay = None,
        usd_per_month: UsdPerMonth = None,
        tokens_per_day: TokensPerDay = None,
        tokens_per_month: TokensPerMonth = None,
    ) -> int:
        """Set higher limits until the day, or the month, is over."""
        limits = FleetLimits(
            usd_per_day=usd_per_day,
            usd_per_month=usd_per_month,
            tokens_per_day=tokens_per_day,
            tokens_per_month=tokens_per_month,
        )
        return _tell(run, "raise", await fleet_control.raise_limits(await run.client(), limits, by=_person()))

    @command(group, "release")
    async def release(run: Invocation) -> int:
        """Let sessions go on in spite of what is used up, until the day, or the month, is over."""
        return _tell(run, "release", await fleet_control.release(await run.client(), by=_person()))


async def _show(run: Invocation) -> int:
    view = await fleet_control.read_fleet(await run.client())
    run.out.document(document(view), page(view))
    return ExitCode.OK


def document(view: FleetView) -> dict[str, Any]:
    """The JSON form."""
    state = view.state
    limits = {
        name: {
            "limit": policy.limit_of(state, name),
            "spent": policy.spent_of(state, name),
            "share": policy.share(state, name),
        }
        for name in NAMES
    }
    return {
        "counts": view.counts,
        "hold": state.hold.reason,
        "limits": limits if view.counts else {},
        "day": state.day if view.counts else None,
        "month": state.month if view.counts else None,
        "notices": state.notices,
        "finished": view.finished,
    }


def page(view: FleetView) -> RenderableType:
    """The same for people."""
    parts: list[RenderableType] = []
    if view.counts:
        parts += _limits(view.state)
    else:
        parts.append(Text("no limit for all sessions together has ever been in force here", style="dim"))
    parts += [_finished(each) for each in view.finished]
    return Group(*parts)


def _limits(state: FleetState) -> list[RenderableType]:
    parts: list[RenderableType] = []
    if state.hold.reason:
        parts.append(Text(f"sessions hold: {clean(state.hold.reason)}", style="bold yellow"))
    for name, words in NAMES.items():
        most, spent = policy.limit_of(state, name), policy.spent_of(state, name)
        shown = figures.money if name.startswith("usd") else _count
        if most is None:
            parts.append(Text(f"{words:<20} {shown(spent)}, no limit"))
            continue
        bar = figures.bar(policy.share(state, name) or 0.0)
        parts.append(Text.assemble(f"{words:<20} ", bar, f" {shown(spent)} of {shown(most)}{_remark(state, name)}"))
    unknown = state.month.unknown_usd
    if unknown:
        parts.append(
            Text(f"{figures.money(unknown)} of this month are booked for calls of unknown outcome", style="dim")
        )
    parts += [
        Text(f"{'today' if each is state.day else 'this month'}: {_ended(each)}") for each in (state.day, state.month)
    ]
    parts += [Text(f"alert: {clean(notice.text)}", style="yellow") for notice in state.notices[-5:]]
    return parts


def _remark(state: FleetState, name: str) -> str:
    period = state.day if policy.PERIODS[name] == "day" else state.month
    raised = " (raised)" if getattr(state.raised, name) is not None else ""
    return raised + (" (released)" if period.is_released else "")


def _ended(period: FleetPeriod) -> str:
    each = policy.cost_per_done_usd(period)
    cost = "" if each is None else f", {figures.money(each)} per finished task"
    return f"{period.ended} sessions ended, {period.done} of them done{cost}"


def _finished(found: Finished) -> Text:
    each = "none is done" if found.usd_per_done is None else f"{figures.money(found.usd_per_done)} per finished task"
    more = "at least " if found.is_cut else ""
    counted = f"{more}{found.ended} sessions ended, {found.done} of them done, {figures.money(found.usd)}"
    return Text(f"{found.period}: {counted}; {each}")


def _count(number: float) -> str:
    return f"{number:,.0f}"


def _person() -> str:
    return f"{getpass.getuser()}@{socket.gethostname()}"


def _tell(run: Invocation, verb: str, answer: str) -> int:
    run.out.document({"action": verb, "answer": answer}, Text(clean(answer)))
    return ExitCode.OK
