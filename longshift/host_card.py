"""What a host tells of itself with every heartbeat of its workers: its release, and how many slots it has.

It travels as the name of a plugin that does nothing else: the engine passes those on as they are. How many of a
custom supplier's slots there are, a heartbeat does not say by itself.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from temporalio.plugin import SimplePlugin

import longshift

_FORM = re.compile(r"longshift-host version=(\S+) slots=(\d+) sub_agent_slots=(\d+)")


@dataclass(frozen=True)
class HostCard:
    """A host in its own words."""

    version: str
    """Of Longshift."""
    slots: int | None
    """For sessions."""
    sub_agent_slots: int | None


def host_card(slots: int, sub_agent_slots: int) -> SimplePlugin:
    """The plugin for the workers of a host."""
    return SimplePlugin(
        f"longshift-host version={longshift.__version__} slots={slots} sub_agent_slots={sub_agent_slots}"
    )


def read_host_card(plugins: Iterable[str]) -> HostCard | None:
    """The card among the names of a worker's plugins; None where a host shows none."""
    found = next(filter(None, map(_FORM.fullmatch, plugins)), None)
    return HostCard(found[1], int(found[2]), int(found[3])) if found else None
