"""The server's command line: ports, store, search attributes and the tuning. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

HOST = "127.0.0.1"
"""The server has no authentication: it must not be reachable from elsewhere."""

SQLITE_PRAGMAS: Mapping[str, str] = {"journal_mode": "WAL", "synchronous": "NORMAL"}
"""NORMAL survives the death of any process; a power cut may take back the last transactions, which is why what is
fenced (store, claims) never relies on them. `docs/decisions/0003-embedded-engine.md` has the figures."""

DYNAMIC_CONFIG: Mapping[str, str] = {
    "matching.enableFairness": "true",
    # Turns and rate limits are kept per partition; four of them (the default) are 16 % off on a queue of few tasks.
    "matching.numTaskqueueReadPartitions": "1",
    "matching.numTaskqueueWritePartitions": "1",
    # 20 polls a second by default, which makes every activity and every workflow task wait its turn.
    "history.transferProcessorMaxPollRPS": "1000",
    "history.timerProcessorMaxPollRPS": "1000",
    "history.visibilityProcessorMaxPollRPS": "1000",
}
"""Key → JSON value."""


@dataclass(frozen=True)
class EnginePorts:
    """The ports that one server takes on this host."""

    frontend: int
    http: int
    ui: int | None
    """None: no Web UI."""


def server_command(
    binary: Path,
    database: Path,
    ports: EnginePorts,
    search_attributes: Mapping[str, str],
    *,
    dynamic_config: Mapping[str, str] = DYNAMIC_CONFIG,
    pragmas: Mapping[str, str] = SQLITE_PRAGMAS,
) -> list[str]:
    """The arguments that start one server on `database`."""
    ui = ["--headless"] if ports.ui is None else ["--ui-port", str(ports.ui), "--ui-disable-news-fetch"]
    return [
        str(binary),
        "server",
        "start-dev",
        "--ip",
        HOST,
        "--port",
        str(ports.frontend),
        "--http-port",
        str(ports.http),
        *ui,
        "--db-filename",
        str(database),
        "--log-level",
        "warn",
        "--log-format",
        "json",
        *(part for name, value in pragmas.items() for part in ("--sqlite-pragma", f"{name}={value}")),
        *(part for name, kind in search_attributes.items() for part in ("--search-attribute", f"{name}={kind}")),
        *(part for key, value in dynamic_config.items() for part in ("--dynamic-config-value", f"{key}={value}")),
    ]


def add_attributes_command(binary: Path, ports: EnginePorts, namespace: str, missing: Mapping[str, str]) -> list[str]:
    """The arguments that register search attributes with a running server."""
    given = (part for name, kind in missing.items() for part in ("--name", name, "--type", kind))
    address = f"{HOST}:{ports.frontend}"
    return [
        *(str(binary), "operator", "search-attribute", "create"),
        *("--address", address, "--namespace", namespace, *given),
    ]


def is_server_of(command_line: list[str], database: Path) -> bool:
    """Whether a process with this command line is a server on `database`."""
    pairs = pairwise(command_line)
    return "start-dev" in command_line and ("--db-filename", str(database)) in pairs
