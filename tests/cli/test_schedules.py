"""`schedule …` against a real engine, and what is refused before there is one."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, Schedule, ScheduleActionStartWorkflow, ScheduleSpec

from longshift.contracts import ids
from tests.cli.conftest import Command, Said

TASK = "---\ntitle: Tidy up\nid: own\n---\nTidy up.\n"


@pytest.fixture(autouse=True)
def task(tmp_path: Path) -> Path:
    path = tmp_path / "task.md"
    path.write_text(TASK)
    return path


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("Nightly", "task.md", "--cron", "0 2 * * *"), "'Nightly' is no name of a schedule; use up to 80 of a-z"),
        (("nightly", "task.md", "--every", "often"), "every: 'often' is no length of time; write it like 90s"),
        (("nightly", "task.md", "--every", "1d", "--jitter", "x"), "jitter: 'x' is no length of time"),
        (
            ("nightly", "task.md", "--every", "1d", "--until", "2026-12-24"),
            "until: '2026-12-24' is no time with its zone",
        ),
        (("nightly", "none.md", "--every", "1d"), "none.md: there is no such file"),
        (("nightly", "task.md", "--every", "1d", "--overlap", "never"), "'never' is not one of 'skip'"),
    ],
)
def test_what_cannot_be_is_refused_before_the_engine_is_asked(
    longshift: Command, arguments: tuple[str, ...], told: str
) -> None:
    outcome = longshift("schedule", "add", *arguments, "--json")
    assert (2, True) == (outcome.code, told in outcome.document["error"]["message"])


@pytest.mark.engine
@pytest.mark.usefixtures("client")
async def test_a_schedule_that_cannot_be_leaves_nothing_behind(said: Said) -> None:
    for options, told in {
        (): 'schedule: says no time; give --cron "0 2 * * *" or --every 6h',
        ("--cron", "0 99 * * *"): "schedule: Hour is not in range [0-23]; check --cron",
        ("--cron", "0 2 * * *", "--timezone", "Europe/Nowhere"): "schedule: unknown time zone Europe/Nowhere",
        ("--cron", "0 0 30 2 *"): "schedule: its time never comes",
        ("--every", "1d", "--until", "2020-01-01T00:00:00+00:00"): "until: 2020-01-01T00:00:00+00:00 has passed",
        ("--every", "1d", "--catch-up", "5s"): "catch-up: less than 10 seconds",
    }.items():
        outcome = await said("schedule", "add", "nightly", "task.md", *options, "--json")
        assert (2, True) == (outcome.code, told in outcome.document["error"]["message"]), outcome.out
        shown = await said("schedule", "show", "nightly", "--json")
        assert (2, True) == (shown.code, "none is named 'nightly'" in shown.document["error"]["message"])


@pytest.mark.engine
@pytest.mark.usefixtures("client")
async def test_a_scheduled_task_must_not_name_a_time_of_its_own(said: Said, task: Path) -> None:
    task.write_text("---\nnot_before: 2026-12-24T18:00:00+01:00\n---\nTidy up.\n")
    outcome = await said("schedule", "add", "nightly", "task.md", "--every", "1d")
    assert (2, True) == (outcome.code, "not_before: its schedule says when a task starts" in outcome.err)


@pytest.mark.engine
async def test_a_schedule_of_something_else_is_left_alone(client: Client, said: Said) -> None:
    action = ScheduleActionStartWorkflow("Other", id="other", task_queue="other")
    await client.create_schedule("foreign", Schedule(action=action, spec=ScheduleSpec(cron_expressions=["0 2 * * *"])))
    for arguments in (("show",), ("pause",), ("run",), ("remove",), ("update", "--every", "1d")):
        outcome = await said("schedule", arguments[0], "foreign", *arguments[1:])
        assert (2, True) == (outcome.code, "'foreign' starts no sessions" in outcome.err), arguments
    assert 0 == (await client.get_schedule_handle("foreign").describe()).info.num_actions


@pytest.mark.engine
async def test_the_life_of_a_schedule(client: Client, said: Said) -> None:
    added = await said(
        "schedule", "add", "nightly", "task.md", "--cron", "0 2 * * *", "--timezone", "Europe/Berlin", "--json"
    )
    assert (0, "0 2 * * * Europe/Berlin", "buffer-all", 365 * 86_400, "Tidy up", False) == (
        added.code,
        *(added.document[key] for key in ("when", "overlap", "catch_up_seconds", "title", "paused")),
    )
    assert 5 == len(added.document["next_at"])
    again = await said("schedule", "add", "nightly", "task.md", "--every", "6h")
    assert (2, True) == (
        again.code,
        "'nightly' exists; change it with `longshift schedule update nightly`" in again.err,
    )

    changed = await said(
        "schedule",
        "update",
        "nightly",
        "--every",
        "6h",
        "--jitter",
        "10m",
        "--overlap",
        "skip",
        "--catch-up",
        "1d",
        "--json",
    )
    assert (0, "every 6h", 600, "skip", 86_400) == (
        changed.code,
        *(changed.document[key] for key in ("when", "jitter_seconds", "overlap", "catch_up_seconds")),
    )
    refused = await said("schedule", "update", "nightly", "--cron", "whenever", "--json")
    assert (2, True) == (refused.code, "CronString does not have 5-7 fields" in refused.document["error"]["message"])
    assert 2 == (await said("schedule", "update", "nightly")).code
    shown = await said("schedule", "show", "nightly")
    assert (0, True) == (shown.code, "every 6h" in shown.out)

    assert 0 == (await said("schedule", "pause", "nightly", "--reason", "holidays")).code
    paused = (await said("schedule", "show", "nightly", "--json")).document
    assert (True, "holidays") == (paused["paused"], paused["note"])
    assert 0 == (await said("schedule", "resume", "nightly")).code
    assert False is (await said("schedule", "show", "nightly", "--json")).document["paused"]

    assert 0 == (await said("schedule", "run", "nightly")).code
    (running,) = await until(said, "running", "show", "nightly")
    firings = [each.id async for each in client.list_workflows("WorkflowType = 'Firing'")]
    moments = [ids.fired_at(each) for each in firings]
    assert [running] == [ids.fired_task_id("nightly", each) for each in moments if each]

    assert ["nightly"] == [each["name"] for each in await until(said, "schedules", "list")]
    assert 0 == (await said("schedule", "remove", "nightly")).code
    gone = await said("schedule", "remove", "nightly")
    assert (2, True) == (gone.code, "none is named 'nightly'" in gone.err)


async def until(said: Said, field: str, *arguments: str) -> list[Any]:
    """The engine starts and lists after a moment: there is no event to wait for."""
    while True:
        found = (await said("schedule", *arguments, "--json")).document[field]
        if found:
            return found
        await asyncio.sleep(0.2)
