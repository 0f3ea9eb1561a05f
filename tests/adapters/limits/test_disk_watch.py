"""Folders are measured only when space was lost; who grows is ended, who is large or removes files is not."""

import asyncio
import os
from pathlib import Path

from longshift.adapters.limits.disk_watch import DiskWatch, FreeSpace, folder_bytes, free_space

FLOOR = 1_000_000_000
LIMIT = 5_000_000_000


class Disk:
    """An imagined disk: what is free, and how large the folders are."""

    def __init__(self) -> None:
        self.free = FreeSpace(100 * FLOOR, 1_000_000, 2_000_000)
        self.sizes: dict[str, int | None] = {}
        self.measured: list[str] = []
        self.watch = DiskWatch(Path("/workspaces"), LIMIT, FLOOR, free=lambda _: self.free, measure=self._measure)

    async def _measure(self, folder: Path) -> int | None:
        self.measured.append(folder.name)
        return self.sizes.get(folder.name, 0)

    async def look(self, *sessions: str, lost_bytes: int = 0, lost_inodes: int = 0) -> dict[str, str]:
        inodes = None if self.free.inodes is None else self.free.inodes - lost_inodes
        self.free = FreeSpace(self.free.space_bytes - lost_bytes, inodes, self.free.all_inodes)
        self.measured.clear()
        return await self.watch.look(sessions)


async def test_folders_are_measured_only_when_space_was_lost() -> None:
    disk = Disk()
    assert ({}, ["a"]) == (await disk.look("a"), disk.measured)
    assert ({}, []) == (await disk.look("a", lost_bytes=1_000), disk.measured)
    assert ({}, ["a"]) == (await disk.look("a", lost_bytes=FLOOR), disk.measured)
    assert ({}, []) == (await disk.look("a"), disk.measured)
    assert ({}, ["a"]) == (await disk.look("a", lost_inodes=5_000), disk.measured)


async def test_what_was_freed_meanwhile_and_is_filled_again_is_seen() -> None:
    disk = Disk()
    await disk.look("a")
    await disk.look("a", lost_bytes=-10 * FLOOR)
    await disk.look("a", lost_bytes=10 * FLOOR)
    assert ["a"] == disk.measured


async def test_a_session_that_grows_beyond_its_limit_is_told_by_how_much() -> None:
    disk = Disk()
    await disk.look("a", "b")
    disk.sizes = {"a": LIMIT + 100_000_000, "b": LIMIT - 1}
    assert {
        "a": "the session's files have grown to 5.1 GB, the limit is 5 GB; remove some before going on"
    } == await disk.look("a", "b", lost_bytes=FLOOR)


async def test_a_session_beyond_its_limit_may_remove_files() -> None:
    disk = Disk()
    disk.sizes = {"a": LIMIT + 2_000}
    assert {} == await disk.look("a")
    disk.sizes = {"a": LIMIT + 1_000}
    assert {} == await disk.look("a", lost_bytes=FLOOR)
    disk.sizes = {"a": LIMIT + 1_001}
    assert ["a"] == list(await disk.look("a", lost_bytes=FLOOR))


async def test_below_the_floor_the_one_that_grows_most_is_ended() -> None:
    disk = Disk()
    disk.sizes = {"large": 4_000_000_000, "fast": 0, "slow": 0}
    await disk.look("large", "fast", "slow")
    disk.sizes |= {"fast": 900_000_000, "slow": 800_000_000}
    found = await disk.look("large", "fast", "slow", lost_bytes=100 * FLOOR - 1)
    assert {
        "fast": "the host's disk is nearly full (0 KB free, the floor is 1 GB), and this session's files were growing;"
        " remove what is not needed"
    } == found


async def test_below_the_floor_nobody_is_ended_who_does_not_grow() -> None:
    disk = Disk()
    disk.sizes = {"a": 4_000_000_000}
    await disk.look("a")
    assert ({}, ["a"]) == (await disk.look("a", lost_bytes=100 * FLOOR - 1), disk.measured)


async def test_who_has_too_many_files_to_be_measured_is_suspected_first() -> None:
    disk = Disk()
    await disk.look("a", "b")
    disk.sizes = {"a": None, "b": 4_000_000_000}
    assert ["a"] == list(await disk.look("a", "b", lost_bytes=100 * FLOOR - 1))


async def test_small_files_without_content_fill_a_disk_too() -> None:
    disk = Disk()
    await disk.look("a")
    disk.sizes = {"a": 40_000_000}
    found = await disk.look("a", lost_inodes=970_000)
    assert {
        "a": "the host's disk is nearly full of files (30000 more are possible), and this session's files were growing;"
        " remove what is not needed"
    } == found


async def test_a_file_system_without_a_number_of_inodes_has_no_shortage_of_them() -> None:
    disk = Disk()
    disk.free = FreeSpace(100 * FLOOR, None)
    assert [{}, {}] == [await disk.look("a"), await disk.look("a", lost_bytes=FLOOR)]


async def test_a_folder_is_measured_by_what_it_takes_on_disk(tmp_path: Path) -> None:
    folder = tmp_path / "tree with\nodd name"
    folder.mkdir()
    (folder / "file").write_bytes(b"x" * 1_000_000)
    os.link(folder / "file", folder / "same")
    (folder / "outside").symlink_to("/usr")
    with (folder / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    size_bytes = await folder_bytes(folder)
    assert size_bytes is not None
    assert 1_000_000 <= size_bytes < 1_200_000


async def test_a_very_deep_tree_is_measured(tmp_path: Path) -> None:
    at = os.open(tmp_path, os.O_RDONLY)
    for _ in range(60):
        os.mkdir("d" * 200, dir_fd=at)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    file = os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=at)
    os.write(file, b"x" * 3_000_000)
    os.close(file)
    os.close(at)
    try:
        assert (await folder_bytes(tmp_path) or 0) >= 3_000_000
    finally:
        remove = await asyncio.create_subprocess_exec("rm", "-rf", str(tmp_path))
        await remove.wait()


async def test_a_folder_that_is_not_there_takes_nothing(tmp_path: Path) -> None:
    assert 0 == await folder_bytes(tmp_path / "gone")


async def test_measuring_has_an_end(tmp_path: Path) -> None:
    assert await folder_bytes(tmp_path, timeout_seconds=0.0) is None


def test_free_space_is_that_of_the_nearest_folder_that_exists(tmp_path: Path) -> None:
    free = free_space(tmp_path / "not" / "there" / "yet")
    assert free.space_bytes > 0
