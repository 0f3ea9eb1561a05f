"""Which session fills the disk. Folders are measured only when free space or free inodes have fallen since."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from longshift.adapters.limits.sizes import size_text
from longshift.adapters.process.child_end import end_child

MEASURE_SECONDS = 30.0
"""What takes longer to measure has too many files to be measured."""
WORTH_BYTES = 32_000_000
WORTH_INODES = 2_000
"""A fall by less is not worth measuring folders for."""
INODE_FLOOR_SHARE = 0.02
"""Of all inodes: with fewer free ones the disk is about to be full of small files."""


@dataclass(frozen=True)
class FreeSpace:
    """What is free on a file system; `inodes` is None where it has no fixed number of them."""

    space_bytes: int
    inodes: int | None
    all_inodes: int = 0


@dataclass(frozen=True)
class Growth:
    """A session's folder, compared with the last time."""

    session: str
    size_bytes: int | None
    """None: it could not be measured in time."""
    grown_bytes: int | None
    """None: it was not measured before, or not now."""

    @property
    def is_suspect(self) -> bool:
        """Whether it grows or cannot be measured; what was never measured before may just be about to remove files."""
        return self.size_bytes is None or (self.grown_bytes or 0) > 0


@dataclass
class DiskWatch:
    """Watches the file system of the workspaces."""

    workspaces: Path
    """A session's files are in the folder of its name below."""
    session_limit_bytes: int
    floor_bytes: int
    free: Callable[[Path], FreeSpace] = lambda folder: free_space(folder)
    measure: Callable[[Path], Awaitable[int | None]] = lambda folder: folder_bytes(folder)
    _reference: FreeSpace | None = None
    _sizes: dict[str, int] = field(default_factory=dict[str, int])

    async def look(self, sessions: Collection[str]) -> dict[str, str]:
        """Of the sessions with running commands, those that have to stop, with the reason."""
        free = await asyncio.to_thread(self.free, self.workspaces)
        shortage = self._shortage(free)
        if not shortage and not self._has_fallen(free):
            return {}
        self._reference = free
        growths = [await self._growth(session) for session in sessions]
        found = {
            each.session: f"the session's files have grown to {size_text(each.size_bytes)},"
            f" the limit is {size_text(self.session_limit_bytes)}; remove some before going on"
            for each in growths
            if each.size_bytes is not None and each.size_bytes > self.session_limit_bytes and each.is_suspect
        }
        if shortage and not found:
            suspects = [each for each in growths if each.is_suspect]
            culprit = max(suspects, key=lambda each: (each.size_bytes is None, each.grown_bytes or 0), default=None)
            if culprit is not None:
                found[culprit.session] = f"{shortage}, and this session's files were growing; remove what is not needed"
        return found

    def _shortage(self, free: FreeSpace) -> str:
        if free.space_bytes < self.floor_bytes:
            floor = size_text(self.floor_bytes)
            return f"the host's disk is nearly full ({size_text(free.space_bytes)} free, the floor is {floor})"
        if free.inodes is not None and free.inodes < free.all_inodes * INODE_FLOOR_SHARE:
            return f"the host's disk is nearly full of files ({free.inodes} more are possible)"
        return ""

    def _has_fallen(self, free: FreeSpace) -> bool:
        before = self._reference
        if before is None:
            return True
        # What was freed meanwhile can be filled again unseen, so the reference rises with it.
        inodes = None if before.inodes is None or free.inodes is None else max(before.inodes, free.inodes)
        self._reference = FreeSpace(max(before.space_bytes, free.space_bytes), inodes, free.all_inodes)
        if self._reference.space_bytes - free.space_bytes >= WORTH_BYTES:
            return True
        return inodes is not None and free.inodes is not None and inodes - free.inodes >= WORTH_INODES

    async def _growth(self, session: str) -> Growth:
        size_bytes = await self.measure(self.workspaces / session)
        before = self._sizes.get(session)
        if size_bytes is None:
            return Growth(session, None, None)
        self._sizes[session] = size_bytes
        return Growth(session, size_bytes, None if before is None else size_bytes - before)


def free_space(folder: Path) -> FreeSpace:
    """What ordinary users may still use."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    figures = os.statvfs(existing)
    inodes = figures.f_favail if figures.f_files else None
    return FreeSpace(figures.f_bavail * figures.f_frsize, inodes, figures.f_files)


async def folder_bytes(folder: Path, timeout_seconds: float = MEASURE_SECONDS) -> int | None:
    """The space that a folder takes on its file system, by `du`; None when that takes too long.

    Files that vanish meanwhile are not counted; a folder that is not there takes nothing.
    """
    process = await asyncio.create_subprocess_exec(
        *("du", "--summarize", "--one-file-system", "--block-size=1", "--", str(folder)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
    )
    try:
        async with asyncio.timeout(timeout_seconds):
            said, _ = await process.communicate()
    except TimeoutError:
        return None
    finally:
        await end_child(process)
    first = said.split(b"\t")[0].strip()
    return int(first) if first.isdigit() else 0
