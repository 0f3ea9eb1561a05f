"""The inbox: task files that are put into a folder are submitted and put away, with what became of them beside them.

A crash between the two is harmless: the same file is the same session. How files are read and moved is `inbox_files`'.
"""

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

from longshift.contracts.errors import BadInput, EngineError, QueueFull
from longshift.intake.acceptance import Acceptance, Delivery
from longshift.intake.inbox_files import InboxFiles, Seen
from longshift.intake.pump import pause
from longshift.intake.standing import Outcome, Standing, State
from longshift.submission import Submission
from longshift.taskfile.document import MEDIA_TYPES, SUFFIXES

log = structlog.get_logger("longshift.intake")

LOOK_SECONDS = 1.0
DONE, FAILED = "done", "failed"
_MEDIA_TYPES = {kind: media_type for media_type, kind in reversed(MEDIA_TYPES.items())}
"""By kind of file; of several the first."""


@dataclass(frozen=True)
class Refusal:
    """Why a file is no task."""

    reason: str


class Inbox:
    """Watches one folder."""

    def __init__(self, folder: Path, acceptance: Acceptance, standing: Standing) -> None:
        self._files = InboxFiles(folder)
        self._acceptance = acceptance
        self._standing = standing
        self._unreadable = set[Path]()

    async def run(self, stopped: asyncio.Event) -> None:
        """Submit what is put into the folder, until stopped; the file in hand is put away first."""
        while not stopped.is_set():
            try:
                await self._look(stopped)
            except OSError as error:
                self._standing.move(State.SOURCE_AWAY, str(error))
            except QueueFull as error:
                self._standing.move(State.FULL, str(error))
            except EngineError as error:
                self._standing.move(State.ENGINE_AWAY, str(error))
            else:
                self._standing.move(State.WORKING)
            await pause(stopped, LOOK_SECONDS)

    async def _look(self, stopped: asyncio.Event) -> None:
        """One round. What stops it leaves this file and the further ones where they are."""
        whole = await asyncio.to_thread(self._files.settled)
        self._standing.pending = len(whole)
        for path in whole:
            if stopped.is_set():
                return
            try:
                found = await asyncio.to_thread(self._files.read, path)
            except OSError as error:
                self._say_unreadable(path, error)
                continue
            if found is not None:
                await self._take(path, *found)

    def _say_unreadable(self, path: Path, error: OSError) -> None:
        """It stays where it is, and is tried again, but said once: the others must not wait for it."""
        if path not in self._unreadable:
            log.warning("a file of the inbox cannot be read", path=str(path), error=str(error))
        self._unreadable.add(path)

    async def _take(self, path: Path, seen: Seen, body: bytes) -> None:
        outcome = await self._submitted(path, body)
        if isinstance(outcome, Refusal):
            self._standing.count(Outcome.REFUSED)
            await asyncio.to_thread(self._files.put_away, path, seen, FAILED, ".error.txt", outcome.reason + "\n")
            return
        self._standing.count(Outcome.ACCEPTED if outcome.is_new else Outcome.KNOWN)
        await asyncio.to_thread(self._files.put_away, path, seen, DONE, ".json", _receipt(outcome))

    async def _submitted(self, path: Path, body: bytes) -> Submission | Refusal:
        media_type = _MEDIA_TYPES[SUFFIXES[path.suffix.lower()]]
        delivery = Delivery(source=str(path), body=body, media_type=media_type, is_marked=True)
        try:
            return await self._acceptance.accept(delivery, local_sources=True, check_places=True)
        except BadInput as error:
            return Refusal(str(error))


def _receipt(submission: Submission) -> str:
    """What lies beside a task that was taken."""
    told = {
        "task_id": submission.handle.id.partition("/")[2],
        "is_new": submission.is_new,
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return json.dumps(told, indent=2) + "\n"
