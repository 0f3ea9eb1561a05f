"""The bound of a source, and blocking work that can be interrupted between two files."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from longshift.contracts.errors import BadInput

MEMBERS_LIMIT = 2_000_000
"""Files and folders of one source; more would exhaust the inodes of a common disk."""


class Interrupted(Exception):
    """The work was given up because nobody waits for it any more."""


@dataclass
class Quota:
    """Counts what is taken from a source, and stops it when it is too much or nobody waits any more."""

    field_name: str
    max_bytes: int
    total_bytes: int = 0
    members: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def take(self, size_bytes: int, *, members: int = 0) -> None:
        """Count bytes and members before they are written.

        Raises:
            BadInput: the source is larger than allowed.
            Interrupted: nobody waits any more.
        """
        if self.stop.is_set():
            raise Interrupted
        self.total_bytes += size_bytes
        self.members += members
        if self.total_bytes > self.max_bytes:
            raise BadInput(
                f"workspace.{self.field_name}: the source is larger than workspace.max_bytes ({self.max_bytes:,}); "
                "raise workspace.max_bytes or give a smaller source"
            )
        if self.members > MEMBERS_LIMIT:
            raise BadInput(
                f"workspace.{self.field_name}: the source has more than {MEMBERS_LIMIT:,} files; give a smaller one"
            )


async def in_thread(work: Callable[[], None], quota: Quota) -> None:
    """Run blocking work in a thread; when this call is cancelled, the thread is stopped and waited for."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        quota.stop.set()
        with suppress(Interrupted, OSError, BadInput):
            await task
        raise
