"""How a process learns that a child of its own has ended. It starts none."""

# Python 3.14 has no watchers any more: this module goes with Python 3.11.
# pyright: reportDeprecated=false

import asyncio
import os
import sys


def watch_children_by_descriptor() -> None:
    """Have the event loop watch children through file descriptors, as Python does by itself from 3.12 on.

    Python 3.11 starts a thread for each child otherwise. Kernels without such descriptors, before 5.3, keep to that.
    """
    if sys.version_info >= (3, 12):
        return
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError:
        return
    asyncio.get_event_loop_policy().set_child_watcher(asyncio.PidfdChildWatcher())
