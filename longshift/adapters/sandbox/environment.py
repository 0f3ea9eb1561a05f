"""The environment every sandboxed command starts from, built from nothing: the worker's own is never read."""

from longshift.adapters.sandbox.port import SandboxCommand

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def clean_environment(command: SandboxCommand, path: str = DEFAULT_PATH) -> dict[str, str]:
    """A plain terminal's environment with the command's own variables over it."""
    return {"PATH": path, "HOME": command.seen(command.home), "LANG": "C.UTF-8", "TERM": "dumb", **command.env}
