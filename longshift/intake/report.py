"""How intake stands, kept in `intake.json` of the data directory for other commands on this host."""

import asyncio
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from longshift.adapters.process.process_identity import ProcessIdentity
from longshift.adapters.process.process_table import process_stat
from longshift.intake.standing import Standing

log = structlog.get_logger("longshift.intake")

REPORT_FILE = "intake.json"
WRITE_SECONDS = 1.0
LOG_SECONDS = 60.0


@dataclass(frozen=True)
class IntakeReport:
    """What the intake process of a data directory said last."""

    pid: int
    inbox: str
    ways: list[dict[str, Any]]
    """One table for each way in, as `Standing.document` makes it."""


def read_report(data_dir: Path) -> IntakeReport | None:
    """The report of the process that runs now; None when there is none or its file makes no sense."""
    try:
        table: Any = json.loads((data_dir / REPORT_FILE).read_text(encoding="utf-8"))
        report = IntakeReport(pid=int(table["pid"]), inbox=str(table["inbox"]), ways=list(table["ways"]))
        starttime = int(table["starttime"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return report if ProcessIdentity(report.pid, starttime).is_alive() else None


async def keep_report(data_dir: Path, inbox: Path, standings: Iterable[Standing]) -> None:
    """Write the report whenever something changed, and log the counts now and then; until cancelled."""
    standings = list(standings)
    stat = process_stat(os.getpid())
    fixed = {"pid": os.getpid(), "starttime": stat[1] if stat else 0, "inbox": str(inbox)}
    written, logged, turns = "", dict[str, int](), 0
    try:
        while True:
            text = json.dumps({**fixed, "ways": [each.document() for each in standings]}, indent=2) + "\n"
            if text != written:
                await asyncio.to_thread(_write, data_dir, text)
                written = text
            if turns % round(LOG_SECONDS / WRITE_SECONDS) == 0:
                logged = _log(standings, logged)
            turns += 1
            await asyncio.sleep(WRITE_SECONDS)
    finally:
        (data_dir / REPORT_FILE).unlink(missing_ok=True)


def _write(data_dir: Path, text: str) -> None:
    """In one piece: a reader sees the old report or the new one."""
    part = data_dir / f"{REPORT_FILE}.{os.getpid()}.part"
    part.write_text(text, encoding="utf-8")
    part.replace(data_dir / REPORT_FILE)


def _log(standings: list[Standing], logged: dict[str, int]) -> dict[str, int]:
    """A line for each way in that took something since the last one."""
    for each in standings:
        if each.counts.total() != logged.get(each.name, 0):
            log.info("taken in", source=each.name, pending=each.pending, **dict(each.counts))
    return {each.name: each.counts.total() for each in standings}
