"""What a tool is given besides its arguments, what it gives back, and how it declines.

How a tool is chosen and followed is in `toolbox`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from longshift.contracts.completion import ProposedCheck
from longshift.contracts.tools import PlanItem, ToolStatus

SUMMARY_LIMIT_CHARACTERS = 120

OnProgress = Callable[[str], None]
"""Takes a short line about a call that is still going on."""


@dataclass(frozen=True)
class ToolContext:
    """Where and for whom a call runs."""

    agent: str
    task_id: str
    step: int
    index: int
    root: Path
    """The workspace tree."""
    home: Path
    tmp: Path
    """What commands see as `/tmp`."""
    outputs_root: Path
    """Where the outputs of commands lie; `read_file` and `grep` may look there."""
    run_key: str
    """`contracts.ids.run_key`: the same for every attempt at this call."""
    life: int = 1
    """Of the workspace, see `contracts.workspace`."""
    network: str = "none"
    """The network profile of commands."""
    seen_root: str = ""
    """Where commands, and so the model, see the workspace tree; empty: at its own path."""
    seen_home: str = ""


@dataclass(frozen=True)
class ToolOutcome:
    """The end of a tool call, or where it stands when the patience of a quick call is over."""

    status: ToolStatus
    text: str
    """The result as the model reads it."""
    changes_workspace: bool = False
    plan: tuple[PlanItem, ...] | None = None
    summary: str = ""
    """One line for people."""
    proposed: tuple[ProposedCheck, ...] | None = None
    """The checks that came with a plan."""
    ended_job: str = ""
    """A background job that was seen to have ended."""
    ended_ok: bool = False
    waits: bool = False
    """It looked at a job that still runs."""


class ToolRefused(Exception):
    """Ends a tool call with an error that the model can act on; never leaves the toolbox."""


def one_line(text: str, limit_characters: int = SUMMARY_LIMIT_CHARACTERS) -> str:
    """`text` on one line, cut to `limit_characters`."""
    line = " ".join(text[: limit_characters * 4].split())
    return line if len(line) <= limit_characters else line[: limit_characters - 1] + "…"


def counted(number: int, noun: str) -> str:
    """`1 line`, `2,000 lines`; nouns in -ch take -es."""
    plural = noun if number == 1 else f"{noun}es" if noun.endswith("ch") else f"{noun}s"
    return f"{number:,} {plural}"


def storable(text: str) -> str:
    """`text` with lone surrogates, as undecodable file names hold them, replaced."""
    return text.encode("utf-8", "replace").decode()
