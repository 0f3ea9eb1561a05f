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
DELIVERY_PATIENCE_SECONDS = 900.0
"""How long a session that ends otherwise than done waits for a host to deliver what there is."""
NOT_DELIVERED = "nothing was delivered, as no host was free in time; the last checkpoint is in the store"
SILENCE_SECONDS = 15.0
"""A host that was not heard of for so long has lost its slots."""
MARGIN_SECONDS = 5.0
UNSAVED_KEPT = 100
LOSSES = 5
"""So often in a row a session may lose its slot soon after it got it before a person has to look."""
SOON_SECONDS = 600.0
"""A slot that was held for longer did some good."""


def gives_back_after(status: AgentStatus | None, paused: bool) -> float | None:
    """Seconds after which an agent that holds gives its slot back; None: it keeps it."""
    if status is None or not status.idle:
        return None
    if paused or (status.waiting and not status.wait_seconds):
        return PERSON_GRACE_SECONDS
    return 0.0 if status.wait_seconds >= LONG_WAIT_SECONDS else None


def forsaken_after(patience_seconds: float) -> float:
    """How long after its last word a host may still get a session back that held a slot there."""
    return SILENCE_SECONDS + patience_seconds + MARGIN_SECONDS


def losses_in_a_row(losses: int, held_seconds: float) -> int:
    """How many slots were lost soon after they were granted, this one included."""
    return losses + 1 if held_seconds < SOON_SECONDS else 1


def is_poison(losses: int) -> bool:
    """Whether a session seems to be what takes its hosts down."""
    return losses >= LOSSES


def quarantined(losses: int, host_id: str) -> str:
    """Why a session is not given another slot by itself."""
    return (
        f"the slot was lost {losses} times in a row, each time within {SOON_SECONDS / 60:.0f} minutes, the last time "
        f"on host {host_id}: this session may be what takes its hosts down. Look into their logs, then resume it, or "
        "cancel it"
    )


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
    is_own = not restoration.session and restoration.agent in ("", state.agent)
    restored = restoration.step if is_own else state.first_step - 1  # before any step of this agent
    saved = state.checkpoint.step if state.checkpoint and state.checkpoint.archived else 0
    gap = (restored + 1, saved) if restored < saved else None
    missing = tuple(step for step in state.unsaved_steps if step > max(restored, saved))
    is_rolled_back = state.checkpoint is not None and state.checkpoint.tree_hash == restoration.tree_hash
    back_to_step = state.checkpoint.back_to_step if state.checkpoint and is_rolled_back else None
    text = notes.moved(workspace, missing, gap, is_own=is_own, back_to_step=back_to_step)
    return Note(speaker=Speaker.RUNNER, text=text, message_id=f"{notes.MOVED} {workspace.generation}")
