"""What the benches share: the embedded engine, a model and the worker, each in a process of its own."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from temporalio.client import Client

from longshift.adapters.codec import KeyRing
from longshift.adapters.engine import EmbeddedEngine, find_engine_binary
from longshift.contracts.search import SEARCH_ATTRIBUTES
from longshift.payload_codec import data_converter

REPOSITORY = Path(__file__).parents[1]
PATIENCE_SECONDS = 7_200
"""For the model to have been asked so many times."""
PROFILE = """\
[models.bench]
extends = "kimi-k2.6"
base_url = "{base_url}"
api_key_env = "LONGSHIFT_MODEL_API_KEY"
window_tokens = {window_tokens}
limits = {{ concurrency = 1000, requests_per_minute = 10000000, tokens_per_minute = 1000000000000 }}
"""


@asynccontextmanager
async def engine(data_dir: Path, ring: KeyRing | None = None) -> AsyncGenerator[Client]:
    """The embedded engine as `longshift up` starts it, and a client with these payload keys."""
    embedded = EmbeddedEngine(data_dir, binary=find_engine_binary(), search_attributes=SEARCH_ATTRIBUTES, ui=False)
    address = await embedded.start()
    try:
        yield await Client.connect(address.address, data_converter=data_converter(ring or KeyRing()))
    finally:
        await embedded.stop()


@asynccontextmanager
async def zero_model(steps: int, path: str, port: int, *options: str) -> AsyncGenerator[str]:
    """The model that costs nothing, in its own process; gives its base URL."""
    async with model_process("bench.zero_model", port, "--steps", str(steps), "--path", path, *options) as base_url:
        yield base_url


@asynccontextmanager
async def model_process(program: str, port: int, *options: str) -> AsyncGenerator[str]:
    """A model of ours in a process of its own; gives its base URL once it answers."""
    given = ["-m", program, "--port", str(port), *options]
    process = await asyncio.create_subprocess_exec(sys.executable, *given, cwd=REPOSITORY)
    base_url = f"http://127.0.0.1:{port}"
    try:
        while True:
            with contextlib.suppress(httpx.TransportError):
                await requests(base_url)
                break
            await asyncio.sleep(0.05)
        yield base_url
    finally:
        process.terminate()
        await process.wait()


class WorkerProcess:
    """`python -m worker`, or another program of ours, on the given data directory."""

    def __init__(self, data_dir: Path, address: str, extra: Mapping[str, str], *, program: str = "worker") -> None:
        self._program = program
        self._env = {
            **os.environ,
            "LONGSHIFT_DATA_DIR": str(data_dir),
            "TEMPORAL_ADDRESS": address,
            "LONGSHIFT_MODEL_API_KEY": "none",
            # What is measured is the worker; what a sandbox costs, `bench.sandbox` says.
            "LONGSHIFT_SANDBOX": "none",
            **extra,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str) -> None:
        """Start it; it polls a second or so later."""
        command = [sys.executable, "-m", self._program, *arguments]
        self._process = subprocess.Popen(command, cwd=REPOSITORY, env=self._env)

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def cpu_seconds(self) -> float:
        """Processor time that it has used so far, by itself, in user and kernel."""
        return cpu_seconds_of(self.pid)

    def children_cpu_seconds(self) -> float:
        """The same of the processes that it started and that have ended."""
        return cpu_seconds_of(self.pid, children=True)

    def rss_mb(self) -> float:
        """The most memory it has held so far, in MB."""
        return memory_mb(self.pid, "VmHWM")

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid


def cpu_seconds_of(pid: int, *, children: bool = False) -> float:
    """Processor time that a process has used, or its children that have ended, in user and kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, kernel = fields[13:15] if children else fields[11:13]
    return (int(user) + int(kernel)) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int, kind: str = "VmRSS") -> float:
    """What a process holds now, in MB, or with `VmHWM` the most that it ever held."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith(kind))
    return int(line.split()[1]) / 1024


async def requests(base_url: str, *, wait_for: int = 0) -> list[dict[str, float]]:
    """What the model recorded, once it is at least `wait_for` requests."""
    return (await told_by_model(base_url, wait_for=wait_for))["requests"]


async def told_by_model(base_url: str, *, wait_for: int = 0) -> dict[str, Any]:
    """Requests and, of a model that watches them, facts."""
    async with httpx.AsyncClient(base_url=base_url, timeout=PATIENCE_SECONDS) as http:
        return (await http.get("/control/requests", params={"wait_for": wait_for})).json()


def tell(figures: Mapping[str, object], *, as_json: bool) -> None:
    """What a bench has measured, as one JSON object or as a line for each figure."""
    if as_json:
        sys.stdout.write(json.dumps(figures, indent=2) + "\n")
        return
    for key, value in figures.items():
        sys.stdout.write(f"{key:26} {value}\n")
