"""Ways in are kept running each by itself, and how they stand is told."""

import asyncio
import json
from pathlib import Path

from longshift.contracts.errors import BadInput
from longshift.intake.report import keep_report, read_report
from longshift.intake.standing import Outcome, Standing, State
from longshift.intake.supervision import Way, keep_running


async def test_a_way_that_fails_is_started_again_and_stops_no_other() -> None:
    stopped, tries = asyncio.Event(), list[str]()
    seen = list[tuple[State, str]]()
    broken, well = Standing("broken"), Standing("well")

    async def fails(told: asyncio.Event) -> None:
        del told
        seen.append((broken.state, broken.detail))
        tries.append("again")
        if len(tries) == 1:
            raise BadInput("mend this")
        if len(tries) == 2:
            raise ZeroDivisionError("a bug")
        stopped.set()

    async def works(told: asyncio.Event) -> None:
        well.move(State.WORKING)
        await told.wait()

    await asyncio.gather(keep_running(Way(broken, fails), stopped), keep_running(Way(well, works), stopped))
    assert [(State.STARTING, ""), (State.FAILED, "mend this"), (State.FAILED, "ZeroDivisionError('a bug')")] == seen
    assert (2, 0, State.STOPPED, State.STOPPED) == (broken.restarts, well.restarts, broken.state, well.state)


async def test_the_report_shows_every_way_while_its_process_runs(tmp_path: Path) -> None:
    standing = Standing("inbox")
    standing.move(State.FULL, "10 sessions wait")
    standing.count(Outcome.ACCEPTED)
    reporting = asyncio.create_task(keep_report(tmp_path, tmp_path / "inbox", [standing]))
    while (report := read_report(tmp_path)) is None:  # noqa: ASYNC110  # a thread writes it
        await asyncio.sleep(0.01)
    (way,) = report.ways
    assert (str(tmp_path / "inbox"), "inbox", "full", "10 sessions wait", 1) == (
        report.inbox,
        *(way[key] for key in ("name", "state", "detail", "accepted")),
    )
    table = json.loads((tmp_path / "intake.json").read_text())
    reporting.cancel()
    await asyncio.wait([reporting])
    assert None is read_report(tmp_path)
    (tmp_path / "intake.json").write_text(json.dumps({**table, "starttime": 1}))
    assert None is read_report(tmp_path), "another process has this id now"
