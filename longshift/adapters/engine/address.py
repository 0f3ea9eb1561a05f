"""Where the embedded engine answers, kept in a file so that other commands on this host find it."""

import contextlib
import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from longshift.adapters.process.process_identity import ProcessIdentity

ADDRESS_FILE = "engine.json"


@dataclass(frozen=True)
class EngineAddress:
    """A running engine."""

    address: str
    """`host:port` of the gRPC frontend."""
    ui_url: str
    """Empty when the engine runs without its Web UI."""
    namespace: str
    pid: int
    starttime: int
    """Clock ticks since boot: with the pid, which process it is."""

    def is_alive(self) -> bool:
        """Whether that very process still runs."""
        return ProcessIdentity(self.pid, self.starttime).is_alive()


def read_address(data_dir: Path) -> EngineAddress | None:
    """The engine of `data_dir` that runs now; None when there is none or its file makes no sense."""
    try:
        table: Any = json.loads((data_dir / ADDRESS_FILE).read_text(encoding="utf-8"))
        found = EngineAddress(**{field.name: table[field.name] for field in fields(EngineAddress)})
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if found.is_alive() else None


def write_address(data_dir: Path, address: EngineAddress) -> None:
    """Put the file there in one piece: a reader sees the old one or the new one."""
    part = data_dir / f"{ADDRESS_FILE}.{os.getpid()}.part"
    part.write_text(json.dumps(asdict(address), indent=2) + "\n", encoding="utf-8")
    part.replace(data_dir / ADDRESS_FILE)


def remove_address(data_dir: Path) -> None:
    """The engine has ended."""
    with contextlib.suppress(FileNotFoundError):
        (data_dir / ADDRESS_FILE).unlink()
