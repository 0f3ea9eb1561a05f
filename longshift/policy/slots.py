"""What a slot is worth at a moment: when it is given back, what went with it, and when it is taken no more."""

from longshift.contracts.agent import AgentState
from longshift.contracts.model import ToolClass
from longshift.contracts.session import AgentStatus
from longshift.contracts.tools import ToolDigest
from longshift.contracts.transcript import Note, Speaker
from longshift.contracts.workspace import CheckpointDigest, Workspace
from longshift.policy import notes

RETURNING_PRIORITY = 1
"""Of a session that has held a slot already: it goes ahead of new work."""
PERSON_GRACE_SECONDS = 60.0
"""A person who answers at once finds the workspace as it was, its background jobs included."""
LONG_WAIT_SECONDS = 300.0
"""A provider's wait is worth a slot up to this long."""
SAME_HOST_SECONDS = 45.0
"""How long the host that had the slot is waited for before any other may take it: a worker's restart, and some."""
DELIVERY_PATIENCE_SECONDS = 900.0
"""How long a session that ends otherwise than done waits for a host to deliver what there is."""
NOT_DELIVERED = "nothing was delivered, as no host was free in time; the last checkpoint is in the store"
UNSAVED_KEPT = 100
CRASHES = 3
"""So often a session may crash its worker, or lose its host without getting anywhere, before a person has to look."""


def gives_back_after(status: AgentStatus | None, paused: bool) -> float | None:
    """Seconds after which an agent that holds gives its slot back; None: it keeps it."""
    if status is None or not status.idle:
        return None
    if paused or (status.waiting and not status.wait_seconds):
        return PERSON_GRACE_SECONDS
    return 0.0 if status.wait_seconds >= LONG_WAIT_SECONDS else None


def with_unsaved(state: AgentState, digest: ToolDigest) -> tuple[int, ...]:
    """The steps whose changes are not in the store, with the one of this result."""
    steps = state.unsaved_steps
    if not digest.changes_workspace or state.step in steps:
        return steps
    return (*steps, state.step)[-UNSAVED_KEPT:]


def without_saved(state: AgentState, digest: CheckpointDigest) -> tuple[int, ...]:
    """What is left of them after a checkpoint."""
    return tuple(step for step in state.unsaved_steps if step > digest.step or not digest.archived)


def runs_again(tool_class: ToolClass) -> bool:
    """Whether a call whose host went away may simply be made on the next one."""
    return tool_class is not ToolClass.EFFECT


def told(state: AgentState, workspace: Workspace) -> Note | None:
    """What the agent hears of a workspace that was made again for it; nothing where the host still had it."""
    restoration = workspace.restoration
    if restoration is None or workspace.life <= state.workspace.life:
        return None
    saved = state.checkpoint.step if state.checkpoint and state.checkpoint.archived else 0
    gap = (restoration.step + 1, saved) if restoration.step < saved else None
    missing = tuple(step for step in state.unsaved_steps if step > max(restoration.step, saved))
    text = notes.moved(workspace, missing, gap)
    return Note(speaker=Speaker.RUNNER, text=text, message_id=f"{notes.MOVED} {workspace.generation}")
