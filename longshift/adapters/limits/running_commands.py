"""What the commands of each session are made of just now, from `/proc`.

A supervisor is found by its command line and believed by the record in its run directory: what a command calls itself
proves nothing. Sandboxes hide the host's processes from a command, not its processes from the host.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from longshift.adapters.process.process_identity import ProcessIdentity
from longshift.adapters.process.process_table import process_stat
from longshift.adapters.process.run_tree import RunTree

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class ProcessRow:
    """One process."""

    pid: int
    parent: int
    starttime: int
    threads: int

    @property
    def identity(self) -> ProcessIdentity:
        """Which process it is, whoever has the pid later."""
        return ProcessIdentity(self.pid, self.starttime)


@dataclass(frozen=True)
class RunningCommand:
    """A command with all that runs below its supervisor."""

    key: str
    session: str
    processes: tuple[ProcessRow, ...]

    @property
    def threads(self) -> int:
        """As the kernel counts against a limit of processes."""
        return sum(row.threads for row in self.processes)


class RunningCommands:
    """The running commands of a host, by session; commands of nobody's share are left out."""

    def __init__(self, runs_dir: Path) -> None:
        self._runs_dir = runs_dir.absolute()
        self._tree = RunTree(self._runs_dir, 0)
        self._known: dict[ProcessIdentity, tuple[str, str] | None] = {}

    def by_session(self) -> dict[str, list[RunningCommand]]:
        """All of them. Blocks for some 20 µs per process on the host."""
        table = process_table()
        below: dict[int, list[ProcessRow]] = {}
        for row in table.values():
            below.setdefault(row.parent, []).append(row)
        self._known = {row.identity: self._known[row.identity] for row in table.values() if row.identity in self._known}
        found: dict[str, list[RunningCommand]] = {}
        for row in table.values():
            run = self._run_of(row)
            if run is not None:
                key, session = run
                command = RunningCommand(key, session, tuple(_descendants(row.pid, below)))
                found.setdefault(session, []).append(command)
        return found

    def _run_of(self, row: ProcessRow) -> tuple[str, str] | None:
        """Key and session of what this process supervises; None when it supervises nothing."""
        identity = row.identity
        if identity in self._known:
            return self._known[identity]
        key = self._claimed_key(row.pid)
        found = None
        if key is not None:
            run = self._tree.run(key)
            start, spec = run.start_record(), run.spec()
            if start is None or spec is None:
                return None  # about to start: it is looked at again
            if start.supervisor == identity and spec.group:
                found = (key, spec.group)
        self._known[identity] = found
        return found

    def _claimed_key(self, pid: int) -> str | None:
        """The run that its command line names."""
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                last = os.fsdecode(file.read(65_536).removesuffix(b"\0").rpartition(b"\0")[2])
        except OSError:
            return None
        return self._tree.key_of(Path(last))


def process_table() -> dict[int, ProcessRow]:
    """All living processes."""
    rows = (_row(int(name)) for name in os.listdir("/proc") if name.isdigit())
    return {row.pid: row for row in rows if row is not None}


def memory_bytes(processes: Iterable[ProcessRow], *, exactly: bool) -> int:
    """The memory that these processes use together.

    Not exactly: the private pages of each, with those that forks still share counted for each of them. Exactly: shared
    pages are divided among those that share them; takes up to some ms per GB.
    """
    return sum((_proportional(row.pid) if exactly else None) or _private(row.pid) for row in processes)


def _row(pid: int) -> ProcessRow | None:
    stat = process_stat(pid)
    return None if stat is None else ProcessRow(pid, *stat)


def _descendants(pid: int, below: Mapping[int, list[ProcessRow]]) -> list[ProcessRow]:
    found: list[ProcessRow] = []
    pending = [pid]
    while pending:
        children = below.get(pending.pop(), [])
        found += children
        pending += [row.pid for row in children]
    return found


def _private(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            fields = file.read().split()
    except OSError:
        return 0
    return max(0, int(fields[1]) - int(fields[2])) * PAGE_BYTES


def _proportional(pid: int) -> int | None:
    """None where this may not be looked at."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            found = next((line for line in file if line.startswith(b"Pss:")), None)
    except OSError:
        return None
    return None if found is None else int(found.split()[1]) * 1_024
