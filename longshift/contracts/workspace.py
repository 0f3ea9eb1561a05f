"""Values about workspaces: where a session's files live, and checkpoints of them."""

from longshift.contracts.delivery import BranchDelivery
from longshift.contracts.network import NetworkAccess, NetworkUse
from longshift.contracts.wire import Wire


class Restoration(Wire):
    """How a workspace was made again on a host that did not have it, out of the checkpoints in the store."""

    step: int
    """The step whose files these are; 0 where there was no checkpoint, so that work starts from the source."""
    from_generation: int = 0
    """The slot under which that checkpoint was taken; 0 without one."""
    session: str = ""
    """Another session, whose checkpoint it is; empty: the session's own."""
    agent: str = ""
    """The agent whose step it is; empty where the checkpoint does not say."""
    tree_hash: str = ""
    has_own_repository: bool = True
    """The source was fetched again, and with it its repository; otherwise there are the covered files alone."""
    remarks: tuple[str, ...] = ()
    """What else differs from the host that was lost, a sentence each, for the agent."""


class Workspace(Wire):
    """A prepared workspace and the host that holds it. All its tools run on `host_queue`."""

    workspace_id: str
    """The task id; one workspace per session."""
    host_id: str
    host_queue: str
    root: str
    """Absolute path of the tree on that host."""
    generation: int = 1
    """The fencing token of the slot that granted it; a host refuses calls with an older one."""
    life: int = 1
    """The generation in which these files were made on this host: what ran in an earlier life is not taken up again."""
    quick_calls: bool = False
    """The host's tools are also registered where workflows run, so short calls may go as local activities."""
    sandbox: str = "none"
    """The sandbox backend in force, shown on every face."""
    network: NetworkAccess | None = None
    """What its commands and checks may reach; None from an earlier release."""
    base_tree: str = ""
    """Tree hash after setup, before any work."""
    files: int = 0
    total_bytes: int = 0
    rules_file: str = ""
    """`AGENTS.md` or `CLAUDE.md` when the tree has one; its text is in the store under `ids.rules_key`."""
    source_commit: str = ""
    """The commit of a git source, so that another host fetches the same."""
    restoration: Restoration | None = None
    """Set when this slot's host made the workspace again; None when the host had it, or made it for the first time."""


class CheckpointDigest(Wire):
    """The state of the tree after a step, as recorded in the shadow repository."""

    step: int
    tree_hash: str
    commit: str
    changed_files: tuple[str, ...] = ()
    """Paths that differ from the base tree; at most 200."""
    changed_count: int = 0
    archived: bool = False
    """The checkpoint is in the store, so that another host can go on from it."""
    back_to_step: int | None = None
    """Of a rollback: the files are those after this earlier step."""
    duration_seconds: float = 0.0


class DeliveryDigest(Wire):
    """What a session leaves behind in the store."""

    artifacts: tuple[str, ...] = ()
    """Object keys."""
    changed_files: int = 0
    insertions: int = 0
    deletions: int = 0
    network: NetworkUse | None = None
    """What was asked of the network on the last host; None where there was none."""
    diff: str = ""
    """The first 4,000 characters of the patch, for people; the whole is an artifact."""
    branch: BranchDelivery | None = None
    """What became of a branch that the task wished for."""
