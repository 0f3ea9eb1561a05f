"""How this process's allocator gives memory back. Called once, at the start of a worker."""

import ctypes
import platform

M_MMAP_THRESHOLD = -3
"""`man 3 mallopt`: requests of this size and more get a mapping of their own, which goes back when they are freed."""
MMAP_THRESHOLD_BYTES = 128 * 1024


def return_large_blocks() -> bool:
    """Have glibc give large blocks back to the system when they are freed; False where there is no glibc.

    A conversation is serialised at every step and is up to a megabyte. glibc raises its threshold to the largest block
    that was ever freed, keeps such blocks on its heap from then on, and the heap gets holes: measured, several hundred
    megabytes after some thousand steps. A threshold that is set stays where it is.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    return ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES) == 1
