"""A worker that starts git dozens of times for each item starts no thread for any of them."""

import subprocess
import sys

PROGRAM = """
import asyncio, threading
from longshift.child_watching import watch_children_by_descriptor

async def threads() -> list[str]:
    child = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE)
    names = [thread.name for thread in threading.enumerate()]
    child.stdin.close()
    assert await child.wait() == 0
    return names

watch_children_by_descriptor()
print(asyncio.run(threads()))
"""


def test_a_child_is_watched_without_a_thread() -> None:
    told = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert (told.stdout, told.stderr) == ("['MainThread']\n", "")
