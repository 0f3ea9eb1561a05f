"""Servers that an earlier start left behind: two on one database would corrupt it.

The leash makes them rare. Whose a server is, its command line proves: it names the database. Nothing else is ended.
"""

import logging
import os
import signal
from pathlib import Path

from longshift.adapters.engine.command import is_server_of
from longshift.adapters.process.process_identity import ProcessIdentity
from longshift.adapters.process.process_table import process_stat
from longshift.contracts.errors import EngineError

log = logging.getLogger("longshift.engine")

TERMINATE_SECONDS = 5.0
KILL_SECONDS = 5.0
_PAUSE_SECONDS = 0.05


def servers_of(database: Path) -> list[ProcessIdentity]:
    """Every running server on `database`."""
    found: list[ProcessIdentity] = []
    for name in os.listdir("/proc"):
        stat = process_stat(int(name)) if name.isdigit() else None
        if stat is not None and is_server_of(_command_line(int(name)), database):
            found.append(ProcessIdentity(int(name), stat[1]))
    return found


async def end_leftovers(database: Path) -> int:
    """End every server on `database`; gives how many there were. The data directory's lock must be held.

    Raises:
        EngineError: one of them cannot be ended.
    """
    found = servers_of(database)
    for server in found:
        log.warning("ending a server that an earlier start left behind: process %d", server.pid)
        server.send(signal.SIGTERM)
        await server.wait_for_exit(TERMINATE_SECONDS, _PAUSE_SECONDS)
        if server.is_alive():
            server.send(signal.SIGKILL)
            await server.wait_for_exit(KILL_SECONDS, _PAUSE_SECONDS)
        if server.is_alive():
            raise EngineError(f"process {server.pid} holds {database} and does not end; end it, then start again")
    return len(found)


def _command_line(pid: int) -> list[str]:
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return []
    return [part.decode(errors="surrogateescape") for part in raw.split(b"\0")]
