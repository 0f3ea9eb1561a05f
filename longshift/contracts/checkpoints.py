"""Values of the archive of checkpoints: what the store holds of a session's files, so that another host can go on.

Bundles are plain git bundles; a record stands beside each and is written after it. Keys are in `ids`.
"""

from enum import StrEnum

from longshift.contracts.wire import Wire
from longshift.contracts.workspace import Workspace


class CheckpointKind(StrEnum):
    """What a bundle holds, and so what has to be there before it is of use."""

    FULL = "full"
    """The base and the checkpoint; it needs nothing else."""
    CUMULATIVE = "cumulative"
    """All that was done since the base; it builds on a full one."""
    INCREMENTAL = "incremental"
    """What was done since another checkpoint."""


class CheckpointPlace(Wire):
    """Where a record is in a task's archive."""

    generation: int
    """The slot that wrote it."""
    number: int
    session: str = ""
    """Another task, in whose archive it is; empty: in the task's own."""
    is_base: bool = False
    """Not the checkpoint itself is meant, but its base: the files before any work."""


class CheckpointRecord(Wire):
    """One archived checkpoint; with the ones that it builds on, all that makes a shadow repository whole again."""

    generation: int
    number: int
    """Counts up; within a generation the highest is the newest."""
    step: int
    agent: str = ""
    """Whose step it is; empty in records of earlier releases."""
    back_to_step: int | None = None
    """Of a rollback after `step`: the files are those after this earlier step."""
    kind: CheckpointKind
    tree: str
    commit: str
    base_commit: str
    workspace: Workspace
    """As the writer held it: host, base tree, commit of the source."""
    builds_on: CheckpointPlace | None = None
    protected: tuple[str, ...] = ()
    """The task's protected globs."""
    left_out: tuple[str, ...] = ()
    """Files that checkpoints do not cover although no rule excludes them; at most 200."""
    own_rules: str = ""
    """Of full ones: the shadow's ignore rules. Bytes as Latin-1, so that any name passes."""
    base_rules: str = ""
    """Of full ones: the ignore rules as they were before work started, as Latin-1."""
    bundle_sha256: str
    bundle_bytes: int
    bundle_parts: int = 1
    full: CheckpointPlace | None = None
    """The full one at the bottom; None for a full one itself."""
    full_bytes: int = 0
    cumulative_count: int = 0
    """Cumulative ones since the full one."""
    incremental_count: int = 0
    """Incremental ones since the last full or cumulative one."""
    incremental_bytes: int = 0
    """The sum of their bundles."""

    @property
    def place(self) -> CheckpointPlace:
        """Where it is."""
        return CheckpointPlace(generation=self.generation, number=self.number)


class CheckpointStart(Wire):
    """What a slot's workspace was made from; written once, before anybody works in it.

    What an older slot writes afterwards is not looked at any more.
    """

    generation: int
    host_id: str
    restored: CheckpointPlace | None = None
    """None where work started from the source."""
