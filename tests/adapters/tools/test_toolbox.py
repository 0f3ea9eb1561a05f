"""The toolbox as a whole: dispatch, descriptions, and work that outlasts patience."""

import asyncio
import threading

import pytest
from tools_workshop import Workshop

from longshift.adapters.tools.following import follow_work
from longshift.adapters.tools.outcome import counted, one_line
from longshift.adapters.tools.toolbox import Toolbox
from longshift.contracts.completion import ProposedCheck
from longshift.contracts.tools import TOOL_ARGUMENTS, GlobArguments, PlanItem, PlanItemStatus, ToolStatus


def test_every_tool_is_described_for_the_model() -> None:
    descriptions = Toolbox.descriptions()
    assert set(TOOL_ARGUMENTS) == set(descriptions)
    assert all(60 < len(text) < 2_500 for text in descriptions.values())


async def test_a_plan_is_rendered_and_handed_on(workshop: Workshop) -> None:
    items = [
        {"title": "read", "status": "done"},
        {"title": "write", "status": "in_progress"},
        {"title": "check"},
    ]
    outcome = await workshop.call("update_plan", items=items)
    assert "Plan: 1 of 3 items done.\n 1. [x] read\n 2. [>] write\n 3. [ ] check" == outcome.text
    assert (ToolStatus.OK, False, "plan 1/3: write") == (outcome.status, outcome.changes_workspace, outcome.summary)
    assert outcome.plan is not None
    assert PlanItem(title="write", status=PlanItemStatus.IN_PROGRESS) == outcome.plan[1]


async def test_checks_that_come_with_a_plan_are_shown_and_handed_on(workshop: Workshop) -> None:
    outcome = await workshop.call("update_plan", items=[{"title": "a"}], checks=[{"name": "suite", "run": "pytest -q"}])
    assert outcome.text.endswith("\nChecks: suite (`pytest -q`)")
    assert (ProposedCheck(name="suite", run="pytest -q"),) == outcome.proposed
    assert (await workshop.call("update_plan", items=[{"title": "a"}])).proposed is None


async def test_several_items_in_progress_are_taken_with_a_note(workshop: Workshop) -> None:
    items = [{"title": str(number), "status": "in_progress"} for number in range(2)]
    outcome = await workshop.call("update_plan", items=items)
    assert (ToolStatus.OK, True) == (outcome.status, "2 items are in progress" in outcome.text)


@pytest.mark.parametrize("name", ["read_file", "unknown", "finish"])
async def test_arguments_of_another_tool_are_a_bug_of_the_caller(workshop: Workshop, name: str) -> None:
    with pytest.raises(ValueError, match="GlobArguments"):
        await workshop.toolbox.run(
            name,
            GlobArguments(pattern="*"),
            workshop.context(1),
            patience_seconds=None,
            on_progress=workshop.progress.append,
        )


async def test_summaries_are_one_short_line(workshop: Workshop) -> None:
    outcome = await workshop.call("bash", command="true\n" * 100)
    assert "\n" not in outcome.summary
    assert len(outcome.summary) <= 120


async def test_work_beyond_patience_is_cut_off() -> None:
    cut_off = asyncio.Event()

    async def work() -> str:
        try:
            return await asyncio.Future()
        finally:
            cut_off.set()

    assert None is await follow_work("work", work(), patience_seconds=0.0, on_progress=lambda _: None)
    assert cut_off.is_set()


async def test_work_that_is_followed_gives_signs_of_life() -> None:
    signs: list[str] = []
    alive = asyncio.Event()

    def note(sign: str) -> None:
        signs.append(sign)
        alive.set()

    async def work() -> str:
        await alive.wait()
        return "done"

    assert "done" == await follow_work("work", work(), patience_seconds=None, on_progress=note)
    assert ["work, 1 s"] == signs


async def test_cancelling_ends_the_work() -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        started.set()
        try:
            await asyncio.Future()
        finally:
            ended.set()

    task = asyncio.create_task(follow_work("work", work(), patience_seconds=None, on_progress=lambda _: None))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_file_work_does_not_run_on_the_event_loop(workshop: Workshop) -> None:
    workshop.write("a.txt", "x\n" * 100_000)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticker = asyncio.create_task(tick())
    await workshop.call("read_file", path="a.txt", offset=99_999)
    ticker.cancel()
    assert ticks > 2
    assert threading.current_thread() is threading.main_thread()


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [(1, "line", "1 line"), (2_000, "line", "2,000 lines"), (2, "match", "2 matches"), (1, "match", "1 match")],
)
def test_counts_agree_with_their_nouns(number: int, noun: str, text: str) -> None:
    assert text == counted(number, noun)


def test_one_line_is_cut_with_a_mark() -> None:
    assert "a b" == one_line(" a\n\tb ")
    assert "a" * 119 + "…" == one_line("a" * 200)
