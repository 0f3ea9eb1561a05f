# The SDK's own types are partial.
# pyright: reportUnknownMemberType=false
"""Sub-agents on the command line: what they do, at work and afterwards, their plan and its changes, words for them."""

import asyncio
import json
import stat
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from temporalio.client import Client

from longshift.adapters.store import Store, Transcripts, open_store
from longshift.cli import render, render_reviews, render_swarm
from longshift.cli.editing import edited_plan
from longshift.contracts import ids
from longshift.contracts.errors import BadInput
from longshift.contracts.reviews import REVIEW_TEXT_MAX_CHARACTERS, Review, ReviewState
from longshift.contracts.session import AgentStatus, SessionState
from longshift.contracts.swarm import ItemStatus
from longshift.contracts.swarm_plan import SwarmItem, SwarmPlan
from longshift.policy import reviews
from longshift.sessions.swarms import SwarmView
from tests.cli.conftest import Command, Said
from tests.cli.pages import HOSTILE, UNSAFE, shown, view
from tests.cli.test_store_commands import base, put_step
from tests.swarm_store import PLAN_HASH, put, put_ended_swarm
from tests.telling_swarm import a_summary, a_table, at_work, plan_question, telling_agent, telling_swarm
from tests.workflows.conftest import Running, a_task, scripted_worker, start, until_state
from tests.workflows.scripted import Script, digest_of
from workflows.session import Session

STATUSES = {"a": ItemStatus.MERGED, "b": ItemStatus.FAILED}


def store_of(data_dir: Path) -> Store:
    return open_store((data_dir / "store").as_uri())


@asynccontextmanager
async def session(client: Client, status: AgentStatus) -> AsyncGenerator[Running]:
    """A session named `mend` whose agent tells this of itself."""
    script = Script([digest_of("finish")], hold_model=asyncio.Event())
    async with scripted_worker(client, script, "mend"):
        running = await start(client, script, a_task("mend"))
        await until_state(running, SessionState.RUNNING)
        await running.handle.signal(Session.agent_status, status)
        yield running
        assert script.hold_model is not None
        script.hold_model.set()


def test_the_page_of_a_swarm_has_counts_and_each_item() -> None:
    page = shown(render_swarm.page("mend", SwarmView(a_table("mend.swarm1"))))

    assert "mend.swarm1  Type all modules" in page
    assert "0/2 merged, 1 at work, 1 failed; at most 8 at work" in page
    rows = [line.split() for line in page.splitlines() if line.startswith(("a ", "b "))]
    assert [["a", "running", "1", "7", "$0.25", "2", "1", "min"], ["b", "failed", "2", "40", "–", "–", "–"]] == [
        rows[0],
        rows[1][:7],
    ]
    assert "it went round in circles" in page


def test_nothing_of_a_sub_agent_reaches_the_terminal() -> None:
    table = a_table("mend.swarm1")
    items = tuple(each.model_copy(update={"reason": HOSTILE}) for each in table.items)
    page = shown(render_swarm.page("mend", SwarmView(table.model_copy(update={"items": items}))))

    assert not UNSAFE & set(page)


def test_a_live_page_shows_first_what_needs_a_look() -> None:
    page = shown(render_swarm.page("mend", SwarmView(a_table("mend.swarm1")), 1))

    assert "b" in [line.split()[0] for line in page.splitlines() if line.strip()]
    assert "… 1 more: longshift swarm mend" in page


def test_status_has_a_line_for_a_swarm() -> None:
    page = shown(render.session(view(swarms=(a_summary("mend.swarm1"),))))

    assert "swarm1: 0/2 merged, 1 at work, 1 failed" in page


def test_a_plan_is_shown_with_the_difference_in_lines() -> None:
    ask = plan_question("mend")
    review = Review(ask=ask, shown_hash=reviews.shown_hash(ask))
    page = shown(render_reviews.page("mend", [review]))

    for text in (
        "    @@ b (added) @@\n    +b\n    +  goal: Type b\n    goal: Type all modules\n",
        "longshift answer mend lead-s1-swarm amend --text TEXT   Change the plan",
    ):
        assert text in page, page


def test_pieces_of_one_text_are_put_together_again() -> None:
    ask = plan_question("mend").model_copy(update={"evidence": ("x" * 2_000, "yy\n", "z", "next")})
    page = shown(render_reviews.page("mend", [Review(ask=ask, shown_hash="")]), width=4_000)

    assert ["    " + "x" * 2_000 + "yy", "    z", "    next"] == page.splitlines()[2:5]


@pytest.mark.engine
async def test_a_swarm_at_work_tells_of_itself_and_takes_words(client: Client, said: Said, data_dir: Path) -> None:
    await put_ended_swarm(store_of(data_dir), "mend.swarm9", STATUSES)  # its plan alone is of interest
    async with session(client, at_work("mend", "mend.swarm1")), telling_swarm(client, "mend.swarm1"):
        table = await said("swarm", "mend", "--json")
        item = await said("swarm", "mend", "--item", "b")
        other = await said("swarm", "mend", "--item", "c")
        absent = await said("swarm", "mend", "--swarm", "7")
        steered = await said("steer", "mend", "--item", "a", "Keep it short.")
        all_of_them = await said("steer", "mend", "--item", "*", "Hurry.")
        struck = await said("strike", "mend", "a", "b", "--reason", "not needed", "--json")
        async with asyncio.timeout(20):  # the engine lists a session a moment later
            while "0/2 merged, 1 at work" not in (await said("list")).out:  # noqa: ASYNC110  # a list has no event
                await asyncio.sleep(0.2)

    assert ["a", "b"] == [each["item"] for each in table.document["table"]["items"]]
    assert (0, True) == (item.code, "no attempt has ended yet" in item.out)
    assert (2, True) == (other.code, "item: swarm swarm1 of mend has no item 'c'" in other.err)
    assert (2, True) == (absent.code, "swarm: mend has no swarm '7'; it has: swarm9, swarm1" in absent.err)
    assert ["mend: passed on to item a", "mend: passed on to all items that are not settled"] == [
        steered.out.strip(),
        all_of_them.out.strip(),
    ]
    assert ["passed on to item a", "passed on to item b"] == [
        json.loads(line)["answer"] for line in struck.out.splitlines()
    ]


@pytest.mark.engine
async def test_an_item_at_work_shows_what_its_attempt_has_cost_so_far(client: Client, said: Said) -> None:
    lead, sub_agent = at_work("mend", "mend.swarm1"), "mend.swarm1.a/lead"
    async with session(client, lead), telling_swarm(client, "mend.swarm1"):
        before = await said("swarm", "mend", "--item", "a", "--json")
        async with telling_agent(client, sub_agent):
            meanwhile = await said("swarm", "mend", "--item", "a", "--json")
    lines = [each.document["item"] for each in (before, meanwhile)]
    assert [(7, 0.25, 0), (10, 0.75, 100)] == [(line["steps"], line["usd"], line["tokens"]) for line in lines]


@pytest.mark.engine
async def test_without_its_workflow_a_swarm_is_told_of_by_its_session(client: Client, said: Said) -> None:
    async with session(client, at_work("mend", "mend.swarm1")):
        page = await said("swarm", "mend")

    assert (0, True, True) == (page.code, "1 at work, 1 failed" in page.out, "is what its session knows" in page.out)


@pytest.mark.engine
async def test_a_swarm_that_is_over_is_read_from_the_store(client: Client, said: Said, data_dir: Path) -> None:
    del client  # an engine that knows nothing of it
    store = store_of(data_dir)
    await put_ended_swarm(store, "mend.swarm1", STATUSES)
    await store.create(ids.task_key("mend"), b"{}")
    agent = ids.agent_id(ids.item_task_id("mend.swarm1", "b"))
    await Transcripts(store).put_base(agent, 1, base(1))
    await put_step(store, agent, 1, 1, "b works")

    page = (await said("swarm", "mend", "--follow")).out
    table = (await said("swarm", "mend")).out
    item = (await said("swarm", "mend", "--item", "b")).out
    plan = await said("swarm", "mend", "--plan")
    written = (await said("transcript", "mend", "--item", "b")).out
    unknown = await said("transcript", "mend", "--item", "c")

    assert "swarm1: 1/2 merged, 1 failed" in page
    for text in ("branch  mend/swarm1", "critical path: 15 steps, against 25", "1 min"):
        assert text in table
    for text in ("## b: failed (stuck)", "transcript  longshift transcript mend --item b --swarm swarm1"):
        assert text in item
    assert (0, True) == (plan.code, "b  Type b\n  may write  b.py" in plan.out)
    assert "b works" in written
    assert (2, True) == (unknown.code, "--item: the store has no item 'c' of mend" in unknown.err)


@pytest.mark.engine
async def test_a_plan_is_changed_by_lines_by_a_file_or_in_an_editor(
    client: Client, said: Said, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = SwarmPlan(goal="Type all", items=(SwarmItem(id="a", goal="Type a"), SwarmItem(id="b", goal="Type b")))
    await put(store_of(data_dir), ids.plan_key("mend.swarm2", PLAN_HASH), plan)
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i "s/Type b/Type b well/" "$1"\n')
    editor.chmod(editor.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "changes").write_text("strike b\ngoal a: Type a well\n")
    asking = AgentStatus(agent=ids.agent_id("mend"), waiting=True, step=1, ask=plan_question("mend"))
    decisions = list[str]()
    for given in (["--file", "changes"], ["--edit"]):
        async with session(client, asking) as running:
            await until_state(running, SessionState.WAITING)
            monkeypatch.setenv("EDITOR", "true")
            unchanged = await said("answer", "mend", "lead-s1-swarm", "amend", "--edit")
            monkeypatch.setenv("EDITOR", str(editor))
            waiting = await said("swarm", "mend", "--plan", "--json")
            amended = await said("answer", "mend", "lead-s1-swarm", "amend", *given)
            (review,) = (await running.handle.query(Session.status)).reviews
            await running.handle.terminate()
        assert (2, True) == (unchanged.code, "--edit: nothing was changed" in unchanged.err)
        assert "Type all" == waiting.document["goal"]
        assert (0, ReviewState.DECIDED) == (amended.code, review.state), amended.err
        assert review.decision is not None
        decisions.append(review.decision.text)
    assert "strike b\ngoal a: Type a well" == decisions[0]
    assert {
        "goal": "Type all",
        "items": [{"id": "a", "goal": "Type a"}, {"id": "b", "goal": "Type b well"}],
    } == json.loads(decisions[1])


def test_a_plan_that_is_too_long_to_be_sent_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from_text = tmp_path / "long"
    from_text.write_text(json.dumps({"goal": "x" * (REVIEW_TEXT_MAX_CHARACTERS + 1), "items": []}))
    monkeypatch.setenv("EDITOR", f"cp {from_text}")

    with pytest.raises(BadInput, match=r"at most 20,000 can be sent; say what changes instead, a line each"):
        edited_plan(SwarmPlan(goal="g", items=()))


def test_options_that_exclude_each_other_are_refused(longshift: Command) -> None:
    both = longshift("swarm", "mend", "--plan", "--follow")
    empty = longshift("steer", "mend", "--item", " ", "text")
    assert [(2, True), (2, True)] == [
        (both.code, "give one of --item, --plan and --follow" in both.err),
        (empty.code, "--item: is empty" in empty.err),
    ]
