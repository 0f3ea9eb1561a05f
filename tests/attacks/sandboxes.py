"""The backends that are attacked."""

from pathlib import Path

from longshift.adapters.sandbox.bubblewrap import Bubblewrap
from longshift.adapters.sandbox.none import NoSandbox
from longshift.adapters.sandbox.port import Sandbox


def sandbox_named(name: str, folder: Path) -> Sandbox:
    """A backend by its name; `folder` is for what it keeps."""
    backends = {"none": NoSandbox, "bubblewrap": lambda: Bubblewrap(folder)}
    return backends[name]()
