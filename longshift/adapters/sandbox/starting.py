"""Starts what a sandbox has wrapped, without a supervisor: short programs that the worker waits for."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from longshift.adapters.process.child_end import end_child
from longshift.adapters.sandbox.port import Sandbox, SandboxCommand, WrappedCommand
from longshift.contracts.errors import HostError

CHECK_SECONDS = 30.0


async def started(
    wrapped: WrappedCommand,
    argv: Sequence[str] = (),
    *,
    stdout: int = asyncio.subprocess.PIPE,
    limit_bytes: int = 65_536,
) -> asyncio.subprocess.Process:
    """A process with nothing on its stdin; `argv` is started instead of the wrapped command's own where it is given.

    To be called from the event loop's thread: a sandbox may end with the thread that has started it.

    Raises: OSError, when the program cannot be run.
    """
    return await asyncio.create_subprocess_exec(
        *(argv or wrapped.argv),
        cwd=wrapped.cwd,
        env=wrapped.env,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=stdout,
        stderr=asyncio.subprocess.PIPE,
        limit=limit_bytes,
    )


async def why_not_entered(sandbox: Sandbox, command: SandboxCommand, *, program: str, starter: str) -> str:
    """Why nothing at all can be started in the sandbox of a command; empty when something can.

    `program` is what has to run on the host for that, `starter` what people call it.
    """
    try:
        wrapped = sandbox.wrap(replace(command, argv=("/usr/bin/env", "true"), env={}))
        process = await started(wrapped, stdout=asyncio.subprocess.DEVNULL)
    except OSError as error:
        return f"cannot run {program}: {error.strerror}"
    except HostError as error:
        return str(error)
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            _, complaint = await process.communicate()
    except TimeoutError:
        return f"{starter} did not start a command within {CHECK_SECONDS:g} seconds"
    finally:
        await end_child(process)
    return "" if process.returncode == 0 else complaint.decode(errors="replace").strip() or "it says nothing"
