"""A whole Longshift on loopback for tests that kill things: real engine, worker process, scripted model over HTTP."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from temporalio.client import Client, WorkflowHandle

from longshift.adapters.codec import KeyRing, read_key
from longshift.adapters.engine import EmbeddedEngine, find_engine_binary
from longshift.adapters.scripted_model import Policy, ScriptedModel
from longshift.adapters.store import Transcripts, open_store
from longshift.contracts import ids
from longshift.contracts.agent import AgentLimits
from longshift.contracts.people import PeopleChannels
from longshift.contracts.search import SEARCH_ATTRIBUTES
from longshift.contracts.session import SessionInput, SessionStatus
from longshift.contracts.task import TaskSpec
from longshift.payload_codec import data_converter
from tests.ports import free_port
from tests.sandboxing import sandbox_variables
from workflows.session import Session

REPOSITORY = Path(__file__).parents[2]
KEY = "sk-test-1234567890"
PROFILE = """\
[models.scripted]
extends = "kimi-k2.6"
base_url = "{base_url}"
api_key_env = "LONGSHIFT_MODEL_API_KEY"
limits = {{ concurrency = 100, requests_per_minute = 1000000, tokens_per_minute = 1000000000 }}
"""


@dataclass
class Rig:
    """One data directory with its engine, its worker and its model; each can be killed and started again."""

    data_dir: Path
    model: ScriptedModel
    engine: EmbeddedEngine
    client: Client
    worker_key: str = KEY
    variables: dict[str, str] = field(default_factory=dict[str, str])
    """More of the worker's environment."""
    worker: subprocess.Popen[bytes] | None = None
    hosts: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict[str, subprocess.Popen[bytes]])
    """Further workers, each a host with a data directory of its own."""
    intake: subprocess.Popen[bytes] | None = None
    payload_keys: str = ""

    @property
    def source(self) -> Path:
        """The folder that tasks copy their workspace from."""
        return self.data_dir / "source"

    def tree(self, task_id: str) -> Path:
        """A session's files."""
        return self.data_dir / "workspaces" / task_id / "tree"

    def start_worker(self, *roles: str) -> None:
        """Start a worker in a process group of its own."""
        self.worker = self._started("worker", self.variables, *roles)

    def start_host(self, name: str, **variables: str) -> None:
        """Start a worker that is only a host, with its own files; hosts share engine and store."""
        place = {
            "LONGSHIFT_DATA_DIR": str(self.host_dir(name)),
            "LONGSHIFT_STORE_URL": (self.data_dir / "store").as_uri(),
            "LONGSHIFT_HOST": name,
            "LONGSHIFT_HOST_PATIENCE_SECONDS": "5",
        }
        if name in self.hosts:
            self.hosts[name].wait()
        self.hosts[name] = self._started(name, {**place, **variables}, "--role", "host")

    def host_dir(self, name: str) -> Path:
        """A host's data directory."""
        return self.data_dir / "hosts" / name

    def start_intake(self, *urls: str) -> None:
        """Start the process that takes tasks in from the queues of these URLs, in a process group of its own."""
        variables = {"LONGSHIFT_INTAKE_QUEUES": ",".join(urls), "LONGSHIFT_API_ADDRESS": "127.0.0.1:0"}
        self.intake = self._started("intake", variables, module="longshift.intake")

    def kill_intake(self) -> None:
        """kill -9 of what takes tasks in."""
        assert self.intake is not None
        os.killpg(self.intake.pid, signal.SIGKILL)
        self.intake.wait()

    def _started(
        self, name: str, variables: dict[str, str], *arguments: str, module: str = "worker"
    ) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            **sandbox_variables(),
            "LONGSHIFT_DATA_DIR": str(self.data_dir),
            "LONGSHIFT_MODEL_PROFILES": str([str(self.data_dir / "models.toml")]).replace("'", '"'),
            "LONGSHIFT_MODEL_PROFILE": "scripted",
            "LONGSHIFT_MODEL_API_KEY": self.worker_key,
            "LONGSHIFT_PAYLOAD_KEYS": self.payload_keys,
            "TEMPORAL_ADDRESS": self.client.service_client.config.target_host,
            **variables,
        }
        with (self.data_dir / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=REPOSITORY,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill_host(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Signal a host's whole process group; commands have supervisors of their own, and go on."""
        os.killpg(self.hosts[name].pid, number)

    def kill_worker(self) -> None:
        """kill -9 of the worker's whole process group."""
        assert self.worker is not None
        os.killpg(self.worker.pid, signal.SIGKILL)
        self.worker.wait()

    async def kill_engine(self) -> None:
        """kill -9 of the server; its supervision starts it again on the same port with its data."""
        pid = orjson.loads((self.data_dir / "engine.json").read_bytes())["pid"]
        os.kill(pid, signal.SIGKILL)

    async def submit(
        self,
        task_id: str,
        *,
        limits: AgentLimits | None = None,
        fallback: tuple[str, ...] = (),
        people: PeopleChannels | None = None,
        **fields: object,
    ) -> WorkflowHandle[Session, SessionStatus]:
        """Start a session on a copy of `source`."""
        given = {
            "id": task_id,
            "title": task_id,
            "instructions": "Do what the script says.",
            "workspace": {"directory": str(self.source)},
            **fields,
        }
        task = TaskSpec.model_validate(given)
        request = SessionInput(
            task=task,
            profile="scripted",
            fallback=fallback,
            limits=limits or AgentLimits(),
            host_patience_seconds=5,
            people=people or PeopleChannels(),
        )
        return await self.client.start_workflow(
            Session.run, request, id=ids.session_workflow_id(task_id), task_queue=ids.CONTROL_QUEUE
        )

    async def transcript(self, task_id: str) -> list[object]:
        """The lead's conversation as the next request would carry it, without the paths of this test's folder."""
        store = open_store(f"file://{self.data_dir}/store")
        agent = ids.agent_id(task_id)
        seals = [key for key in await store.list(f"agents/{agent}/e0001") if key.endswith("seal.json")]
        view = await Transcripts(store).view(agent, 1, len(seals) + 1)
        text = b"[" + b",".join(view.messages) + b"]"
        return orjson.loads(text.replace(str(self.data_dir).encode(), b"DATA").replace(task_id.encode(), b"TASK"))


def ring_of(payload_keys: str) -> KeyRing:
    """The keys of the setting of that name, written with commas."""
    pairs = [key.partition(":") for key in payload_keys.split(",") if key]
    return KeyRing([read_key(key_id, text) for key_id, _, text in pairs])


@asynccontextmanager
async def rig(
    data_dir: Path,
    policy: Policy,
    *,
    worker_key: str = KEY,
    profile: str = "",
    roles: tuple[str, ...] = (),
    variables: dict[str, str] | None = None,
    payload_keys: str = "",
    **model: object,
) -> AsyncGenerator[Rig]:
    """Engine, model and one worker; all of it ends with the block.

    The engine has a port of its own: the default one may be another engine's when it comes back after a kill.
    """
    (data_dir / "source").mkdir(parents=True)
    async with ScriptedModel(policy, key=KEY, **model) as scripted:  # pyright: ignore[reportArgumentType]  # passed on
        (data_dir / "models.toml").write_text(PROFILE.format(base_url=scripted.base_url) + profile)
        binary = find_engine_binary()
        engine = EmbeddedEngine(
            data_dir, binary=binary, search_attributes=SEARCH_ATTRIBUTES, ui=False, port=free_port()
        )
        address = await engine.start()
        built = None
        try:
            client = await Client.connect(address.address, data_converter=data_converter(ring_of(payload_keys)))
            built = Rig(data_dir, scripted, engine, client, worker_key, payload_keys=payload_keys)
            built.variables = variables or {}
            built.start_worker(*roles)
            yield built
        finally:
            if built is not None and built.worker is not None and built.worker.poll() is None:
                built.kill_worker()
            if built is not None and built.intake is not None and built.intake.poll() is None:
                built.kill_intake()
            for host in built.hosts.values() if built is not None else ():
                if host.poll() is None:
                    os.killpg(host.pid, signal.SIGKILL)
                    host.wait()
            await engine.stop()
