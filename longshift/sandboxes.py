"""Which sandbox a host's commands run in: made from the settings, and tried before it is relied on."""

import os
import shutil

from longshift.adapters.sandbox.bubblewrap import Bubblewrap, BubblewrapOptions
from longshift.adapters.sandbox.environment import DEFAULT_PATH
from longshift.adapters.sandbox.none import NoSandbox
from longshift.adapters.sandbox.port import Sandbox
from longshift.adapters.tools import find_ripgrep
from longshift.contracts.errors import BadInput, HostError
from longshift.settings import Settings

REMEDY = (
    "install bubblewrap 0.8 or newer (`apt-get install bubblewrap`), "
    'or spell out sandbox = "none" (LONGSHIFT_SANDBOX=none) on a host that you can lose'
)


def make_sandbox(settings: Settings) -> Sandbox:
    """The backend that the settings name; what it promises is not tried here.

    Raises:
        BadInput: the backend does not exist yet, or a setting of it cannot be used.
        HostError: its program is not installed.
    """
    if settings.sandbox == "none":
        # The operator's word; nothing else leads here.
        return NoSandbox(os.pathsep.join((*settings.sandbox_path, DEFAULT_PATH)))
    if settings.sandbox == "container":
        raise BadInput('sandbox: "container" does not exist yet; use "bubblewrap", or spell out "none"')
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
