"""Forces new files of a local store to disk, many at a time, beside the event loop.

A journalling file system pays for a group of new files little more than for one, so writers note their files and
those who need certainty wait for `settled`.
"""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path


class DiskSync:
    """Files noted here are forced to disk soon, in the order of their notes."""

    def __init__(self) -> None:
        self._noted: list[Path] = []
        self._running: asyncio.Task[None] | None = None

    def note(self, path: Path) -> None:
        """A new file: start forcing it to disk."""
        self._noted.append(path)
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._drain(), name="longshift-store-sync")

    async def settled(self) -> None:
        """Return when everything noted so far is on disk.

        Raises:
            OSError: a file could not be forced to disk; it counts as not written.
        """
        while self._running is not None and (self._noted or not self._running.done()):
            await asyncio.shield(self._running)
        if self._running is not None:
            self._running.result()

    async def _drain(self) -> None:
        while self._noted:
            batch, self._noted = self._noted, []
            await asyncio.to_thread(_force_to_disk, batch)


def _force_to_disk(paths: Sequence[Path]) -> None:
    folders = dict.fromkeys(folder for path in paths for folder in (path.parent, path.parent.parent))
    for target in (*paths, *folders):
        descriptor = os.open(target, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
