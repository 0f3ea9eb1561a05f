"""Which sandbox a host's commands run in: made from the settings, and tried before it is relied on."""

import asyncio
import os
import shutil

from longshift.adapters.network.egress import Egress
from longshift.adapters.process.runner import ProcessRunner
from longshift.adapters.sandbox.bubblewrap import PROXY_SOCKET, Bubblewrap, BubblewrapOptions
from longshift.adapters.sandbox.environment import DEFAULT_PATH
from longshift.adapters.sandbox.networked import Networked
from longshift.adapters.sandbox.none import NoSandbox
from longshift.adapters.sandbox.port import Sandbox
from longshift.adapters.sandbox.probe import ProbeReport, probe
from longshift.adapters.sandbox.remedies import INSTALL, OTHERWISE
from longshift.adapters.tools import find_ripgrep
from longshift.contracts.errors import BadInput, HostError
from longshift.settings import Settings


def make_sandbox(settings: Settings) -> Sandbox:
    """The backend that the settings name; what it promises is not tried here.

    Raises:
        BadInput: the backend does not exist yet, or a setting of it cannot be used.
        HostError: its program is not installed.
    """
    if settings.sandbox == "none":
        # The operator's word; nothing else leads here.
        return Networked(NoSandbox(os.pathsep.join((*settings.sandbox_path, DEFAULT_PATH))))
    if settings.sandbox == "container":
        raise BadInput('sandbox: "container" does not exist yet; use "bubblewrap", or spell out "none"')
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
            f"update bubblewrap and the kernel, {OTHERWISE}"
        )
    return sandbox, report
