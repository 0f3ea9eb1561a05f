"""The lead reads its sub-agents' reports: one, a group's, or the result once more; a page at a time."""

from pathlib import Path

import pytest

from longshift.adapters.store import Store, open_store
from longshift.adapters.store.swarm_reports import SwarmReports
from longshift.adapters.tools.outcome import ToolContext, ToolRefused
from longshift.adapters.tools.read_report import read_report
from longshift.contracts.read_report import ReadReportArguments
from longshift.contracts.swarm import ItemStatus
from tests.swarm_store import put_ended_swarm

HERE = Path("/nowhere")
LEAD = ToolContext(
    agent="mend/lead", task_id="mend", step=3, index=0, root=HERE, home=HERE, tmp=HERE, outputs_root=HERE, run_key=""
)
STATUSES = {"a": ItemStatus.MERGED, "b": ItemStatus.FAILED}


async def said(store: Store, **given: object) -> str:
    arguments = ReadReportArguments.model_validate(given)
    return (await read_report(arguments, LEAD, SwarmReports(store))).text


async def test_a_report_is_read_by_the_item_of_the_latest_swarm() -> None:
    store = open_store("memory://")
    await put_ended_swarm(store, "mend.swarm1", STATUSES, summary="The first time.")
    await put_ended_swarm(store, "mend.swarm3", STATUSES, summary="The second time.")

    text = await said(store, item="b")

    assert text.startswith("## b: failed (stuck)\n  why: it went round in circles\n  The second time.")
    assert "The first time." in await said(store, item="a", swarm="swarm1")
    assert "The first time." in await said(store, item="a", swarm="mend.swarm1")


async def test_a_group_and_the_whole_result_are_read_again() -> None:
    store = open_store("memory://")
    await put_ended_swarm(store, "mend.swarm1", STATUSES)

    assert (await said(store, group="all")).startswith("## a: merged")
    assert (await said(store)).startswith("1 of 2 items of the swarm are merged.\nNot merged:\n- b: failed: it went")


async def test_a_long_report_comes_in_pages() -> None:
    store = open_store("memory://")
    await put_ended_swarm(store, "mend.swarm1", STATUSES, summary="x" * 40_000)

    first = await said(store, item="a")
    rest = await said(store, item="a", offset=30_000)

    assert 'read_report(item="a", offset=30000) goes on' in first
    assert 40_000 == first.split("\n…")[0].count("x") + rest.count("x")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"item": "c"}, "item: the plan has no item 'c'"),
        ({"group": "7.1"}, "group: there is no group '7.1'"),
        ({"swarm": "swarm9"}, "swarm: there is no swarm 'swarm9'; there are: swarm1"),
        ({"item": "a", "group": "all"}, "item: give item or group, not both"),
    ],
)
async def test_what_is_not_there_is_refused_with_what_is(given: dict[str, object], words: str) -> None:
    store = open_store("memory://")
    await put_ended_swarm(store, "mend.swarm1", STATUSES)

    with pytest.raises(ToolRefused) as refused:
        await said(store, **given)

    assert str(refused.value).startswith(words)


async def test_without_a_swarm_it_says_so() -> None:
    with pytest.raises(ToolRefused, match="no sub-agents of yours have reported yet"):
        await said(open_store("memory://"), item="a")
