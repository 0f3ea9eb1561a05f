"""Tries a sandbox before it is relied on: plants what is worth stealing, then attacks it from inside.

What the attacks are is in `attacks`; what a failure of bubblewrap means, and what to do about it, in `remedies`.
"""

import asyncio
import json
import os
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from longshift.adapters.process.child_end import end_child
from longshift.adapters.sandbox import attacks
from longshift.adapters.sandbox.port import Sandbox, SandboxCommand
from longshift.adapters.sandbox.remedies import remedy
from longshift.adapters.sandbox.starting import started
from longshift.contracts.errors import HostError

TIMEOUT_SECONDS: Final = 30.0


@dataclass(frozen=True)
class ProbeReport:
    """What was tried."""

    tried: tuple[str, ...]
    """Names of attacks."""
    reached: Mapping[str, str]
    """By the name of each attack that was not stopped: what it reached."""

    @property
    def stopped(self) -> int:
        """How many attacks reached nothing."""
        return len(self.tried) - len(self.reached)


@dataclass(frozen=True)
class Planted:
    """What is worth stealing, and where it is; all of it ends with the probe."""

    secret: str
    file: str
    outside: str
    """A folder beside the workspace."""
    port: int
    socket: str
    abstract: str
    pid: int
    """Of a process with the secret in its environment."""
    pid_namespace: str


async def probe(sandbox: Sandbox, folder: Path, *, secret: str = "") -> ProbeReport:
    """Attack from inside of the sandbox; `folder` is where workspaces are, or beside them.

    `secret` is one that this process has in its environment; where none is given, a new one is planted elsewhere only.

    To be called where the event loop lives as long as the process: bubblewrap ends with the thread that starts it.

    Raises:
        HostError: the sandbox cannot be entered; the text says why and what to do.
    """
    try:
        place, python, program = await asyncio.to_thread(_laid_out, folder)
    except OSError as error:
        raise HostError(f"sandbox: {folder} cannot be written: {error.strerror}; free or mend it") from error
    try:
        async with _planted(place, secret or secrets.token_hex(16)) as planted:
            argv = (python, "-IS", "-c", program, json.dumps(asdict(planted)))
            code, said, complaint = await _attacked(sandbox, place, argv)
    finally:
        await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)
    try:
        found: dict[str, str] = json.loads(said)
    except ValueError:
        why = complaint.decode(errors="replace").strip() or f"it ended with exit code {code} and no word"
        raise HostError(f"sandbox: {sandbox.name} does not start a command: {why}; {remedy(why)}") from None
    return ProbeReport(tuple(found), {name: what for name, what in found.items() if what})


def _laid_out(folder: Path) -> tuple[Path, str, str]:
    """A workspace with something beside it; the Python of this process, and the program for inside."""
    folder.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix="probe-", dir=folder))
    for name in ("tree", "home", "outside"):
        (place / name).mkdir()
    return place, os.path.realpath(sys.executable), Path(attacks.__file__).read_text(encoding="utf-8")


async def _attacked(sandbox: Sandbox, place: Path, argv: tuple[str, ...]) -> tuple[int | None, bytes, bytes]:
    wrapped = sandbox.wrap(
        SandboxCommand(
            argv=argv,
            cwd=str(place / "tree"),
            workspace_root=str(place / "tree"),
            home=str(place / "home"),
            readable_paths=(sys.base_prefix,),
        )
    )
    try:
        process = await started(wrapped)
    except OSError as error:
        raise HostError(f"sandbox: {wrapped.argv[0]} cannot be run: {error.strerror}") from error
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            said, complaint = await process.communicate()
    except TimeoutError:
        raise HostError(f"sandbox: {sandbox.name} did not try the attacks within {TIMEOUT_SECONDS:g} s") from None
    finally:
        await end_child(process)
    return process.returncode, said, complaint


@asynccontextmanager
async def _planted(place: Path, secret: str) -> AsyncGenerator[Planted]:
    name = f"longshift-probe-{secrets.token_hex(8)}"
    outside = place / "outside"
    await asyncio.to_thread((outside / "secret").write_text, secret)
    victim = await asyncio.create_subprocess_exec(
        "sleep", str(TIMEOUT_SECONDS * 2), env={"PATH": os.defpath, "PROBE_SECRET": secret}
    )
    try:
        with ExitStack() as opened:
            tcp = opened.enter_context(socket.create_server(("127.0.0.1", 0)))
            opened.enter_context(_listening("\0" + name))
            opened.enter_context(_listening_in(outside))
            yield Planted(
                secret=secret,
                file=str(outside / "secret"),
                outside=str(outside),
                port=tcp.getsockname()[1],
                socket=str(outside / "socket"),
                abstract=name,
                pid=victim.pid,
                pid_namespace=os.readlink("/proc/self/ns/pid"),
            )
    finally:
        await end_child(victim)  # an attack may have reached it


def _listening(address: str) -> socket.socket:
    """Connections are taken by the kernel: nobody need accept them."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(address)
    server.listen()
    return server


def _listening_in(folder: Path) -> socket.socket:
    """A socket in the file system, however long the folder's name is."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        return _listening(f"/proc/self/fd/{descriptor}/socket")
    finally:
        os.close(descriptor)
