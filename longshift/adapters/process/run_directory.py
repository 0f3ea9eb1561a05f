"""One run's files as the client sees them: claim it, judge how far it has come, ask for its end.

The format belongs to `supervisor`. Starting supervisors and waiting is `runner`; reading output is `run_output`.
The directory must be on a local file system: the judgement rests on flock(2).
"""

import fcntl
import json
import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from longshift.adapters.process import supervisor
from longshift.adapters.process.command_spec import CommandSpec
from longshift.adapters.process.orphans import kill_orphans
from longshift.adapters.process.process_identity import ProcessIdentity
from longshift.adapters.process.process_table import boot_id
from longshift.adapters.process.run_state import Finished, Lost, NotStarted, Running, RunState

LOG = "supervisor.log"
"""What a supervisor says when it fails itself; usually empty."""


@dataclass(frozen=True)
class StartRecord:
    """Who runs the command, from `started.json`."""

    command: ProcessIdentity
    supervisor: ProcessIdentity
    boot_id: str
    boot_seconds: float
    nonce: str


class RunDirectory:
    """The files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def claim(self, spec: CommandSpec) -> bool:
        """Claim the run for this command, durably; False when it was claimed before, whatever for."""
        _make_directories(self.path)
        return self._create_once(supervisor.SPEC, spec.to_json())

    def spec(self) -> CommandSpec | None:
        """The claimed command; None without a claim."""
        return CommandSpec.load(self.path / supervisor.SPEC)

    def start_record(self) -> StartRecord | None:
        """Who runs the command; None as long as it has not been let go."""
        record = self._read(supervisor.STARTED)
        if record is None:
            return None
        return StartRecord(
            command=ProcessIdentity(record["pid"], record["starttime"]),
            supervisor=ProcessIdentity(record["supervisor_pid"], record["supervisor_starttime"]),
            boot_id=record["boot_id"],
            boot_seconds=record["boot_seconds"],
            nonce=record["nonce"],
        )

    def peek(self) -> RunState | None:
        """The state, without blocking; None when the supervisor is gone without a word and `settle` must judge."""
        ended = self._ended()
        if ended is not None:
            return ended
        start = self.start_record()
        if start is None:
            # The end is renamed into place after the start, so look again: a short run may have had both by now.
            return self._ended() or NotStarted(is_claimed=(self.path / supervisor.SPEC).exists())
        if start.boot_id == boot_id() and self._is_supervised():
            return Running(start.command.pid)
        return self._ended()

    def settle(self) -> RunState:
        """The state; for a run whose supervisor is gone, kills what it left, then records for ever that it is lost.

        Blocks for up to five seconds while orphans die.
        """
        state = self.peek()
        start = self.start_record()
        if state is not None or start is None:
            return state or NotStarted(is_claimed=True)
        if start.boot_id != boot_id():
            why = "the host was restarted while the command ran"
        else:
            alive = kill_orphans(start.command, start.nonce)
            why = "its supervisor died while the command ran"
            why += f"; {alive} of its processes could not be killed" if alive else "; what it left running was killed"
        why += f" ({self.complaint()})" if self.complaint() else ""
        try:
            self._create_once(supervisor.LOST, json.dumps({"why": why}).encode())
        except OSError:
            return Lost(why)  # A full disk: nothing can revive the run, so the next look comes to the same end.
        return self._ended() or Lost(why)

    def request_kill(self, reason: str) -> None:
        """Ask for the run's end; the first reason stays. Also keeps a run from starting that has not started yet."""
        try:
            self._create_once(supervisor.KILL, (reason[:500] or "killed").encode(errors="replace"))
        except OSError:
            # No space for the reason: the presence of the file is the request.
            (self.path / supervisor.KILL).touch(mode=0o600)

    def open_log(self) -> BinaryIO:
        """The supervisor's own error stream, to append to."""
        return (self.path / LOG).open("ab")

    def complaint(self) -> str:
        """The end of what the supervisor itself wrote to its error stream; usually empty."""
        try:
            return (self.path / LOG).read_text(errors="replace").strip()[-500:]
        except FileNotFoundError:
            return ""

    def _ended(self) -> Finished | Lost | None:
        record = self._read(supervisor.EXIT)
        if record is not None:
            return Finished(**{name: record[name] for name in Finished.__dataclass_fields__ if name in record})
        record = self._read(supervisor.LOST)
        return None if record is None else Lost(record["why"])

    def _is_supervised(self) -> bool:
        # A shared lock, so that two observers never take each other for the supervisor; and only ever tried after the
        # start is on record, so that it never keeps a supervisor from becoming one.
        try:
            descriptor = os.open(self.path / supervisor.LOCK, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            return json.loads((self.path / name).read_bytes())
        except FileNotFoundError:
            return None

    def _create_once(self, name: str, data: bytes) -> bool:
        """Create a file with its whole content, durably; False when it exists."""
        part = self.path / f"{name}.{uuid.uuid4().hex}"
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.link(part, self.path / name)
        except FileExistsError:
            return False
        finally:
            part.unlink(missing_ok=True)
        supervisor.sync_directory(str(self.path))
        return True


def _make_directories(path: Path) -> None:
    """Create a directory and its parents so that their names survive a power cut."""
    if path.is_dir():
        return
    _make_directories(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    supervisor.sync_directory(str(path.parent))
