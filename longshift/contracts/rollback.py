"""Values of a rollback: steps of an agent that are undone, in its files and in its conversation.

Nothing that was written is removed: a rollback begins a new epoch, and its files are a further checkpoint.
"""

from longshift.contracts.model import BYTES_PER_TOKEN
from longshift.contracts.tools import PlanItem
from longshift.contracts.transcript import Note, Speaker
from longshift.contracts.wire import Wire
from longshift.contracts.workspace import CheckpointDigest, Workspace


class Rollback(Wire):
    """What is wanted: everything as it was after a step."""

    to_step: int
    """A closed step of the agent at work; 0 is its beginning."""
    reason: str = ""
    """In the words of who wants it. The agent gets a person's as a message."""
    by: Speaker = Speaker.PERSON
    request_id: str = ""
    """The update id of a person's request."""


class FindStepsInput(Wire):
    """Asks how far an agent's transcript has come."""

    agent: str


class StepsFound(Wire):
    """How far an agent's transcript has come."""

    first: int = 1
    """The agent's first step; a fork's is not 1."""
    last: int = 0
    """The last step with an answer; 0: none has one yet."""
    tip: int = 0
    """The last step of the conversation as it is now: another one than `last` right after a rollback."""


class RollBackFilesInput(Wire):
    """Makes the files of a workspace what they were after a step."""

    workspace: Workspace
    agent: str
    step: int
    """The last step so far: the checkpoint is counted as one of its."""
    to_step: int


class FilesRolledBack(Wire):
    """What became of the files."""

    checkpoint: CheckpointDigest
    """Of the files as they are now."""
    recorded_step: int = 0
    """The step after which they were recorded; no later one up to the wanted step has changed them. 0: none did."""
    remarks: tuple[str, ...] = ()
    """What else the agent has to know, a sentence each."""


class RollBackConversationInput(Wire):
    """Begins the epoch in which a conversation goes on from an earlier step."""

    agent: str
    profile: str
    epoch: int
    """The current one."""
    step: int
    """The first step of the new epoch: step numbers go on."""
    to_step: int
    bytes_per_token: float = BYTES_PER_TOKEN


class ConversationRolledBack(Wire):
    """The epoch that was begun."""

    epoch: int
    first_step: int
    """The oldest step of it that a compaction could leave behind; the epoch's own first step where there is none."""
    context_tokens: int = 0
    context_bytes: int = 0
    plan: tuple[PlanItem, ...] = ()
    """As it was after the step that was gone back to."""
    people: tuple[Note, ...] = ()
    """What people said in the steps that are undone."""
