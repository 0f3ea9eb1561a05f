# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""A person changes a swarm's plan before it is carried out, in Slack and on the command line.

An approval holds for the plan that was shown: one of the question before is refused.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from longshift.adapters.fake_slack import ADA, FakeSlack, Posted
from longshift.contracts import ids
from longshift.contracts.people import PeopleChannels
from longshift.contracts.session import SessionState, SessionStatus
from longshift.contracts.swarm import ItemStatus
from tests.e2e.people_scene import CHANNELS, with_key
from tests.e2e.people_scene import variables as slack_variables
from tests.e2e.rig import REPOSITORY, Rig, rig
from tests.e2e.swarm_job import SWARM, TASK, Job, changed, lay_out
from tests.e2e.swarm_model import JobModel
from tests.e2e.swarm_package import Package
from tests.e2e.swarm_rig import settled, until_nothing_is_left, variables

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(400)]

ITEMS = 4
LONGSHIFT = str(Path(sys.executable).parent / "longshift")
EDITED_GOAL = "Annotate it, and leave all else alone."
AMENDMENT = f"strike annotate-3\ngoal annotate-2: {EDITED_GOAL}"
REVIEWED = {"swarm": {"review": "human", "width": 2}}


async def proceeds_without_the_struck_item(running: Rig, package: Package, job: Job, model: JobModel) -> None:
    """Three of four are done; the edited goal is what the sub-agent was told."""
    handle = running.client.get_workflow_handle(ids.session_workflow_id(TASK), result_type=SessionStatus)
    status = await asyncio.wait_for(handle.result(), 200)
    assert SessionState.DONE is status.state, status.reason
    kept = {item.id for item in job.items} - {"annotate-3"}
    assert dict.fromkeys(kept, ItemStatus.MERGED) == settled(running.data_dir, SWARM)
    struck = job.by_id["annotate-3"].edit.path
    expected = {path: text for path, text in job.files().items() if path != struck}
    assert expected == await asyncio.to_thread(changed, package.source, running.tree(TASK))
    assert 0 == model.asked[f"{SWARM}.annotate-3"]
    task = json.loads((running.data_dir / "store" / ids.task_key(f"{SWARM}.annotate-2")).read_bytes())
    assert EDITED_GOAL in task["instructions"]
    await until_nothing_is_left(running)


async def test_a_plan_is_changed_and_approved_in_slack(
    tmp_path: Path, package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await asyncio.to_thread(Job.planned, package, ITEMS, ())
    model = JobModel(job)
    async with FakeSlack() as slack:
        for name, value in slack_variables(slack).items():
            monkeypatch.setenv(name, value)
        async with rig(tmp_path / "data", model, variables=variables(package)) as running:
            running.start_intake()
            await asyncio.to_thread(lay_out, package, running.source)
            await running.submit(TASK, people=CHANNELS, **job.task(running.source, **REVIEWED))
            first = await question(slack, 0)
            assert "annotate-1" in str(first.blocks)
            await slack.socket_mode.connected(seconds=60)
            shown = button(first, "Approve")
            assert await slack.click(first, "Change the plan", user=ADA)
            await slack.workspace.until(lambda: bool(slack.workspace.views))
            assert await slack.submit(slack.workspace.views[0], AMENDMENT)
            second = await question(slack, 1)
            text = str(second.blocks)
            assert "annotate-3" in text
            assert EDITED_GOAL in text
            # The button that somebody still has on the screen: it was for the plan before.
            await slack.click(second, "Approve", user=ADA, value=shown["value"])
            await asyncio.sleep(2)
            assert 1 == sum(model.asked.values())
            assert await slack.click(second, "Approve", user=ADA)
            await proceeds_without_the_struck_item(running, package, job, model)


def button(message: Posted, label: str) -> dict[str, Any]:
    """The message's button of this label."""
    return next(each for each in message.buttons() if each["text"]["text"].startswith(label))


async def question(slack: FakeSlack, number: int) -> Posted:
    """The question that came as the `number`th, with its buttons."""
    await slack.workspace.until(lambda: len(with_key(slack, "question")) > number, seconds=90)
    return with_key(slack, "question")[number]


@pytest.mark.release
async def test_a_plan_is_changed_and_approved_on_the_command_line(tmp_path: Path, package: Package) -> None:
    job = await asyncio.to_thread(Job.planned, package, ITEMS, ())
    model = JobModel(job)
    async with rig(tmp_path / "data", model, variables=variables(package)) as running:
        await asyncio.to_thread(lay_out, package, running.source)
        await running.submit(TASK, people=PeopleChannels(), **job.task(running.source, **REVIEWED))
        first = await asked(running)
        assert "annotate-3" in str(first)
        code, said = await longshift(running, "answer", TASK, first["ask"]["id"], "amend", "--text", AMENDMENT)
        assert 0 == code, said
        second = await asked(running, after=first["ask"]["id"])
        assert EDITED_GOAL in str(second["ask"]["evidence"])
        code, said = await longshift(running, "answer", TASK, first["ask"]["id"], "approve")
        assert 0 != code, said
        assert 1 == sum(model.asked.values())
        code, said = await longshift(running, "approve", TASK)
        assert 0 == code, said
        await proceeds_without_the_struck_item(running, package, job, model)
        await is_told_of(running)


async def is_told_of(running: Rig) -> None:
    """The swarm that is over, as the command line shows it."""
    table, item, plan, transcript, status = [
        await longshift(running, *words)
        for words in (
            ("swarm", TASK),
            ("swarm", TASK, "--item", "annotate-2"),
            ("swarm", TASK, "--plan"),
            ("transcript", TASK, "--item", "annotate-2"),
            ("status", TASK),
        )
    ]
    for (code, said), words in (
        (table, ("3/3 merged", "critical path: ", "annotate-1  merged")),
        (item, ("## annotate-2: merged", "--item annotate-2 --swarm swarm1")),
        (plan, (EDITED_GOAL,)),
        (transcript, (f"# Transcript of {SWARM}.annotate-2", EDITED_GOAL)),
        (status, ("swarm1: 3/3 merged",)),
    ):
        assert 0 == code, said
        assert [] == [each for each in words if each not in said], said
    assert "annotate-3" not in plan[1]


async def asked(running: Rig, *, after: str = "") -> dict[str, Any]:
    """The open question of the session that is not `after`, as the command line lists it."""
    async with asyncio.timeout(90):
        while True:
            code, said = await longshift(running, "inbox", "--json")
            found = [each["review"] for each in json.loads(said)["questions"]] if code == 0 else []
            if found and found[0]["ask"]["id"] != after:
                return found[0]
            await asyncio.sleep(0.5)


async def longshift(running: Rig, *arguments: str) -> tuple[int, str]:
    """A command of the command line: its exit code and what it said."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LONGSHIFT_", "TEMPORAL_"))}
    process = await asyncio.create_subprocess_exec(
        LONGSHIFT,
        *arguments,
        cwd=REPOSITORY,
        env={
            **kept,
            "LONGSHIFT_DATA_DIR": str(running.data_dir),
            "TEMPORAL_ADDRESS": running.client.service_client.config.target_host,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()
