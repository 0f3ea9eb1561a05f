"""The host's side of the proxies: each runs under a supervisor as commands do, so that it outlives the worker.

A proxy is known by its rules: one that runs by other rules, from before the configuration was changed, is ended. What
a profile means is `policy.hosts` and `policy.addresses`.
"""

import asyncio
import hashlib
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from weakref import WeakValueDictionary

from longshift.adapters.network import proxy
from longshift.adapters.network.proxy import ProxyRules
from longshift.adapters.network.request_log import records
from longshift.adapters.process.command_spec import CommandSpec
from longshift.adapters.process.isolated import isolated_command
from longshift.adapters.process.run_state import Running
from longshift.adapters.process.runner import ProcessRunner
from longshift.contracts import ids
from longshift.contracts.errors import HostError
from longshift.contracts.network import NetworkAccess, NetworkPhase, NetworkProfile, NetworkUse
from longshift.contracts.task import TaskSpec
from longshift.policy import network
from longshift.policy.network import NO_NETWORK

LISTENS_SECONDS = 20.0
"""How long a proxy may take to listen."""
LOOK_SECONDS = 0.02
FOLDER = "network"


class Egress:
    """The proxies of this host's workspaces."""

    def __init__(
        self,
        data_dir: Path,
        runner: ProcessRunner,
        profiles: Mapping[str, NetworkProfile],
        *,
        default: str = NO_NETWORK,
        default_setup: str = NO_NETWORK,
    ) -> None:
        """`default` and `default_setup` are the profiles of tasks that name none."""
        self._workspaces = data_dir.absolute() / "workspaces"
        self._runner = runner
        self._profiles = profiles
        self._default = default
        self._default_setup = default_setup
        self._starting: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """By task: commands that run at the same time share one proxy."""

    def access(self, task: TaskSpec) -> tuple[NetworkAccess, NetworkAccess]:
        """What the setup and the agent of a task may reach here.

        Raises:
            BadInput: a profile is unknown on this host, or not for the task's tenant.
        """
        named = network.setup_profile(task, self._default_setup), network.agent_profile(task, self._default)
        setup, agent = (network.access(field, name, self._profiles, task.tenant) for field, name in named)
        return setup, agent

    def socket(self, task_id: str, phase: NetworkPhase, profile: str) -> str:
        """Where the phase's proxy listens once it is opened; empty for the profile `none`.

        Raises:
            BadInput: this host has no such profile.
        """
        if profile == NO_NETWORK:
            return ""
        return str(self._folder(task_id) / _socket_name(self._rules(phase, profile)))

    async def opened(self, task_id: str, phase: NetworkPhase, profile: str) -> str:
        """The socket of the phase's proxy, which listens; empty for the profile `none`.

        Raises:
            BadInput: this host has no such profile.
            DiskFull: there is no space for its log.
            HostError: it does not start.
        """
        if profile == NO_NETWORK:
            return ""
        rules = self._rules(phase, profile)
        path = self._folder(task_id) / _socket_name(rules)
        if not await asyncio.to_thread(_listens, path):
            async with self._starting.setdefault(task_id, asyncio.Lock()):
                await self._start(task_id, rules, path)
        return str(path)

    async def closed(self, task_id: str, phase: NetworkPhase | None = None) -> None:
        """End the proxies of a phase, or of all; what they have logged stays."""
        phases = NetworkPhase if phase is None else (phase,)
        for each in phases:
            prefix = ids.proxy_run_prefix(task_id, each.value)
            await self._runner.kill_all(prefix, "the network of the phase is closed")
            await asyncio.to_thread(self._forget_sockets, task_id, each)

    async def use(self, task_id: str) -> NetworkUse | None:
        """What was asked of the network on this host so far; None where nothing could be."""
        return await asyncio.to_thread(self._use, task_id)

    def log(self, task_id: str) -> bytes:
        """The log of all phases, setup first."""
        paths = (self._folder(task_id) / f"{phase.value}.jsonl" for phase in NetworkPhase)
        return b"".join(path.read_bytes() for path in paths if path.exists())

    def _use(self, task_id: str) -> NetworkUse | None:
        paths = [self._folder(task_id) / f"{phase.value}.jsonl" for phase in NetworkPhase]
        if not any(path.exists() for path in paths):
            return None
        return network.use_of(record for path in paths for record in records(path))

    def _rules(self, phase: NetworkPhase, name: str) -> ProxyRules:
        profile = network.known_profile("network", name, self._profiles)
        return ProxyRules(
            profile=name,
            phase=phase.value,
            hosts=profile.hosts,
            allow_private=profile.allow_private,
            max_bytes=profile.max_bytes,
        )

    async def _start(self, task_id: str, rules: ProxyRules, path: Path) -> None:
        prefix = ids.proxy_run_prefix(task_id, rules.phase)
        await asyncio.to_thread(path.parent.mkdir, mode=0o700, parents=True, exist_ok=True)
        keys = await asyncio.to_thread(self._runner.keys, prefix)
        wanted = await asyncio.to_thread(lambda: next((key for key in keys if self._is_running(key, rules)), None))
        if wanted is None:
            await self.closed(task_id, NetworkPhase(rules.phase))
            wanted = f"{prefix}/{max((int(key.rpartition('/')[2]) for key in keys), default=0) + 1:04d}"
            await self._runner.start(wanted, _spec(rules, path))
        deadline = asyncio.get_running_loop().time() + LISTENS_SECONDS
        while not await asyncio.to_thread(_listens, path):
            state = await asyncio.to_thread(self._runner.state, wanted)
            if not isinstance(state, Running) or asyncio.get_running_loop().time() > deadline:
                said = (await asyncio.to_thread(self._runner.output, wanted, 2_000)).text.strip()
                raise HostError(f"the network proxy of {task_id} does not listen: {said or state}")
            await asyncio.sleep(LOOK_SECONDS)

    def _is_running(self, key: str, rules: ProxyRules) -> bool:
        spec = self._runner.spec(key)
        is_same = spec is not None and spec.argv[-1] == rules.to_json()
        return is_same and isinstance(self._runner.state(key), Running)

    def _forget_sockets(self, task_id: str, phase: NetworkPhase) -> None:
        for path in self._folder(task_id).glob(f"{phase.value}-*.sock*"):
            path.unlink(missing_ok=True)

    def _folder(self, task_id: str) -> Path:
        return self._workspaces / task_id / FOLDER


def _socket_name(rules: ProxyRules) -> str:
    return f"{rules.phase}-{hashlib.sha256(rules.to_json().encode()).hexdigest()[:12]}.sock"


def _spec(rules: ProxyRules, path: Path) -> CommandSpec:
    python = os.path.realpath(sys.executable)
    return CommandSpec(
        argv=isolated_command(proxy.__name__, path.name, rules.to_json(), python=python),
        cwd=str(path.parent),
        env={"PATH": os.defpath, "LANG": "C.UTF-8"},
        head_bytes=65_536,
        tail_bytes=65_536,
        background=True,
    )


def _listens(path: Path) -> bool:
    """Whether somebody listens on a unix socket, however long its path is."""
    try:
        folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1.0)
            probe.connect(f"/proc/self/fd/{folder}/{path.name}")
            return True
    except OSError:
        return False
    finally:
        os.close(folder)
