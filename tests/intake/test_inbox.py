"""The inbox with real files: what is whole is submitted and put away, and nothing is overwritten or lost."""

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from longshift.intake.acceptance import Acceptance
from longshift.intake.inbox import Inbox
from longshift.intake.inbox_files import SETTLED_SECONDS, InboxFiles, Seen
from longshift.intake.standing import Outcome, Standing, State
from longshift.settings import Settings
from tests.intake.intake_rig import EngineServer, RunningEngine

MARKDOWN = "---\ntitle: Mend\n---\nMend it.\n"


@asynccontextmanager
async def watching(engine: RunningEngine, folder: Path) -> AsyncGenerator[Standing]:
    """The inbox at work for the time of the block."""
    standing, stopped = Standing("inbox"), asyncio.Event()
    acceptance = Acceptance(engine.client, Settings(data_dir=folder.parent))
    task = asyncio.create_task(Inbox(folder, acceptance, standing).run(stopped))
    try:
        yield standing
    finally:
        stopped.set()
        await task


async def until(is_so: Callable[[], bool]) -> None:
    """The disk decides when: there is no event to wait for."""
    while not is_so():  # noqa: ASYNC110
        await asyncio.sleep(0.05)


def tree(folder: Path) -> dict[str, str]:
    """Every file with what it holds."""
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.mark.engine
@pytest.mark.asyncio(loop_scope="session")
class TestWithAnEngine:
    async def test_task_files_of_every_kind_are_submitted_and_put_away(
        self, server: RunningEngine, inbox: Path
    ) -> None:
        source = inbox.parent / "source"
        source.mkdir()
        given = {
            "kind-a.md": "# Kind A\n\nDo it.\n",
            "kind-b.markdown": "# Kind B\n\nDo it.\n",
            "kind-c.yaml": "title: Kind C\ninstructions: Do it.\n",
            "kind-d.yml": f"title: Kind D\ninstructions: Do it.\nworkspace: {{directory: {source}}}\n",
            "kind-e.JSON": '{"title": "Kind E", "instructions": "Do it."}',
        }
        for name, text in given.items():
            (inbox / name).write_text(text)
        async with watching(server, inbox) as standing:
            await until(lambda: standing.counts[Outcome.ACCEPTED] == len(given))
        found = tree(inbox)
        receipts = [json.loads(found.pop(f"done/{name}.json")) for name in given]
        assert {f"done/{name}": text for name, text in given.items()} == found
        assert sorted(f"session/{each['task_id']}" for each in receipts) == await server.sessions("kind-")

    async def test_a_file_that_is_no_task_lies_beside_the_whole_reason(
        self, server: RunningEngine, inbox: Path
    ) -> None:
        given = {
            "empty.md": ("", "instructions"),
            "relative.yaml": ("title: R\ninstructions: x\nworkspace: {directory: src}\n", "give an absolute one"),
            "nowhere.yaml": (f"title: N\ninstructions: x\nworkspace: {{directory: {inbox}/no}}\n", "does not exist"),
            "typo.json": ('{"title": "T", "instruction": "x"}', "instruction"),
        }
        for name, (text, _) in given.items():
            (inbox / name).write_text(text)
        async with watching(server, inbox) as standing:
            await until(lambda: standing.counts[Outcome.REFUSED] == len(given))
        found = tree(inbox)
        for name, (text, told) in given.items():
            assert (text, True) == (found.pop(f"failed/{name}"), told in found.pop(f"failed/{name}.error.txt")), name
        assert {} == found

    async def test_the_same_file_again_is_the_same_session_and_overwrites_nothing(
        self, server: RunningEngine, inbox: Path
    ) -> None:
        async with watching(server, inbox) as standing:
            (inbox / "again.md").write_text(MARKDOWN)
            await until(lambda: standing.counts[Outcome.ACCEPTED] == 1)
            (inbox / "again.md").write_text(MARKDOWN)
            await until(lambda: standing.counts[Outcome.KNOWN] == 1)
        found = tree(inbox)
        first, second = json.loads(found["done/again.md.json"]), json.loads(found["done/again-2.md.json"])
        assert (MARKDOWN, MARKDOWN) == (found["done/again.md"], found["done/again-2.md"])
        assert (True, False, first["task_id"]) == (first["is_new"], second["is_new"], second["task_id"])

    async def test_a_task_under_the_id_of_another_has_failed(self, server: RunningEngine, inbox: Path) -> None:
        async with watching(server, inbox) as standing:
            (inbox / "one.md").write_text("---\nid: inbox-own\n---\nOne.\n")
            await until(lambda: standing.counts[Outcome.ACCEPTED] == 1)
            (inbox / "two.md").write_text("---\nid: inbox-own\n---\nTwo.\n")
            await until(lambda: standing.counts[Outcome.REFUSED] == 1)
        assert "'inbox-own' belongs to another task" in (inbox / "failed" / "two.md.error.txt").read_text()


@pytest.mark.engine
@pytest.mark.slow
async def test_while_the_engine_is_away_files_stay_where_they_are(tmp_path: Path, inbox: Path) -> None:
    engine = await EngineServer.started(tmp_path / "engine")
    try:
        async with watching(engine, inbox) as standing:
            await until(lambda: standing.state is State.WORKING)
            await engine.stop()
            (inbox / "later.md").write_text(MARKDOWN)
            await until(lambda: standing.state is State.ENGINE_AWAY)
            assert {"later.md": MARKDOWN} == tree(inbox)
            await engine.start_again()
            await until(lambda: standing.counts[Outcome.ACCEPTED] == 1)
        assert {"done/later.md", "done/later.md.json"} == set(tree(inbox))
    finally:
        await engine.stop()


async def settled(files: InboxFiles) -> list[str]:
    """What is whole after the time in which a writer would have shown itself."""
    files.settled()
    await asyncio.sleep(SETTLED_SECONDS + 0.1)
    return [path.name for path in files.settled()]


async def test_only_whole_regular_task_files_are_taken(inbox: Path) -> None:
    for name in (".hidden.md", "a.md.part", "b.tmp", "c.md~", "notes.txt", "whole.md"):
        (inbox / name).write_text(MARKDOWN)
    (inbox / "link.md").symlink_to(inbox / "notes.txt")
    (inbox / "folder.md").mkdir()
    os.mkfifo(inbox / "pipe.md")
    before = tree(inbox)
    assert ["whole.md"] == await settled(InboxFiles(inbox))
    assert before == tree(inbox)


async def test_a_file_that_still_grows_is_left_alone(inbox: Path) -> None:
    files, path = InboxFiles(inbox), inbox / "grows.md"
    path.write_text("one")
    assert ["grows.md"] == await settled(files)
    with path.open("a") as file:
        file.write("two")
    assert [] == files.settled()
    assert (["grows.md"], b"onetwo") == (await settled(files), (files.read(path) or (None, b""))[1])


async def test_a_file_that_changes_between_look_and_read_is_not_read(inbox: Path) -> None:
    files, path = InboxFiles(inbox), inbox / "changes.md"
    path.write_text("one")
    await settled(files)
    path.write_text("another")
    assert None is files.read(path)
    path.unlink()
    path.symlink_to(inbox / "elsewhere")
    with pytest.raises(OSError, match="symbolic"):
        files.read(path)


def test_a_newer_file_of_the_same_name_is_not_put_away_for_the_older(inbox: Path) -> None:
    files, path = InboxFiles(inbox), inbox / "name.md"
    files.settled()
    path.write_text("one")
    seen = Seen.of(path.lstat())
    (inbox / "new").write_text("two")
    (inbox / "new").replace(path)
    assert None is files.put_away(path, seen, "done", ".json", "{}")
    assert {"name.md": "two"} == tree(inbox)


def test_neither_a_file_nor_its_remark_is_overwritten(inbox: Path) -> None:
    files, path = InboxFiles(inbox), inbox / "name.md"
    files.settled()
    (inbox / "done" / "name.md.json").write_text("somebody's task")
    (inbox / "done" / "name-2.md").write_text("somebody's too")
    path.write_text("mine")
    assert inbox / "done" / "name-3.md" == files.put_away(path, Seen.of(path.lstat()), "done", ".json", "receipt")
    assert {
        "done/name.md.json": "somebody's task",
        "done/name-2.md": "somebody's too",
        "done/name-3.md": "mine",
        "done/name-3.md.json": "receipt",
    } == tree(inbox)
