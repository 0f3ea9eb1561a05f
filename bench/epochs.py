"""The epochs of an agent, as its store has them."""

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Epoch:
    """One epoch, as the store has it."""

    number: int
    first_step: int
    cause: str
    """`handoff` or `clearing`; `opening` of the first."""


def epochs_of(agent_store: Path) -> list[Epoch]:
    """All epochs of the agent, in order."""
    found: list[Epoch] = []
    for path in sorted(agent_store.glob("e*/base.json")):
        base = json.loads(path.read_bytes())
        number = int(path.parent.name[1:])
        cause = base.get("cause", "handoff" if number > 1 else "opening")
        found.append(Epoch(number, base["first_step"], cause))
    return found
