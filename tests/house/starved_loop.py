"""A watched loop on a crowded processor, beside a thread that computes: `test_blocked_loop.py` runs it.

It prints what the loop noted.
"""

import asyncio
import os
import subprocess
import sys
import threading
import time
from contextlib import ExitStack

from tests.watched_loop import WatchedLoop

CROWD = 5
ENDLESS = "import time\nend = time.monotonic() + 30\nwhile time.monotonic() < end: pass"
"""What each of the crowd runs; it ends by itself should nobody end it."""
LIMIT_SECONDS = 0.4
"""More than all threads compute, and much less than they take together with the crowd."""


def compute(seconds: float) -> None:
    """Use the processor for so long."""
    begin = time.thread_time()
    while time.thread_time() - begin < seconds:
        pass


async def compute_beside_another() -> None:
    """One turn in which the other thread has the interpreter's lock half of the time."""
    other = threading.Thread(target=compute, args=(0.2,))
    other.start()
    await asyncio.sleep(0.01)
    compute(0.1)
    await asyncio.sleep(0)
    await asyncio.to_thread(other.join)


def main() -> None:
    """All processes share one processor."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    blocked_seconds: list[float] = []
    with ExitStack() as stack:
        for _ in range(CROWD):
            process = stack.enter_context(subprocess.Popen([sys.executable, "-c", ENDLESS]))
            stack.callback(process.kill)
        time.sleep(0.2)  # until they compute
        loops = asyncio.Runner(loop_factory=lambda: WatchedLoop(blocked_seconds, limit_seconds=LIMIT_SECONDS))
        with loops as runner:
            runner.run(compute_beside_another())
    print(blocked_seconds)  # noqa: T201  # for the test


if __name__ == "__main__":
    main()
