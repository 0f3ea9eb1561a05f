"""The intake process put together: every way in that the settings name, each under its own supervision.

What a way does is in its module; what happens to a task is `acceptance`'s.
"""

import asyncio
from pathlib import Path

import structlog
from temporalio.client import Client

from longshift.adapters.brokers import open_source
from longshift.contracts.errors import BadInput
from longshift.intake.acceptance import Acceptance
from longshift.intake.handover import HandOver
from longshift.intake.inbox import Inbox
from longshift.intake.pump import Pump
from longshift.intake.report import keep_report
from longshift.intake.standing import Standing
from longshift.intake.supervision import Way, keep_running
from longshift.intake.suspects import Suspects
from longshift.settings import Settings
from longshift.telemetry import Telemetry

log = structlog.get_logger("longshift.intake")

SUSPECTS_FOLDER = "intake-suspects"


def inbox_of(settings: Settings) -> Path:
    """The folder that task files are put into."""
    return settings.inbox_dir.expanduser().absolute() if settings.inbox_dir else settings.data_dir / "inbox"


async def run_intake(settings: Settings, client: Client, telemetry: Telemetry, stopped: asyncio.Event) -> None:
    """Take tasks in until `stopped`; what is in hand then is finished or given back within a few seconds."""
    acceptance = Acceptance(client, settings)
    ways = [
        *(_queue(number, url, settings, acceptance, telemetry) for number, url in enumerate(settings.intake_queues, 1)),
        _inbox(settings, acceptance, telemetry),
    ]
    await asyncio.to_thread(settings.data_dir.mkdir, parents=True, exist_ok=True)
    report = keep_report(settings.data_dir, inbox_of(settings), [way.standing for way in ways])
    reporting = asyncio.create_task(report)
    log.info("intake started", ways=[way.standing.name for way in ways])
    try:
        await asyncio.gather(*(keep_running(way, stopped) for way in ways))
    finally:
        reporting.cancel()
        await asyncio.wait([reporting])
    log.info("intake stopped", **{way.standing.name: dict(way.standing.counts) for way in ways})


def _queue(number: int, url: str, settings: Settings, acceptance: Acceptance, telemetry: Telemetry) -> Way:
    try:
        name = open_source(url).name
    except BadInput:
        name = f"queue {number}"  # its URL, which may hold a password, cannot be taken apart; `run` says why
    standing = Standing(name, telemetry.counters)
    suspects = Suspects(settings.data_dir / SUSPECTS_FOLDER)

    async def run(stopped: asyncio.Event) -> None:
        hand_over = HandOver(acceptance, suspects, standing, attempts=settings.intake_attempts)
        await Pump(open_source(url), acceptance.backlog, hand_over, standing).run(stopped)

    return Way(standing, run)


def _inbox(settings: Settings, acceptance: Acceptance, telemetry: Telemetry) -> Way:
    standing = Standing("inbox", telemetry.counters)

    async def run(stopped: asyncio.Event) -> None:
        await Inbox(inbox_of(settings), acceptance, standing).run(stopped)

    return Way(standing, run)
