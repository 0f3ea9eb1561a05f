"""Slots: the right of a session to a workspace on one host, for as long as the host's heartbeats last.

A slot is one `hold_slot` activity. Its generation is the fencing token: it counts from 1 with every slot that a session
takes, and whatever is done under an older one is refused or not looked at.
"""

from enum import StrEnum

from longshift.contracts.wire import Wire
from longshift.contracts.workspace import Workspace


class SlotKind(StrEnum):
    """What a slot is for; a host has a number of each."""

    SESSION = "session"
    SUB_AGENT = "sub_agent"


class HoldSlotInput(Wire):
    """Asks a host for a slot: prepare the workspace, tell the session, and hold until the session lets go."""

    task_id: str
    session: str
    """Workflow id of the session, which gets the signals `slot_taken`, `slot_granted` and `slot_draining`."""
    generation: int
    kind: SlotKind = SlotKind.SESSION
    integration: int = 0
    """Of an item: the integrated state that its worktree starts from, the same for all of its slots; 0: the one that
    its task names."""


class SlotEnd(Wire):
    """A slot was let go in good order."""

    ended_commands: int = 0
    """Commands that still ran in the workspace and were ended with it."""


class SlotTaken(Wire):
    """A host took the request out of the queue and begins to prepare."""

    generation: int
    host_id: str


class SlotGranted(Wire):
    """The workspace is ready on that host."""

    generation: int
    workspace: Workspace


class SlotDraining(Wire):
    """The host is about to stop: let go of the slot at the next step, within the time."""

    generation: int
    seconds: float
