"""Becomes a command, with the order to the kernel to end it when its parent ends.

Run as `python -IS leash.py PARENT_PID COMMAND…`; stdlib only. A process of its own, as between fork and exec of a
threaded parent no Python code may run. The kernel watches the *thread* that started this, so start it from one that
lives as long as the command should. SIGKILL, because what hangs must not outlive its parent either: a server would
hold the database's lock, and a worker would serve whatever engine answers on its port next. Both are safe to kill.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1


def on_leash(command: Sequence[str]) -> list[str]:
    """`command`, tied to the calling thread and its process."""
    return [sys.executable, "-IS", __file__, str(os.getpid()), *command]


def main() -> None:
    """Tie the leash and become the command."""
    parent = int(sys.argv[1])
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    # The parent may have ended before the order was given; then nobody would ever end this.
    if os.getppid() != parent:
        sys.exit(1)
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
