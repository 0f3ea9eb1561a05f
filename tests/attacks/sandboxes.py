"""The backends that are attacked."""

from longshift.adapters.sandbox.none import NoSandbox
from longshift.adapters.sandbox.port import Sandbox


def sandbox_named(name: str) -> Sandbox:
    """A backend by its name."""
    return NoSandbox()
