"""A swarm on real code: many modules of a package are annotated at a time, and what goes wrong is told apart.

`LONGSHIFT_SWARM_ITEMS=300` makes it the whole job.
"""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from longshift.contracts.session import SessionState
from longshift.contracts.swarm import ItemFailure, ItemStatus
from tests.e2e.rig import Rig, rig
from tests.e2e.swarm_job import SWARM, TASK, Job, Role, changed, git, lay_out
from tests.e2e.swarm_model import JobModel
from tests.e2e.swarm_package import Package
from tests.e2e.swarm_rig import settled, until_nothing_is_left, variables
from tests.e2e.swarm_traces import reports, result, seals

ITEMS = int(os.environ.get("LONGSHIFT_SWARM_ITEMS", "30"))
SUITE = ("tests", "--ignore", "tests/contrast")
"""All of the package's own tests, but for those that need one more package."""

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.release, pytest.mark.timeout(600 + 10 * ITEMS)]


async def test_a_package_is_annotated_by_sub_agents_and_passes_its_own_tests(tmp_path: Path, package: Package) -> None:
    job = await asyncio.to_thread(Job.planned, package, ITEMS)
    async with rig(tmp_path / "data", JobModel(job), variables=variables(package)) as running:
        await asyncio.to_thread(lay_out, package, running.source)
        handle = await running.submit(TASK, **job.task(running.source))
        status = await asyncio.wait_for(handle.result(), 550 + 10 * ITEMS)
        assert SessionState.DONE is status.state, status.reason
        assert job.files() == await asyncio.to_thread(changed, package.source, running.tree(TASK))
        assert job.outcomes() == settled(running.data_dir, SWARM)
        the_reports_say_who_did_what(running, job)
        await asyncio.to_thread(the_history_names_the_items, running, job)
        await asyncio.to_thread(the_package_passes_its_tests, package, running.tree(TASK))
        await until_nothing_is_left(running)
        text = str(await running.transcript(TASK))
        assert [] == [item.id for item in job.items if OUTCOME_TOLD[item.role] and item.id not in text]


OUTCOME_TOLD = {role: role is not Role.PLAIN for role in Role}
"""The lead reads of each planted item by its name; others may be summed up."""
FAILURES = {
    Role.RED: (ItemFailure.STUCK, ""),
    Role.OUTSIDE: (ItemFailure.STUCK, ""),
    Role.LEAKS: (ItemFailure.CHECKS_RED, "take it out of the files"),
    Role.LOOPS: (ItemFailure.STUCK, ""),
}
"""As what each of them fails, and a word of the reason. Whoever insists on a `finish` that is refused is stuck."""


def the_reports_say_who_did_what(running: Rig, job: Job) -> None:
    """Each item has a report with its work or its failure, and only one attempt of each was sealed."""
    told = reports(running.data_dir, SWARM)
    sealed = seals(running.data_dir, SWARM)
    for item in job.items:
        last = told[item.id][-1]
        if item.role in FAILURES:
            failure, word = FAILURES[item.role]
            assert failure is last.failure, (item.id, last)
            assert last.reason
            assert word in last.reason
            assert 0 == sealed[item.id]
        else:
            assert (None, 1) == (last.failure, sealed[item.id]), (item.id, last)
            assert item.edit.path in last.files
            assert f"{SWARM}.{item.id}" in last.agent
    whole = result(running.data_dir, SWARM)
    assert whole["statuses"] == {item: status.value for item, status in job.outcomes().items()}


def the_history_names_the_items(running: Rig, job: Job) -> None:
    """The swarm's branch holds the tree of the lead, and a merge for each item that is in it."""
    tree = running.tree(TASK)
    log = git(tree, "log", "--format=%B", f"longshift/{SWARM}")
    merged = [item.id for item in job.items if job.outcomes()[item.id] is ItemStatus.MERGED]
    for item in job.items:
        assert (item.id in merged) == (f"Longshift-Item: {item.id}\n" in log), item.id
    assert "" == git(tree, "diff", "--stat", f"longshift/{SWARM}", "--", ".")


def the_package_passes_its_tests(package: Package, tree: Path) -> None:
    """The whole suite, in the lead's tree."""
    done = subprocess.run(package.command(*SUITE), shell=True, cwd=tree, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stdout[-2_000:]
