"""Whose pages may ask the codec server: those of the one Web UI, and the namespace that it shows."""

from urllib.parse import urlsplit

from longshift.adapters.engine import read_address
from longshift.connect import connection
from longshift.contracts.errors import BadInput
from longshift.settings import Settings

LOOPBACK = ("127.0.0.1", "localhost")
DEFAULT_NAMESPACE = "default"


def ui_origins(settings: Settings) -> tuple[str, ...]:
    """The origins of the Web UI: that of `ui_url`, else the embedded engine's by both of its names.

    Raises:
        BadInput: no Web UI is known.
    """
    if settings.ui_url is not None:
        return (origin_of(settings.ui_url),)
    found = None if settings.uses_external_engine else read_address(settings.data_dir)
    if found is None or not found.ui_url:
        raise BadInput(
            "ui_url: the codec server has to know whose pages it answers, and no Web UI runs here; "
            "set LONGSHIFT_UI_URL, or start it beside `longshift up`"
        )
    port = urlsplit(found.ui_url).port
    return tuple(f"http://{host}:{port}" for host in LOOPBACK)


def origin_of(url: str) -> str:
    """As browsers write it: scheme, host and port, the port left out where it is the scheme's own."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port not in (None, usual) else "")


def namespace(settings: Settings) -> str:
    """The namespace whose payloads these keys are for.

    Raises:
        BadInput: the `TEMPORAL_*` variables are wrong.
        EngineError: the embedded engine does not run.
    """
    if not settings.uses_external_engine and read_address(settings.data_dir) is None:
        return DEFAULT_NAMESPACE  # with a `ui_url` it may start before the engine
    return str(connection(settings).get("namespace") or DEFAULT_NAMESPACE)
