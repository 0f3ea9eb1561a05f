"""`doctor` about the ways by which tasks come in."""

import asyncio
from pathlib import Path

from longshift.intake.report import keep_report, read_report
from longshift.intake.standing import Standing, State
from tests.cli.conftest import Command


async def test_a_way_in_that_does_not_work_is_named_with_its_reason(longshift: Command, data_dir: Path) -> None:
    data_dir.mkdir()
    well, away = Standing("inbox"), Standing("valkey://broker/tasks")
    well.move(State.WORKING)
    away.move(State.SOURCE_AWAY, "connection refused")
    reporting = asyncio.create_task(keep_report(data_dir, data_dir / "inbox", [well, away]))
    while read_report(data_dir) is None:  # noqa: ASYNC110  # a thread writes it
        await asyncio.sleep(0.01)
    outcome = await asyncio.to_thread(longshift, "doctor", "--json")
    reporting.cancel()
    found = next(each for each in outcome.document["findings"] if each["name"] == "intake")
    assert {
        "name": "intake",
        "level": "warn",
        "detail": "inbox: working, valkey://broker/tasks: source_away",
        "remedy": "valkey://broker/tasks: connection refused",
    } == found
