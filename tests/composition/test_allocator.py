"""Memory goes back to the system: measured in a process of its own, as the setting holds for a whole process."""

import platform
import subprocess
import sys

import pytest

HELD_BELOW_ANOTHER_BLOCK = """
import sys
from pathlib import Path

from longshift.allocator import return_large_blocks

if sys.argv[1] == "set":
    assert return_large_blocks()
bytearray(30_000_000)  # freed at once: from here on, an unset threshold keeps blocks of this size on the heap
large = bytearray(29_000_000)
above = bytes(100_000)
del large
pages = int(Path("/proc/self/statm").read_text().split()[1])
print(pages * 4096 // 1_000_000)
"""


def held_mb(setting: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", HELD_BELOW_ANOTHER_BLOCK, setting],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is glibc's")
def test_large_blocks_go_back_when_they_are_freed() -> None:
    assert held_mb("set") < held_mb("unset") / 2
