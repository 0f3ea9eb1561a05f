"""The activities of swarms, as workflows see them. `activities/` implements them."""

from abc import ABC, abstractmethod

from temporalio import activity

from longshift.contracts.checks import ChecksDigest
from longshift.contracts.swarm import CriticalPath, ItemEnd, SwarmSummary
from longshift.contracts.swarm_plan import PlanDigest, SwarmRules
from longshift.contracts.tools import ToolDigest
from longshift.contracts.verification import VerdictDigest
from longshift.contracts.wire import Wire
from longshift.contracts.workspace import Workspace


class PlanSwarmInput(Wire):
    """Makes a plan of the arguments of a `delegate` call; they are read from the step's answer in the store."""

    workspace: Workspace
    agent: str
    task_id: str
    swarm: str
    epoch: int
    step: int
    index: int
    rules: SwarmRules = SwarmRules()


class AmendPlanInput(Wire):
    """A person changes a plan: `text` has a change per line (docs/swarm.md), or is a whole plan as JSON."""

    workspace: Workspace
    task_id: str
    swarm: str
    plan_hash: str
    """The plan that was shown."""
    text: str
    shown_hash: str = ""
    """The plan that the diff is from; empty: `plan_hash`."""


class CriticisePlanInput(Wire):
    """Has another model call judge a plan in a fresh context."""

    agent: str
    task_id: str
    swarm: str
    plan_hash: str
    profile: str
    step: int
    round: int = 1


class OpenSwarmInput(Wire):
    """Records what all items start from, and writes a task for each and for the integration."""

    workspace: Workspace
    task_id: str
    """Of the session."""
    agent: str
    """The lead."""
    step: int
    swarm: str
    plan_hash: str
    profile: str = ""


class OpenedSwarm(Wire):
    """What all items start from."""

    base_tree: str = ""
    base_step: int = 0
    """The checkpoint of the lead that holds it; what hosts without its workspace start from."""
    has_checks: bool = False
    """The integration has checks to run: the task's own, and those of the plan."""


class SealItemInput(Wire):
    """Puts the proved work of an item into the store, with its report; refuses what lies outside its write scope."""

    workspace: Workspace
    task_id: str
    """The item's."""
    swarm: str
    item: str
    attempt: int
    end: ItemEnd
    """What is known without a look at the files; with a `failure` only the report is written."""
    agent: str
    last_step: int
    """The step of the `finish` whose words the report takes; 0: none."""
    epoch: int = 1
    checks: ChecksDigest | None = None
    """What the agent's `finish` was accepted for: the tree that they proved is the one that is sealed."""


class DiscardWorktreeInput(Wire):
    """Ends what runs in a worktree and removes it from its host; what is sealed is in the store."""

    workspace: Workspace


class Merge(Wire):
    """One item's work on its way into the integrated tree."""

    item: str
    """The name of the item, also where a resolver has done the work."""
    attempt: int = 1
    by: str = ""
    """The resolver whose work it is (`ids.resolver_item`); empty: the item's own."""


class MergeInput(Wire):
    """Merges work into the integration worktree, in this order, up to the first conflict.

    The same input gives the same state, whatever had been merged there before: a worktree that is not at `onto` is made
    so first, from the store where it is gone.
    """

    workspace: Workspace
    """The lead's: the integration lies beside it."""
    task_id: str
    swarm: str
    onto: int
    """The integrated state that it is done on; 0: the lead's base."""
    merges: tuple[Merge, ...]
    number: int
    """The state that it becomes, if anything of it does; each attempt at a batch has its own."""
    writes_files: bool = True
    """Whether the worktree's files become those of the state: only checks need them."""


class MergeDigest(Wire):
    """What a merge came to. The state is in the store under `ids.integration_key`."""

    number: int
    """The integrated state now; `onto` where nothing was merged."""
    merged: tuple[str, ...] = ()
    """Items whose work is in it, of those asked for."""
    conflict: str = ""
    """The item whose work does not fit; those after it were not tried."""
    conflict_files: tuple[str, ...] = ()
    """At most 20."""
    failure: str = ""
    """Why that item cannot be merged at all, such as a bundle that holds what it should not."""
    tree: str = ""
    """The files; empty where they were not written."""
    workspace: Workspace | None = None
    """The integration's, for checks."""


class OpenResolverInput(Wire):
    """Writes the task of a sub-agent that mends a merge, with both sides and the goals."""

    workspace: Workspace
    task_id: str
    swarm: str
    plan_hash: str
    onto: int
    item: str
    attempt: int
    number: int
    """Of the resolver, from 1 for each item."""
    red_checks_step: int = 0
    """Set when the merge was clean and the checks were red: their run (`run_checks`'s step)."""
    others: tuple[str, ...] = ()
    """Items that were merged since the one to be mended was begun: the other side; empty: as the history says."""
    by: str = ""
    """The resolver whose work does not fit either; empty: it is the item's own."""
    evidence: ChecksDigest | None = None
    """What the red checks said."""


class LandSwarmInput(Wire):
    """Brings the integrated tree into the lead's workspace, and writes the result of the `delegate` call."""

    workspace: Workspace
    task_id: str
    agent: str
    epoch: int
    step: int
    index: int
    swarm: str
    plan_hash: str
    number: int
    """The integrated state; 0: nothing was merged."""
    summary: SwarmSummary
    ends: tuple[tuple[str, int], ...] = ()
    """Item → the attempt whose report counts."""
    statuses: dict[str, str] = {}
    """Item → `ItemStatus`."""
    reasons: dict[str, str] = {}
    """Item → why it is not merged, at most 200 characters."""
    critical_path: CriticalPath = CriticalPath()
    reason: str = ""
    """Why the swarm ended before all items were settled."""
    merges: tuple[Merge, ...] = ()
    """What is in the integrated state, in order."""
    checks: ChecksDigest | None = None
    """What proved it."""


class SweepSwarmInput(Wire):
    """Removes what a swarm has left on a host: worktrees, commands."""

    host_id: str
    swarm: str


class SwarmPlanActivities(ABC):
    """Plans, on the lead's host."""

    @activity.defn
    @abstractmethod
    async def plan_swarm(self, request: PlanSwarmInput) -> PlanDigest:
        """Fill in templates, check the plan against the rules and the tree, keep it."""

    @activity.defn
    @abstractmethod
    async def amend_plan(self, request: AmendPlanInput) -> PlanDigest:
        """The plan as a person changes it, checked like any other, with the difference to what was shown."""


class WorktreeActivities(ABC):
    """Worktrees of items, on the host of the workspace that is named."""

    @activity.defn
    @abstractmethod
    async def open_swarm(self, request: OpenSwarmInput) -> OpenedSwarm:
        """Record the base, write the tasks of items and integration; on the lead's host."""

    @activity.defn
    @abstractmethod
    async def seal_item(self, request: SealItemInput) -> ItemEnd:
        """Keep an item's work and report; work outside of its write scope makes the attempt a failure.

        What is sealed needs neither worktree nor slot any more: both are given back, and the answer says so.
        """

    @activity.defn
    @abstractmethod
    async def discard_worktree(self, request: DiscardWorktreeInput) -> None:
        """Remove a worktree whose work is in the store, or is not wanted."""

    @activity.defn
    @abstractmethod
    async def sweep_swarm(self, request: SweepSwarmInput) -> None:
        """Remove what is left of a swarm on this host."""


class MergeActivities(ABC):
    """Merges, on the lead's host."""

    @activity.defn
    @abstractmethod
    async def merge_items(self, request: MergeInput) -> MergeDigest:
        """Merge work into the integration worktree."""

    @activity.defn
    @abstractmethod
    async def open_resolver(self, request: OpenResolverInput) -> None:
        """Write the task of a sub-agent that mends a merge."""

    @activity.defn
    @abstractmethod
    async def land_swarm(self, request: LandSwarmInput) -> ToolDigest:
        """The integrated tree in the lead's workspace, the branch, the result of the call."""


class SwarmModelActivities(ABC):
    """Calls to model providers about plans."""

    @activity.defn
    @abstractmethod
    async def criticise_plan(self, request: CriticisePlanInput) -> VerdictDigest:
        """Ask in a fresh context whether the plan may be carried out; a stored verdict is returned without a call."""
