"""What the store gets of each checkpoint, and what a host makes of it when some of it is damaged or missing."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from longshift.adapters.store import Store
from longshift.contracts import ids
from longshift.contracts.checkpoints import CheckpointKind, CheckpointRecord
from longshift.contracts.errors import WorkspaceFailed
from tests.adapters.workspace.hosts import TASK_ID, FailingStore, Fuse, Host, Killed, files_of, records, restored, task

Git = Callable[..., str]


async def damaged(store: Store, record: CheckpointRecord, how: str) -> Store:
    """A copy of a store in which one bundle is damaged or missing."""
    key = ids.bundle_key(TASK_ID, record.generation, record.number, record.bundle_sha256)
    copy = FailingStore(MemoryStore())
    for each in await store.list(""):
        body = await store.get(each)
        if each == key and how == "missing":
            continue
        if each == key:
            body = body[:-30] + b"\0" * 30 if how == "changed" else body[:-30]
        await copy.create(each, body)
    return copy


async def test_nothing_is_stored_before_the_first_checkpoint_and_nothing_for_no_change(a: Host) -> None:
    workspace = await a.prepare(task(), 1)
    assert [] == await a.store.list("checkpoints")
    await a.step(workspace, 1)
    await a.step(workspace, 2, new="x")
    keys = await a.store.list("checkpoints")
    await a.step(workspace, 3)
    assert keys == await a.store.list("checkpoints")
    found = await records(a.store)
    assert [(1, CheckpointKind.FULL), (2, CheckpointKind.INCREMENTAL)] == [(each.step, each.kind) for each in found]
    assert [None, found[0].place] == [each.builds_on for each in found]


async def test_a_hundred_checkpoints_are_a_full_one_and_what_follows_it(a: Host, b: Host, tmp_path: Path) -> None:
    workspace = await a.prepare(task(), 1)
    for step in range(1, 101):
        await a.step(workspace, step, **{f"f{step % 7}": str(step)})
    found = await records(a.store)
    assert [1, 42, 83] == [each.number for each in found if each.kind is CheckpointKind.FULL]
    assert 17 == found[-1].incremental_count
    lines: list[str] = []
    second = await b.workspaces.prepare(task(), 2, lines.append)
    assert "fetching checkpoints: 18 of 18" in lines
    assert files_of(a.tree) == files_of(b.tree)
    await b.step(second, 101, more="x")
    assert (2, 101, CheckpointKind.INCREMENTAL) == (
        (last := (await records(a.store))[-1]).generation,
        last.number,
        last.kind,
    )
    assert found[-1].place == last.builds_on
    c = Host(tmp_path / "c", "c", await damaged(a.store, found[82], "changed"))
    assert (82, 1) == restored((await c.prepare(task(), 3)).restoration)


async def test_checkpoints_go_on_where_a_restarted_worker_finds_them(a: Host, b: Host) -> None:
    workspace = await a.prepare(task(), 1)
    await a.step(workspace, 1, x="1")
    a.restart()
    await a.step(workspace, 2, x="2")
    a.restart()
    workspace = await a.prepare(task(), 2)
    assert workspace.restoration is None
    await a.step(workspace, 3, x="3")
    found = await records(a.store)
    assert [(1, 1), (1, 2), (2, 3)] == [(each.generation, each.number) for each in found]
    assert CheckpointKind.INCREMENTAL == found[-1].kind
    assert (3, 2) == restored((await b.prepare(task(), 3)).restoration)
    assert files_of(a.tree) == files_of(b.tree)


async def test_a_store_that_is_down_for_some_steps_is_caught_up_with(a: Host, b: Host, store: FailingStore) -> None:
    workspace = await a.prepare(task(), 1)
    await a.step(workspace, 1, x="1")
    store.is_down = True
    for step in (2, 3):
        a.edit(x=str(step), **{f"only-{step}": "x"})
        digest = await a.workspaces.checkpoint(workspace, step)
        assert (False, True) == (digest.archived, digest.changed_count > 0)
    store.is_down = False
    await a.step(workspace, 4, x="4")
    found = await records(store)
    assert [1, 4] == [each.step for each in found]
    await b.prepare(task(), 2)
    assert files_of(a.tree) == files_of(b.tree)


async def test_a_store_that_is_down_from_the_start_holds_up_nothing(a: Host, b: Host, store: FailingStore) -> None:
    workspace = await a.prepare(task(), 1)
    store.is_down = True
    a.edit(x="1")
    assert not (await a.workspaces.checkpoint(workspace, 1)).archived
    store.is_down = False
    await a.step(workspace, 2)
    assert (2, 1) == restored((await b.prepare(task(), 2)).restoration)


@pytest.mark.parametrize("how", ["changed", "cut", "missing"])
async def test_a_damaged_bundle_is_passed_over_and_named(a: Host, tmp_path: Path, how: str) -> None:
    workspace = await a.prepare(task(), 1)
    for step in (1, 2, 3, 4):
        await a.step(workspace, step, x=str(step))
    copy = await damaged(a.store, (await records(a.store))[2], how)
    b = Host(tmp_path / "b", "b", copy)
    second = await b.prepare(task(), 2)
    assert (2, 1) == restored(second.restoration)
    assert "2" == (b.tree / "x").read_text()
    assert second.restoration is not None
    remark = f"the bundle of checkpoint 3 of slot 1 is {'missing' if how == 'missing' else 'damaged'}."
    assert f"A newer checkpoint could not be used: {remark}" == second.restoration.remarks[0]
    assert 1 == sum("could not be used" in each for each in second.restoration.remarks)
    await b.step(second, 3, x="again")
    c = Host(tmp_path / "c", "c", copy)
    assert (3, 2) == restored((await c.prepare(task(), 3)).restoration)
    assert files_of(b.tree) == files_of(c.tree)


async def test_without_a_sound_checkpoint_work_starts_from_the_source(a: Host, tmp_path: Path) -> None:
    workspace = await a.prepare(task(), 1)
    await a.step(workspace, 1, x="1")
    b = Host(tmp_path / "b", "b", await damaged(a.store, (await records(a.store))[0], "missing"))
    second = await b.prepare(task(), 2)
    assert (0, 0) == restored(second.restoration)
    assert second.restoration is not None
    assert "A checkpoint could not be used: the bundle of checkpoint 1" in second.restoration.remarks[0]
    assert {} == files_of(b.tree)


async def test_files_that_git_would_complain_about_are_restored(a: Host, b: Host) -> None:
    first = await a.prepare(task(), 1)
    (a.tree / ".gitmodules").write_text('[submodule "../../x"]\n\tpath = -u\n\turl = -u./x\n')
    (a.tree / ".gitattributes").write_text("x" * 4_000 + " filter=evil\n")
    (a.tree / "git~1").write_text("x")
    (a.tree / "inward").symlink_to(".git/config")
    await a.step(first, 1)
    await b.prepare(task(), 2)
    assert files_of(a.tree) == files_of(b.tree)


async def test_a_bundle_is_one_that_git_can_clone(a: Host, tmp_path: Path, git: Git) -> None:
    first = await a.prepare(task(), 1)
    await a.step(first, 1, x="1")
    [record] = await records(a.store)
    key = ids.bundle_key(TASK_ID, 1, 1, record.bundle_sha256)
    (tmp_path / "one.bundle").write_bytes(await a.store.get(key))
    git(tmp_path, "clone", "--quiet", "--branch", "checkpoints", "one.bundle", "copy")
    assert "1" == (tmp_path / "copy" / "x").read_text()


async def test_a_checkpoint_that_was_stored_by_a_call_that_failed_is_gone_on_from(
    a: Host, b: Host, store: FailingStore
) -> None:
    first = await a.prepare(task(), 1)
    await a.step(first, 1, x="1")
    a.edit(x="2")
    store.fuse = Fuse(2, is_after=True)  # the bundle, then the record
    with pytest.raises(Killed):
        await a.workspaces.checkpoint(first, 2)
    store.fuse = Fuse(0)
    await a.step(first, 3, x="3")
    assert [(1, 1), (2, 2), (3, 3)] == [(each.number, each.step) for each in await records(store)]
    await b.prepare(task(), 2)
    assert files_of(a.tree) == files_of(b.tree)


async def test_a_damaged_record_is_passed_over(a: Host, b: Host) -> None:
    first = await a.prepare(task(), 1)
    await a.step(first, 1, x="1")
    await a.store.create(ids.checkpoint_key(TASK_ID, 1, 2), b"no record")
    await a.step(first, 2, x="2")
    await a.store.create(ids.checkpoint_key(TASK_ID, 1, 4), b"no record")
    restoration = (await b.prepare(task(), 2)).restoration
    assert (2, 1) == restored(restoration)
    assert restoration is not None
    assert "record 4 of slot 1 is damaged" in restoration.remarks[0]


async def test_a_record_of_another_host_under_the_same_slot_is_never_built_on(a: Host, b: Host) -> None:
    first, other = await a.prepare(task(), 1), await b.prepare(task(), 1)
    await a.step(first, 1, x="1")
    b.edit(x="other")
    assert not (await b.workspaces.checkpoint(other, 1)).archived
    assert ["a"] == [each.workspace.host_id for each in await records(a.store)]
    assert (1, 1) == restored((await b.prepare(task(), 2)).restoration)


async def test_a_damaged_start_is_named(a: Host, b: Host, tmp_path: Path) -> None:
    await a.prepare(task(), 1)
    await a.store.create(ids.checkpoint_start_key(TASK_ID, 2), b"{")
    with pytest.raises(WorkspaceFailed, match="what slot 2 started from"):
        await b.prepare(task(), 3)


async def test_a_large_bundle_is_stored_in_parts(a: Host, tmp_path: Path, store: FailingStore) -> None:
    a.part_bytes = 1_000
    a.restart()
    first = await a.prepare(task(), 1)
    (a.tree / "noise.bin").write_bytes(os.urandom(3_500))
    await a.step(first, 1)
    [record] = await records(store)
    assert 4 == record.bundle_parts
    b = Host(tmp_path / "b", "b", store)
    await b.prepare(task(), 2)
    assert files_of(a.tree) == files_of(b.tree)
