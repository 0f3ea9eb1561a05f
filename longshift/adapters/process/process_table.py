"""What `/proc` says of processes and of this boot. The supervisor has it too: stdlib only."""

from __future__ import annotations

import os


def boot_id() -> str:
    """The kernel's id of the current boot."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def process_stat(pid: int) -> tuple[int, int, int] | None:
    """Parent pid, start time in clock ticks since boot, threads; None for a process that is gone or a zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    if len(fields) < 20 or fields[0] in (b"Z", b"X"):
        return None
    return int(fields[1]), int(fields[19]), int(fields[17])


def descendants(ancestor: int) -> list[int]:
    """Pids of all living processes below `ancestor`."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        stat = process_stat(int(name)) if name.isdigit() else None
        if stat is not None:
            children.setdefault(stat[0], []).append(int(name))
    found: list[int] = []
    pending = [ancestor]
    while pending:
        below = children.get(pending.pop(), [])
        found += below
        pending += below
    return found
