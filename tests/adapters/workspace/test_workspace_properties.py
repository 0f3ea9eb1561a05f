"""Whatever is done to the files, and whenever a session moves, the next host has what was recorded last."""

import asyncio
import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from obstore.store import MemoryStore

from tests.adapters.workspace.hosts import FailingStore, Host, files_of, task

NAMES = st.sampled_from(["a", "b", "d/a", "d/e/ü", "d", ".gitignore", "x.o"])
EDITS = st.one_of(
    st.tuples(st.just("write"), NAMES, st.binary(max_size=30)),
    st.tuples(st.just("link"), NAMES, st.sampled_from([b"a", b"d", b"/nowhere"])),
    st.tuples(st.just("program"), NAMES, st.binary(max_size=5)),
    st.tuples(st.just("remove"), NAMES, st.just(b"")),
)
STEPS = st.lists(
    st.tuples(st.lists(EDITS, max_size=4), st.sampled_from(["record", "record", "record offline", "move", "restart"])),
    min_size=2,
    max_size=8,
)


def edit(tree: Path, kind: str, name: str, body: bytes) -> None:
    """Put something in the place of whatever is there."""
    path = tree / name
    for parent in reversed(path.relative_to(tree).parents):
        place = tree / parent
        if place.is_symlink() or place.is_file():
            place.unlink()
        if kind != "remove":
            place.mkdir(exist_ok=True)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink()
    if kind == "link":
        path.symlink_to(os.fsdecode(body))
    elif kind != "remove":
        path.write_bytes(b"*.o\n" if name == ".gitignore" else body)
        path.chmod(0o755 if kind == "program" else 0o644)


def name_of(key: str) -> str:
    """The file name that stands behind a key of `files_of`."""
    return os.fsdecode(key.encode("latin-1"))


async def play(folder: Path, steps: list[tuple[list[tuple[str, str, bytes]], str]]) -> None:
    """Two hosts take turns; what is recorded is what the next one has to find."""
    store = FailingStore(MemoryStore())
    hosts = [Host(folder / name, name, store) for name in ("a", "b")]
    generation = 1
    workspace = await hosts[0].prepare(task(), generation)
    recorded: str = workspace.base_tree
    files: dict[str, tuple[str, bytes]] = {}
    for number, (edits, what) in enumerate(steps, 1):
        host = hosts[0]
        for each in edits:
            edit(host.tree, *each)
        if what == "restart":
            host.restart()
        elif what == "move":
            hosts.reverse()
            generation += 1
            workspace = await hosts[0].prepare(task(), generation)
            assert recorded == await hosts[0].workspaces.shadow(workspace).tree_hash()
            assert files == files_of(hosts[0].tree)
            continue
        store.is_down = what == "record offline"
        digest = await host.workspaces.checkpoint(workspace, number)
        store.is_down = False
        if digest.archived:
            recorded = digest.tree_hash
            covered = await host.workspaces.shadow(workspace).sizes(recorded)
            files = {name: each for name, each in files_of(host.tree).items() if name_of(name) in covered}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_a_move_brings_what_was_recorded_last(steps: list[tuple[list[tuple[str, str, bytes]], str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder), steps))
