"""Files go back to those after an earlier step: here, on another host, and from wherever an attempt was cut off."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from longshift.adapters.process.run_state import Running
from longshift.adapters.store import Transcripts
from longshift.contracts import ids
from longshift.contracts.errors import StaleGeneration, StoreUnavailable
from longshift.contracts.transcript import EpochBase
from tests.adapters.workspace.hosts import TASK_ID, FailingStore, Fuse, Host, Killed, files_of, records, restored, task

Git = Callable[..., str]
AGENT = f"{TASK_ID}/lead"


async def test_files_are_those_after_the_step_and_later_ones_are_gone(a: Host, repository: Path) -> None:
    place = await a.prepare(task(workspace={"git": str(repository)}), 1)
    beginning = files_of(a.tree)
    await a.step(place, 1, new="1", gone="x")
    first = files_of(a.tree)
    await a.step(place, 2, new="2", gone=None, later="2")
    (a.tree / "build").mkdir()
    (a.tree / "build" / "out.o").write_text("ignored")
    told = await a.workspaces.roll_back(place, AGENT, 2, 1)
    left = files_of(a.tree)
    assert ("file", b"ignored") == left.pop("build/out.o")
    assert first == left
    assert (1, 2, 1, True, ()) == (
        told.recorded_step,
        told.checkpoint.step,
        told.checkpoint.back_to_step,
        told.checkpoint.archived,
        told.remarks,
    )
    assert ("gone", "new") == told.checkpoint.changed_files
    await a.workspaces.roll_back(place, AGENT, 2, 0)
    left = files_of(a.tree)
    del left["build/out.o"]
    assert beginning == left


async def test_an_empty_beginning_can_be_gone_back_to(a: Host) -> None:
    place = await a.prepare(task(), 1)
    await a.step(place, 1, x="1")
    await a.workspaces.roll_back(place, AGENT, 1, 0)
    assert {} == files_of(a.tree)
    assert 1 == (await a.workspaces.roll_back(place, AGENT, 1, 1)).recorded_step
    assert {"x": ("file", b"1")} == files_of(a.tree)


async def test_a_step_without_a_change_has_the_files_of_the_one_before(a: Host) -> None:
    place = await a.prepare(task(), 1)
    assert 0 == (await a.workspaces.roll_back(place, AGENT, 3, 2)).recorded_step
    await a.step(place, 4, x="4")
    await a.step(place, 8, x="8")
    assert 4 == (await a.workspaces.roll_back(place, AGENT, 9, 7)).recorded_step
    assert {"x": ("file", b"4")} == files_of(a.tree)


async def test_a_rollback_can_be_undone_and_done_again(a: Host) -> None:
    place = await a.prepare(task(), 1)
    for step in (1, 2, 3):
        await a.step(place, step, x=str(step))
    for to_step in (1, 3, 2, 3, 1):
        await a.workspaces.roll_back(place, AGENT, 3, to_step)
        assert {"x": ("file", str(to_step).encode())} == files_of(a.tree)
    await a.step(place, 5, x="5")
    for to_step, text in ((4, b"1"), (3, b"3"), (5, b"5")):
        await a.workspaces.roll_back(place, AGENT, 5, to_step)
        assert {"x": ("file", text)} == files_of(a.tree)


async def test_the_users_repository_is_not_touched(a: Host, repository: Path, git: Git) -> None:
    place = await a.prepare(task(workspace={"directory": str(repository)}), 1)
    before = files_of(repository)
    await a.step(place, 1, x="1")
    git(a.tree, "add", "--all")
    git(a.tree, "commit", "--quiet", "--message", "the agent's own")
    head = git(a.tree, "rev-parse", "HEAD")
    await a.workspaces.roll_back(place, AGENT, 1, 0)
    assert (before, head) == (files_of(repository), git(a.tree, "rev-parse", "HEAD"))


async def test_what_the_agent_left_running_is_ended(a: Host) -> None:
    place = await a.prepare(task(), 1)
    await a.step(place, 1, x="1")
    key = f"{AGENT}/s000002-000"
    job = a.workspaces.shell(place, "while true; do date > x; sleep 0.05; done", background=True)
    assert isinstance(await a.runner.start(key, job), Running)
    async with asyncio.timeout(20):
        while (a.tree / "x").read_text() == "1":  # noqa: ASYNC110  # a file of another process
            await asyncio.sleep(0.05)
    await a.workspaces.roll_back(place, AGENT, 2, 1)
    assert not isinstance(a.runner.state(key), Running)
    assert {"x": ("file", b"1")} == files_of(a.tree)


async def test_another_host_goes_on_with_the_files_that_were_gone_back_to(a: Host, b: Host) -> None:
    first = await a.prepare(task(), 1)
    await a.step(first, 1, x="1")
    await a.step(first, 2, x="2", y="2")
    told = await a.workspaces.roll_back(first, AGENT, 2, 1)
    second = await b.prepare(task(), 2)
    assert {"x": ("file", b"1")} == files_of(b.tree)
    assert second.restoration is not None
    assert ((2, 1), told.checkpoint.tree_hash) == (restored(second.restoration), second.restoration.tree_hash)


async def worked(host: Host) -> None:
    """A hundred steps, every second of which changed something; the chain in the store is rooted anew on its way."""
    place = await host.prepare(task(), 1)
    for step in range(1, 100, 2):
        await host.step(place, step, x=str(step))


async def test_another_host_fetches_what_it_has_not_got(a: Host, b: Host, store: FailingStore) -> None:
    await worked(a)
    assert [1, 42] == [record.number for record in await records(store) if record.builds_on is None]
    second = await b.prepare(task(), 2)
    for to_step, recorded in ((3, 3), (40, 39), (99, 99), (83, 83), (84, 83), (0, 0), (64, 63)):
        told = await b.workspaces.roll_back(second, AGENT, 100, to_step)
        assert (recorded, ()) == (told.recorded_step, told.remarks)
        assert ({"x": ("file", str(recorded).encode())} if recorded else {}) == files_of(b.tree)


async def test_a_checkpoint_that_is_damaged_is_passed_over_and_that_is_said(
    a: Host, tmp_path: Path, store: FailingStore
) -> None:
    await worked(a)
    third = (await records(store))[2]
    missing = ids.bundle_key(TASK_ID, 1, 3, third.bundle_sha256)
    copy = FailingStore(MemoryStore())
    for key in await store.list(""):
        if key != missing:
            await copy.create(key, await store.get(key))
    b = Host(tmp_path / "b", "b", copy)
    told = await b.workspaces.roll_back(await b.prepare(task(), 2), AGENT, 100, 6)
    assert {"x": ("file", b"3")} == files_of(b.tree)
    assert (3, ("the bundle of checkpoint 3 of slot 1 is missing",)) == (told.recorded_step, told.remarks)


async def test_it_is_over_only_when_the_store_has_it(a: Host, b: Host, store: FailingStore) -> None:
    first = await a.prepare(task(), 1)
    await a.step(first, 1, x="1")
    await a.step(first, 2, x="2")
    store.is_down = True
    with pytest.raises(StoreUnavailable):
        await a.workspaces.roll_back(first, AGENT, 2, 1)
    assert {"x": ("file", b"1")} == files_of(a.tree)
    store.is_down = False
    assert (await a.workspaces.roll_back(first, AGENT, 2, 1)).checkpoint.archived
    await b.prepare(task(), 2)
    assert {"x": ("file", b"1")} == files_of(b.tree)


async def test_an_older_slot_undoes_nothing(a: Host) -> None:
    first = await a.prepare(task(), 1)
    await a.step(first, 1, x="1")
    await a.prepare(task(), 2)
    with pytest.raises(StaleGeneration):
        await a.workspaces.roll_back(first, AGENT, 1, 0)
    assert {"x": ("file", b"1")} == files_of(a.tree)


async def test_the_beginning_of_a_later_shift_is_what_the_one_before_it_left(a: Host) -> None:
    """Each agent counts its steps from 1."""
    first = await a.prepare(task(), 1)
    for agent, steps in ((AGENT, (1, 2, 3)), (f"{AGENT}-2", (2, 4))):
        for step in steps:
            a.edit(x=f"{agent} {step}")
            await a.workspaces.checkpoint(first, step, agent)
    for to_step, text in ((4, f"{AGENT}-2 4"), (3, f"{AGENT}-2 2"), (1, f"{AGENT} 3"), (0, f"{AGENT} 3")):
        told = await a.workspaces.roll_back(first, f"{AGENT}-2", 5, to_step)
        assert {"x": ("file", text.encode())} == files_of(a.tree)
        assert (0 if to_step < 2 else int(text[-1])) == told.recorded_step


@pytest.mark.parametrize("steps", [1, 50], ids=["here", "fetched"])
async def test_the_beginning_of_a_fork_is_what_it_was_made_from(
    a: Host, b: Host, store: FailingStore, steps: int
) -> None:
    base = EpochBase(system="s", tools=(), messages=(), first_step=1)
    await Transcripts(store).put_base(AGENT, 1, base)
    source = await a.prepare(task(), 1)
    for step in range(1, 6):
        a.edit(x=str(step))
        await a.workspaces.checkpoint(source, step, AGENT)
    told = await a.workspaces.roll_back(source, AGENT, 5, 2)
    assert told.checkpoint.archived
    spec = task(id="fork-1", start_from={"session": TASK_ID, "step": 5})
    place, tree = await b.workspaces.prepare(spec, 1), b.folder / "workspaces" / "fork-1" / "tree"
    assert {"x": ("file", b"5")} == files_of(tree)
    for step in range(6, 6 + steps):
        (tree / "x").write_text(f"fork {step}")
        await b.workspaces.checkpoint(place, step, "fork-1/lead")
    if steps > 1:
        host = Host(b.folder.parent / "c", "c", store)
        place, tree = await host.workspaces.prepare(spec, 2), host.folder / "workspaces" / "fork-1" / "tree"
    else:
        host = b
    await host.workspaces.roll_back(place, "fork-1/lead", 5 + steps, 5)
    assert {"x": ("file", b"5")} == files_of(tree)


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("what", ["git", "store"])
async def test_a_worker_may_die_at_any_call(tmp_path: Path, what: str, *, is_after: bool) -> None:
    """Wherever it is cut off, once more makes it whole, here and for another host."""
    burns_at, is_intact = 0, False
    while not is_intact:
        burns_at += 1
        folder = tmp_path / str(burns_at)
        store, fuse = FailingStore(MemoryStore()), Fuse(burns_at, is_after)
        a, b = Host(folder / "a", "a", store), Host(folder / "b", "b", store)
        place = await a.prepare(task(), 1)
        await a.step(place, 1, x="1", y="1")
        await a.step(place, 2, x="2", y=None, z="2")
        if what == "git":
            dying = Host(a.folder, "a", store, run=fuse.run_git)
        else:
            dying, store.fuse = Host(a.folder, "a", store), fuse
        try:
            await dying.workspaces.roll_back(place, AGENT, 2, 1)
        except Killed:
            a.restart()
            await a.workspaces.roll_back(place, AGENT, 2, 1)
        is_intact, store.fuse = fuse.is_intact, Fuse(0)
        assert {"x": ("file", b"1"), "y": ("file", b"1")} == files_of(a.tree)
        await b.prepare(task(), 2)
        assert files_of(a.tree) == files_of(b.tree)
    assert burns_at > 3
