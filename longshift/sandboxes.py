"""Which sandbox a host's commands run in: made from the settings, and tried before it is relied on."""

import asyncio
import os
import shutil

from longshift.adapters.limits.host_size import host_size
from longshift.adapters.network.egress import Egress
from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.sandbox.bubblewrap import PROXY_SOCKET, Bubblewrap, BubblewrapOptions
from longshift.adapters.sandbox.container import PROXY_SOCKET as CONTAINER_PROXY_SOCKET
from longshift.adapters.sandbox.container import Container, ContainerOptions
from longshift.adapters.sandbox.container_engine import ContainerEngine
from longshift.adapters.sandbox.environment import DEFAULT_PATH
from longshift.adapters.sandbox.networked import Networked
from longshift.adapters.sandbox.none import NoSandbox
from longshift.adapters.sandbox.port import Sandbox
from longshift.adapters.sandbox.probe import ProbeReport, probe
from longshift.adapters.sandbox.remedies import INSTALL, OTHERWISE
from longshift.adapters.tools import find_ripgrep
from longshift.contracts.errors import BadInput, HostError
from longshift.settings import Settings

_STOPPED_BY = {"bubblewrap": "bubblewrap", "container": "the container engine"}


def make_sandbox(settings: Settings) -> Sandbox:
    """The backend that the settings name; what it promises is not tried here.

    Raises:
        BadInput: a setting of the backend cannot be used.
        HostError: its program is not installed, or does not answer.
    """
    if settings.sandbox == "none":
        # The operator's word; nothing else leads here.
        return Networked(NoSandbox(os.pathsep.join((*settings.sandbox_path, DEFAULT_PATH))))
    if settings.sandbox == "container":
        return Networked(_container(settings), socket=CONTAINER_PROXY_SOCKET)
    executable = shutil.which("bwrap")
    if executable is None:
        raise HostError(f"sandbox: bubblewrap (bwrap) is not on the PATH; {INSTALL}")
    options = BubblewrapOptions(
        # Searches run in the sandbox, wherever their program was installed.
        readable=(*settings.sandbox_readable, find_ripgrep()),
        path=settings.sandbox_path,
        shm_bytes=settings.sandbox_shm_bytes,
        tmp_bytes=settings.sandbox_tmp_bytes,
    )
    folder = settings.data_dir / "sandbox"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            f"{folder}: {error.strerror}; set LONGSHIFT_DATA_DIR to a directory that can be written"
        ) from error
    bubblewrap = Bubblewrap(executable=executable, folder=folder, hidden=(settings.data_dir,), options=options)
    return Networked(bubblewrap, socket=PROXY_SOCKET)


def make_egress(settings: Settings, runner: ProcessRunner) -> Egress:
    """The network of this host's workspaces, by the profiles of the settings."""
    return Egress(
        settings.data_dir,
        runner,
        settings.network_profiles,
        default=settings.default_network,
        default_setup=settings.default_setup_network,
    )


async def tried_sandbox(settings: Settings) -> tuple[Sandbox, ProbeReport]:
    """The backend that the settings name, after attacks from inside of it were all stopped; `none` is not tried.

    Raises:
        BadInput: as `make_sandbox`.
        HostError: it is not installed, cannot be entered, or does not stop an attack.
    """
    sandbox = await asyncio.to_thread(make_sandbox, settings)
    if sandbox.name == NoSandbox.name:
        return sandbox, ProbeReport((), {})
    report = await probe(sandbox, settings.data_dir / "sandbox")
    if report.reached:
        found = ", ".join(f"{name} reached {what}" for name, what in report.reached.items())
        raise HostError(
            f"sandbox: {sandbox.name} did not stop {len(report.reached)} of {len(report.tried)} attacks ({found}); "
            f"update {_STOPPED_BY[sandbox.name]} and the kernel, {OTHERWISE}"
        )
    return sandbox, report


def _container(settings: Settings) -> Container:
    engine = ContainerEngine.found(settings.container_program, settings.container_image, os.environ)
    limits = settings.limits_of_session(host_size(settings.data_dir))
    options = ContainerOptions(
        memory_bytes=limits.memory_bytes,
        processes=limits.processes,
        processors=limits.processors,
        readable=(*settings.sandbox_readable, find_ripgrep()),
        path=settings.sandbox_path,
        shm_bytes=settings.sandbox_shm_bytes,
        tmp_bytes=settings.sandbox_tmp_bytes,
    )
    return Container(engine, settings.data_dir / "sandbox" / "container", (settings.data_dir,), options)
