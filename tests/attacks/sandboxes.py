"""The backends that are attacked."""

from pathlib import Path

from longshift.adapters.sandbox.none import NoSandbox
from longshift.adapters.sandbox.port import Sandbox
from tests.sandboxing import bubblewrap


def sandbox_named(name: str, folder: Path) -> Sandbox:
    """A backend by its name; `folder` is for what it keeps."""
    backends = {"none": NoSandbox, "bubblewrap": lambda: bubblewrap(folder)}
    return backends[name]()
