"""The intake process: every way in that the settings name, each under its own supervision, until told to stop."""

import asyncio

import structlog
from temporalio.client import Client

from longshift.intake.acceptance import Acceptance
from longshift.intake.report import keep_report
from longshift.intake.standing import Standing
from longshift.intake.supervision import keep_running
from longshift.intake.ways import all_ways, inbox_of
from longshift.settings import Settings
from longshift.telemetry import Telemetry

log = structlog.get_logger("longshift.intake")


async def run_intake(settings: Settings, client: Client, telemetry: Telemetry, stopped: asyncio.Event) -> None:
    """Take tasks in until `stopped`; what is in hand then is finished or given back within a few seconds."""
    acceptance = Acceptance(client, settings)
    ways = all_ways(settings, client, acceptance, lambda name: Standing(name, telemetry.counters))
    await asyncio.to_thread(settings.data_dir.mkdir, parents=True, exist_ok=True)
    report = keep_report(settings.data_dir, inbox_of(settings), [way.standing for way in ways])
    reporting = asyncio.create_task(report)
    log.info("intake started", ways=[way.standing.name for way in ways])
    try:
        await asyncio.gather(*(keep_running(way, stopped) for way in ways))
    finally:
        reporting.cancel()
        await asyncio.wait([reporting])
    log.info("intake stopped")
