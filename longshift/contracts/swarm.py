"""Values about swarms: what one is started with, what its items and it report, how far it has come.

The plan is in `swarm_plan`, what the workflow carries besides in `swarm_state`.
"""

from enum import StrEnum

from longshift.contracts.attention import Attention
from longshift.contracts.checks import ChecksDigest
from longshift.contracts.ledger import Spend
from longshift.contracts.tools import ToolDigest
from longshift.contracts.transcript import Note
from longshift.contracts.wire import Wire


class ItemStatus(StrEnum):
    """How far an item has come."""

    PENDING = "pending"
    """Not begun: no turn yet, or what it depends on is not merged."""
    RUNNING = "running"
    WAITING = "waiting"
    """Begun, and held up: provider, quota, a person, no host. It counts as at work, and fails by none of these."""
    SEALED = "sealed"
    """Its work is proved and in the store, and waits to be merged."""
    MERGED = "merged"
    FAILED = "failed"
    """Its attempts are used up; `reason` says why."""
    DROPPED = "dropped"
    """Its work could not be merged, or made the checks red, and nobody could mend that."""
    BLOCKED = "blocked"
    """Something that it depends on was not merged."""
    STRUCK = "struck"
    """A person took it out while the swarm was at work."""
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens to it."""
        return self not in {ItemStatus.PENDING, ItemStatus.RUNNING, ItemStatus.WAITING, ItemStatus.SEALED}


class ItemFailure(StrEnum):
    """Why an attempt at an item did not lead to sealed work."""

    STUCK = "stuck"
    OVER_BUDGET = "over_budget"
    OUT_OF_SCOPE = "out_of_scope"
    CHECKS_RED = "checks_red"
    REFUSED = "refused"
    """The provider refused the content, or the context does not fit."""
    HOST = "host"
    """No host could make or keep its worktree."""
    ENDED = "ended"
    """Time was up, or a person ended it."""
    LOST = "lost"
    """Its workflow ended without a report: terminated, or failed by a bug."""


class ItemSeal(Wire):
    """The work of an item in the store."""

    attempt: int = 1
    key: str = ""
    """Of the bundle that leads from its base to its work; empty: it changed nothing."""
    base_tree: str = ""
    tree: str = ""
    files: int = 0
    insertions: int = 0
    deletions: int = 0
    changed_files: tuple[str, ...] = ()
    """At most 20."""


class ItemEnd(Wire):
    """The end of one attempt at an item, for the swarm: a digest of the report under `ids.item_report_key`."""

    item: str
    attempt: int = 1
    failure: ItemFailure | None = None
    """None: the work is proved and sealed."""
    reason: str = ""
    """In words, at most 300 characters."""
    seal: ItemSeal | None = None
    steps: int = 0
    spent: Spend = Spend()
    unknown: Spend = Spend()
    costs: dict[str, Spend] = {}
    """By model profile."""
    throttled: int = 0
    """How often the provider said that there were too many requests, beyond what the swarm was told meanwhile."""
    host: str = ""
    """Which host held its worktree last; empty: none did."""
    given_back: int = 0
    """The generation of the slot that this host has ended with the seal, the worktree removed; 0: it holds both."""
    started_at: float = 0.0
    """Seconds since 1970, as all times here."""
    ended_at: float = 0.0


class ItemReport(Wire):
    """The typed report of an item, whole, under `ids.item_report_key`; the lead can page into it."""

    item: str
    goal: str = ""
    status: ItemStatus = ItemStatus.SEALED
    failure: ItemFailure | None = None
    reason: str = ""
    attempt: int = 1
    summary: str = ""
    """In the sub-agent's words, at most 20,000 characters."""
    branch: str = ""
    """The name of its merge in the swarm's branch; empty: nothing of it is there."""
    files: tuple[str, ...] = ()
    """All that it changed."""
    tree: str = ""
    """The sealed files, for a seal that is repeated; empty: nothing is sealed."""
    insertions: int = 0
    deletions: int = 0
    checks: ChecksDigest | None = None
    measurements: dict[str, float] = {}
    open_questions: tuple[str, ...] = ()
    spend: Spend = Spend()
    steps: int = 0
    started_at: float = 0.0
    ended_at: float = 0.0
    agent: str = ""
    """For `longshift transcript`."""
    host: str = ""


class CriticalPath(Wire):
    """How long the job was, in steps and seconds, against doing all of it one after the other."""

    steps: int = 0
    """The lead's steps, and the longest item of each stage."""
    serial_steps: int = 0
    """The lead's steps, and those of all items."""
    seconds: float = 0.0
    """The longest chain of items, each with the time that it took."""
    serial_seconds: float = 0.0
    stages: tuple[int, ...] = ()
    """The steps of the longest item of each stage, in order."""
    speed_up: float = 1.0
    """`serial_steps` over `steps`."""


class SwarmSummary(Wire):
    """How far a swarm has come, for the session and for people; bounded in size."""

    swarm: str
    title: str = ""
    plan_hash: str = ""
    total: int = 0
    counts: dict[str, int] = {}
    """`ItemStatus` → items."""
    width: int = 0
    """Sub-agents that may be at work at once now."""
    steps: int = 0
    spent: Spend = Spend()
    unknown: Spend = Spend()
    costs: dict[str, Spend] = {}
    waiting_for: str = ""
    """What holds items up, in words: `12 wait: the key is not accepted`; empty: nothing."""
    needs_person: bool = False
    """What holds them up is for a person to mend."""
    troubled: tuple[str, ...] = ()
    """Items that failed, were dropped or wait, a line each, at most 20 of 200 characters."""
    critical_path: CriticalPath = CriticalPath()
    number: int = 0
    """Counts up: the newest one counts."""


class ItemNote(Wire):
    """A message for the sub-agent of one item, or of all: those at work get it with their next model call, the others
    with their first."""

    item: str = ""
    """Empty: all items that are not settled."""
    note: Note


class ItemWord(Wire):
    """A person takes an item out of a swarm that is at work; what it has done is left out."""

    item: str
    reason: str = ""
    by: str = ""


class ItemNews(Wire):
    """An item tells its swarm that it is held up, or goes on: on a change alone, so that 300 of them stay bearable."""

    item: str
    waiting: bool = False
    attention: Attention | None = None
    """Why; None: it goes on, or waits for a slot."""
    needs_person: bool = False
    """It does not go on by itself."""
    steps: int = 0
    spent: Spend = Spend()
    unknown: Spend = Spend()
    throttled: int = 0


class ItemLine(Wire):
    """One item in the table that people look at."""

    item: str
    status: ItemStatus
    attempt: int = 0
    """0: not begun."""
    steps: int = 0
    usd: float = 0.0
    tokens: int = 0
    files: int = 0
    seconds: float = 0.0
    """At work so far, or in all."""
    reason: str = ""


class SwarmTable(Wire):
    """The answer to the swarm's `table` query."""

    summary: SwarmSummary
    items: tuple[ItemLine, ...] = ()
    plan_key: str = ""


class SwarmReport(Wire):
    """What a swarm returns to its lead."""

    summary: SwarmSummary
    result: ToolDigest
    """Of the `delegate` call: its text is in the store, the integrated tree in the lead's workspace."""
    reason: str = ""
    """Why it ended before all items were settled."""


class SwarmResult(Wire):
    """The whole result of a swarm, under `ids.swarm_result_key`: where everything else of it is."""

    swarm: str
    plan_hash: str = ""
    """Of the plan that was carried out, under `ids.plan_key`."""
    summary: SwarmSummary
    attempts: dict[str, int] = {}
    """Item → the attempt whose report counts, under `ids.item_report_key`; none for an item that was not begun."""
    statuses: dict[str, str] = {}
    """Item → `ItemStatus`."""
    reasons: dict[str, str] = {}
    """Item → why it is not merged."""
    critical_path: CriticalPath = CriticalPath()
    branch: str = ""
    """The name of the swarm's branch; empty: nothing was merged."""
    commits: dict[str, str] = {}
    """Item → the commit that brings in its work; none for one that changed nothing."""
    mended_by: dict[str, str] = {}
    """Item → the sub-agent that mended its merge, whose report is under `ids.item_report_key` too."""
    kept: tuple[str, ...] = ()
    """Files that stay as the lead has them, as it changed them meanwhile; the branch has the swarm's version."""
    artifact: str = ""
    """Object key of the branch as a git bundle."""
    checks: ChecksDigest | None = None
    """Of the integrated tree."""
    reason: str = ""
    """Why it ended before all items were settled."""
