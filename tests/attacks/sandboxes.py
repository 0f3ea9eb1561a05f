"""The backends that are attacked."""

import shutil
from collections.abc import Callable
from pathlib import Path

from longshift.adapters.sandbox.bubblewrap import Bubblewrap, BubblewrapOptions
from longshift.adapters.sandbox.container import ContainerOptions
from longshift.adapters.sandbox.none import NoSandbox
from longshift.adapters.sandbox.port import Sandbox
from longshift.adapters.tools import find_ripgrep
from tests.containers import container


def sandbox_named(name: str, folder: Path) -> Sandbox:
    """A backend by its name; `folder` is the data directory of whoever attacks."""

    def bubblewrap() -> Sandbox:
        options = BubblewrapOptions(readable=(find_ripgrep(),))
        return Bubblewrap(
            executable=shutil.which("bwrap") or "bwrap", folder=folder / "sandbox", hidden=(folder,), options=options
        )

    backends: dict[str, Callable[[], Sandbox]] = {
        "none": NoSandbox,
        "bubblewrap": bubblewrap,
        "container": lambda: container(folder, ContainerOptions(readable=(find_ripgrep(),))),
    }
    return backends[name]()
