"""What a swarm leaves behind: seals and reports in the store, worktrees and processes on the machine."""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

from longshift.contracts.swarm import ItemReport

MARK = ".swarm"
"""In the name of every worktree of an item, and of the integration."""


def reports(data_dir: Path, swarm: str) -> dict[str, list[ItemReport]]:
    """The stored reports of all attempts, resolvers' too, by item; in the order of the attempts."""
    found: dict[str, list[ItemReport]] = {}
    for path in sorted((data_dir / "store" / "swarms" / swarm / "items").glob("*/report-*.json")):
        found.setdefault(path.parent.name, []).append(ItemReport.model_validate_json(path.read_bytes()))
    return found


def seals(data_dir: Path, swarm: str) -> Counter[str]:
    """How many attempts of each item were sealed as proved work."""
    return Counter(
        {item: sum(each.failure is None for each in told) for item, told in reports(data_dir, swarm).items()}
    )


def result(data_dir: Path, swarm: str) -> dict[str, Any]:
    """The swarm's whole result."""
    return json.loads((data_dir / "store" / "swarms" / swarm / "result.json").read_bytes())


def worktrees(*host_dirs: Path) -> list[str]:
    """Folders of items and integrations that are still there."""
    return [str(path) for place in host_dirs for path in (place / "workspaces").glob(f"*{MARK}*")]


def processes(data_dir: Path) -> list[str]:
    """Commands that run in a worktree below `data_dir`, or for one, as their command lines."""
    found: list[str] = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            place = f"{line} {os.readlink(entry / 'cwd')}"
        except OSError:
            continue  # it has ended, or is the kernel's
        if str(data_dir) in place and MARK in place:
            found.append(f"{entry.name}: {line[:200]}")
    return found
