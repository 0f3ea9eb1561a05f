"""Which sandbox a host's commands run in: made from the settings, and tried before it is relied on."""

import os
import shutil

from longshift.adapters.limits.host_size import host_size
from longshift.adapters.sandbox.bubblewrap import Bubblewrap, BubblewrapOptions
from longshift.adapters.sandbox.container import Container, ContainerOptions
from longshift.adapters.sandbox.container_engine import ContainerEngine
from longshift.adapters.sandbox.environment import DEFAULT_PATH
from longshift.adapters.sandbox.none import NoSandbox
from longshift.adapters.sandbox.port import Sandbox
from longshift.adapters.tools import find_ripgrep
from longshift.contracts.errors import HostError
from longshift.settings import Settings

REMEDY = (
    "install bubblewrap 0.8 or newer (`apt-get install bubblewrap`), "
    'or spell out sandbox = "none" (LONGSHIFT_SANDBOX=none) on a host that you can lose'
)


def make_sandbox(settings: Settings) -> Sandbox:
    """The backend that the settings name; what it promises is not tried here.

    Raises:
        BadInput: a setting of the backend cannot be used.
        HostError: its program is not installed, or does not answer.
    """
    if settings.sandbox == "none":
        # The operator's word; nothing else leads here.
        return NoSandbox(os.pathsep.join((*settings.sandbox_path, DEFAULT_PATH)))
    if settings.sandbox == "container":
        return _container(settings)
    executable = shutil.which("bwrap")
    if executable is None:
        raise HostError(f"sandbox: bubblewrap (bwrap) is not on the PATH: {REMEDY}")
    options = BubblewrapOptions(
        # Searches run in the sandbox, wherever their program was installed.
        readable=(*settings.sandbox_readable, find_ripgrep()),
        path=settings.sandbox_path,
        shm_bytes=settings.sandbox_shm_bytes,
        tmp_bytes=settings.sandbox_tmp_bytes,
    )
    folder = settings.data_dir / "sandbox"
    return Bubblewrap(executable=executable, folder=folder, hidden=(settings.data_dir,), options=options)


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
