"""Where the HTTP API answers, kept in `api.json` of the data directory so that other commands on this host find it."""

import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from longshift.adapters.process.process_identity import ProcessIdentity
from longshift.adapters.process.process_table import process_stat

ADDRESS_FILE = "api.json"


@dataclass(frozen=True)
class ApiAddress:
    """A running API."""

    address: str
    """`host:port`."""
    url: str
    pid: int
    starttime: int
    """Clock ticks since boot: with the pid, which process it is."""


def own_address(host: str, port: int) -> ApiAddress:
    """The address of this process."""
    named = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    stat = process_stat(os.getpid())
    return ApiAddress(address=named, url=f"http://{named}", pid=os.getpid(), starttime=stat[1] if stat else 0)


def read_address(data_dir: Path) -> ApiAddress | None:
    """The API of `data_dir` that runs now; None when there is none or its file makes no sense."""
    found = _read(data_dir)
    return found if found is not None and ProcessIdentity(found.pid, found.starttime).is_alive() else None


def write_address(data_dir: Path, address: ApiAddress) -> None:
    """Put the file there in one piece."""
    data_dir.mkdir(parents=True, exist_ok=True)
    part = data_dir / f"{ADDRESS_FILE}.{os.getpid()}.part"
    part.write_text(json.dumps(asdict(address), indent=2) + "\n", encoding="utf-8")
    part.replace(data_dir / ADDRESS_FILE)


def remove_address(data_dir: Path, address: ApiAddress) -> None:
    """The API has ended; the file of another one that has begun meanwhile stays."""
    if _read(data_dir) == address:
        (data_dir / ADDRESS_FILE).unlink(missing_ok=True)


def _read(data_dir: Path) -> ApiAddress | None:
    try:
        table: Any = json.loads((data_dir / ADDRESS_FILE).read_text(encoding="utf-8"))
        return ApiAddress(**{field.name: table[field.name] for field in fields(ApiAddress)})
    except (OSError, ValueError, KeyError, TypeError):
        return None
