"""Ends a child process that asyncio watches, and lets go of its pipes whoever else holds their other ends."""

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import cast

PIPES = (0, 1, 2)
SendSignal = Callable[[int, int], None]
"""`os.kill`, or `os.killpg` for a child that leads a process group."""


async def end_child(process: asyncio.subprocess.Process, send: SendSignal = os.kill) -> None:
    """Kill a child, close this side of its pipes, and return when it has ended; one that has ended may be given too.

    What it has written and nobody has read is lost. Without this, `wait` can go on for ever: Python 3.11 to 3.13 return
    from it when all pipes have been read to their ends, and neither a descendant that lives on nor a reader that has
    stopped lets that happen. `Process.kill` is not called, as it may reap the child before the loop sees its exit code.
    """
    if process.returncode is None:
        with suppress(ProcessLookupError):
            send(process.pid, signal.SIGKILL)
    transport = cast(asyncio.SubprocessTransport, vars(process)["_transport"])  # nothing public closes the pipes
    for pipe in map(transport.get_pipe_transport, PIPES):
        if isinstance(pipe, asyncio.WriteTransport) and pipe.get_write_buffer_size():
            pipe.abort()
        elif pipe is not None and not pipe.is_closing():
            pipe.close()
    await process.wait()
    await asyncio.sleep(0)  # pipes are closed in the loop's next turn
