"""A session that goes on from another one begins with that one's files, and touches nothing of it."""

import random
from pathlib import Path
from typing import Any

import pytest

from longshift.adapters.store import Store, Transcripts
from longshift.contracts import ids
from longshift.contracts.checkpoints import CheckpointKind, CheckpointStart
from longshift.contracts.task import TaskSpec
from longshift.contracts.transcript import CarriedSteps, EpochBase, EpochCause
from longshift.contracts.workspace import Restoration, Workspace
from tests.adapters.workspace.hosts import TASK_ID, Host, files_of, records, task

FORK = "fork-1"
LEAD = ids.agent_id(TASK_ID)


def base(first_step: int = 1, carried: tuple[CarriedSteps, ...] = ()) -> EpochBase:
    cause = EpochCause.FORK if carried else EpochCause.OPENING
    messages = ({"role": "user", "content": [{"type": "text", "text": "task"}]},)
    return EpochBase(system="s", tools=(), messages=messages, first_step=first_step, carried=carried, cause=cause)


def fork(task_id: str = FORK, session: str = TASK_ID, **fields: Any) -> TaskSpec:
    """A task that goes on from another session."""
    start = {"session": session, **{name: fields.pop(name) for name in ("step", "shift") if name in fields}}
    return task(id=task_id, start_from=start, **fields)


def tree_of(host: Host, task_id: str) -> Path:
    return host.folder / "workspaces" / task_id / "tree"


def texts(host: Host, task_id: str) -> dict[str, str]:
    """The files of a task, hidden ones left out."""
    files = files_of(tree_of(host, task_id)).items()
    return {name: body.decode() for name, (_, body) in files if not name.startswith(".")}


def restoration(workspace: Workspace) -> Restoration:
    assert workspace.restoration is not None
    return workspace.restoration


async def step(host: Host, workspace: Workspace, number: int, agent: str = LEAD, **files: str) -> None:
    """Write files, then record a checkpoint that has to be archived."""
    for name, text in files.items():
        (Path(workspace.root) / name).write_text(text)
    assert (await host.workspaces.checkpoint(workspace, number, agent=agent)).archived


@pytest.fixture
async def source(tmp_path: Path, a: Host) -> Path:
    """A folder, and a session on it that has changed x in the steps 2, 4, … 20; the folder has changed since."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "x").write_text("0")
    (folder / ".gitignore").write_text("*.o\n")
    first = await a.prepare(task(workspace={"directory": str(folder)}, setup=("echo i > made.o",)), 1)
    await Transcripts(a.store).put_base(LEAD, 1, base())
    for number in range(2, 22, 2):
        if number in {4, 6, 12, 14}:
            (a.tree / ".blob").write_bytes(random.Random(number).randbytes(600_000))
        else:
            (a.tree / ".blob").unlink(missing_ok=True)
        await step(a, first, number, x=str(number))
    (folder / "x").write_text("changed by a person")
    return folder


def spec(source: Path, **fields: Any) -> TaskSpec:
    return fork(workspace={"directory": str(source)}, setup=("echo again > made.o",), **fields)


async def stored(store: Store) -> dict[str, bytes]:
    """All that the store has of the first session."""
    keys = [key for prefix in ("checkpoints", "agents") for key in await store.list(f"{prefix}/{TASK_ID}")]
    return {key: await store.get(key) for key in keys}


@pytest.mark.parametrize(("at", "expected"), [(20, 20), (13, 12), (12, 12), (2, 2)])
async def test_a_fork_has_the_files_of_the_newest_checkpoint_at_or_before_its_step(
    source: Path, a: Host, b: Host, at: int, expected: int
) -> None:
    kinds = [(record.step, record.kind) for record in await records(a.store)]
    assert [2, 8, 16] == [number for number, kind in kinds if kind is CheckpointKind.FULL]
    before = await stored(a.store)
    found = await b.workspaces.prepare(spec(source, step=at), 1)
    assert {"x": str(expected), "made.o": "again\n"} == texts(b, FORK)
    told = restoration(found)
    assert (expected, TASK_ID, LEAD) == (told.step, told.session, told.agent)
    assert (FORK, 1, str(tree_of(b, FORK))) == (found.workspace_id, found.generation, found.root)
    patch, _ = await b.workspaces.export(found)
    assert f"-0\n\\ No newline at end of file\n+{expected}" in patch.decode()
    assert before == await stored(a.store)


async def test_before_the_first_change_the_files_are_those_that_work_started_with(source: Path, b: Host) -> None:
    found = await b.workspaces.prepare(spec(source, step=1), 1)
    assert ("0", 0, TASK_ID) == (texts(b, FORK)["x"], restoration(found).step, restoration(found).session)
    assert b"" == (await b.workspaces.export(found))[0]


async def test_a_session_that_goes_on_from_a_note_has_the_newest_files(source: Path, b: Host) -> None:
    assert 20 == restoration(await b.workspaces.prepare(spec(source), 1)).step


async def test_a_fork_on_the_same_host_while_the_session_works_on(source: Path, a: Host) -> None:
    found = await a.workspaces.prepare(spec(source, step=6), 1)
    await step(a, found, 7, f"{FORK}/lead", y="new")
    assert {"x": "6", "y": "new", "made.o": "again\n"} == texts(a, FORK)
    assert "20" == (a.tree / "x").read_text()


async def test_a_fork_whose_host_is_lost_goes_on_from_its_own_checkpoint_or_from_the_same_one_again(
    source: Path, a: Host, b: Host, tmp_path: Path
) -> None:
    first = await b.workspaces.prepare(spec(source, step=13), 1)
    key = ids.checkpoint_start_key(FORK, 1)
    start = CheckpointStart.model_validate_json(await b.store.get(key))
    assert start.restored is not None
    assert (TASK_ID, 6) == (start.restored.session, start.restored.number)
    c = Host(tmp_path / "c", "c", b.store)
    second = await c.workspaces.prepare(spec(source, step=13), 2)
    assert (12, TASK_ID, "12") == (restoration(second).step, restoration(second).session, texts(c, FORK)["x"])
    await step(c, second, 14, f"{FORK}/lead", x="own")
    third = await a.workspaces.prepare(spec(source, step=13), 3)
    assert (14, "", f"{FORK}/lead", "own") == (
        restoration(third).step,
        restoration(third).session,
        restoration(third).agent,
        texts(a, FORK)["x"],
    )
    assert first.base_tree == second.base_tree == third.base_tree


async def test_a_fork_of_a_fork_that_changed_nothing_has_the_first_session_s_files(
    source: Path, b: Host, tmp_path: Path
) -> None:
    await b.workspaces.prepare(spec(source, step=13), 1)
    carried = (CarriedSteps(agent=LEAD, epoch=1, first_step=1, end_step=14),)
    await Transcripts(b.store).put_base(f"{FORK}/lead", 1, base(14, carried))
    c = Host(tmp_path / "c", "c", b.store)
    for at, expected in ((15, "12"), (5, "4")):
        name = f"fork-at-{at}"
        await c.workspaces.prepare(fork(name, FORK, step=at, workspace={"directory": str(source)}), 1)
        assert expected == texts(c, name)["x"]


async def test_a_damaged_checkpoint_is_passed_over_and_told(source: Path, b: Host, tmp_path: Path) -> None:
    damaged = next(record for record in await records(b.store) if record.step == 12)
    key = ids.bundle_key(TASK_ID, 1, damaged.number, damaged.bundle_sha256)
    store = Store(b.store._objects)  # pyright: ignore[reportPrivateUsage]  # nothing of it is in memory there
    await store._objects.put_async(key, b"rubbish", mode="overwrite")  # pyright: ignore[reportPrivateUsage]  # the store itself never does
    c = Host(tmp_path / "c", "c", store)
    found = restoration(await c.workspaces.prepare(spec(source, step=13), 1))
    assert (10, True) == (found.step, "A newer checkpoint could not be used" in found.remarks[0])


async def test_steps_of_an_earlier_shift_come_before_those_of_a_later_one(a: Host, b: Host) -> None:
    first = await a.prepare(task(), 1)
    second_shift = ids.agent_id(TASK_ID, shift=2)
    for agent in (LEAD, second_shift):
        await Transcripts(a.store).put_base(agent, 1, base())
    await step(a, first, 3, x="first shift, 3")
    await step(a, first, 9, x="first shift, 9")
    await step(a, first, 4, second_shift, x="second shift, 4")
    starts: list[tuple[str, dict[str, Any], str]] = [
        ("one", {"step": 5}, "first shift, 3"),
        ("two", {"step": 3, "shift": 2}, "first shift, 9"),
        ("three", {"step": 4, "shift": 2}, "second shift, 4"),
    ]
    for name, at, expected in starts:
        await b.workspaces.prepare(fork(name, **at), 1)
        assert {"x": expected} == texts(b, name)


async def test_without_any_checkpoint_the_files_are_those_of_the_source(a: Host, b: Host, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x").write_text("0")
    await a.prepare(task(workspace={"directory": str(tmp_path / "folder")}), 1)
    await Transcripts(a.store).put_base(LEAD, 1, base())
    found = await b.workspaces.prepare(fork(step=3, workspace={"directory": str(tmp_path / "folder")}), 1)
    assert ({"x": "0"}, 0, True) == (
        texts(b, FORK),
        restoration(found).step,
        "There was no checkpoint" in restoration(found).remarks[0],
    )
