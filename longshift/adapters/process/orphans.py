"""Ends what a dead supervisor left behind. Living supervisors clear up below themselves."""

import os
import signal
import time
from collections.abc import Iterator

from longshift.adapters.process.process_identity import ProcessIdentity
from longshift.adapters.process.process_table import descendants, process_stat
from longshift.adapters.process.supervisor import MARKER

PATIENCE_SECONDS = 5.0


def kill_orphans(leader: ProcessIdentity, nonce: str) -> int:
    """Kill the command, what runs below it, and whatever carries its nonce; gives the number still alive after 5 s.

    Blocks until they are gone. The nonce also finds daemons that left the session; one that emptied its
    environment as well, after its parents had died, escapes.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = set(_orphans(leader, nonce))
        if not found or time.monotonic() > deadline:
            return len(found)
        for identity in found:
            identity.send(signal.SIGKILL)
        time.sleep(0.01)


def _orphans(leader: ProcessIdentity, nonce: str) -> Iterator[ProcessIdentity]:
    pids = {int(name) for name in os.listdir("/proc") if name.isdigit() and _carries(name, nonce)}
    if leader.is_alive():
        pids |= {leader.pid, *descendants(leader.pid)}
    for pid in pids:
        stat = process_stat(pid)
        if stat is not None:
            yield ProcessIdentity(pid, stat[1])


def _carries(pid: str, nonce: str) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return f"{MARKER}={nonce}".encode() in file.read().split(b"\0")
    except OSError:
        return False  # gone, a kernel thread, or somebody else's
