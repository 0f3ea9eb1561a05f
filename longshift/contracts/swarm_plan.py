"""A swarm's plan: what sub-agents are to do, where they may write, in which order, and how each is proved.

The model's arguments of `delegate` become a plan in `policy.swarm_plan`; nothing is decided here. Whole plans live in
the store under `ids.plan_key`, workflows carry digests.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from longshift.contracts.completion import MAX_PROPOSED_CHECKS, ProposedCheck
from longshift.contracts.wire import UserInput, Wire

MAX_ITEMS = 300
ITEM_ID_PATTERN = r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$"
"""Item ids are part of task ids, workflow ids, object keys and folder names."""
GOAL_MAX_CHARACTERS = 8_000

ItemId = Annotated[str, StringConstraints(pattern=ITEM_ID_PATTERN)]
Glob = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class PlanReview(StrEnum):
    """Who lets a swarm's plan be carried out."""

    AUTO = "auto"
    """The rules alone."""
    CRITIC = "critic"
    """Another model call, in a fresh context."""
    HUMAN = "human"


class SwarmRules(UserInput):
    """What a task says about sub-agents."""

    review: PlanReview | None = None
    """Who reviews plans; when left out, a person where the task is `cautious` or `manual`, else nobody."""
    max_items: int = Field(default=MAX_ITEMS, ge=0, le=MAX_ITEMS)
    """0: the task's agent has no sub-agents."""
    width: int | None = Field(default=None, ge=1, le=MAX_ITEMS)
    """Sub-agents at work at once; the runner's own `swarm_width` when left out."""
    attempts: int = Field(default=2, ge=1, le=5)
    """How often an item is begun before it counts as failed; a later attempt goes on with the conversation."""


class SwarmItem(Wire):
    """One item of a plan, templates filled in."""

    id: ItemId
    goal: Annotated[str, StringConstraints(min_length=1, max_length=GOAL_MAX_CHARACTERS)]
    inputs: tuple[str, ...] = ()
    """Files or folders to read first; each is in the tree, or where an item that this one depends on may write."""
    write_scope: tuple[Glob, ...] = ()
    """Globs (gitignore syntax, relative to the root) of the files that it may change; empty: none."""
    depends_on: tuple[ItemId, ...] = ()
    """Items that are merged, and green, before this one starts; it starts from their result."""
    merge_after: tuple[ItemId, ...] = ()
    """Items that may run at the same time and are merged before this one: an order for overlapping write scopes."""
    checks: tuple[ProposedCheck, ...] = Field(default=(), max_length=MAX_PROPOSED_CHECKS)
    """What proves this item, run in its own worktree; exit code 0."""
    budget_share: float | None = None
    """Part of the swarm's budget, above 0 to 1; without one, items share what is left evenly."""
    model: str = ""
    """A model profile; empty: the lead's."""


class PlanTemplate(Wire):
    """What many items were made of, kept so that people see it once: texts with `{{input}}`, `{{number}}`, `{{slug}}`.

    What is carried out are the items alone.
    """

    id: str
    goal: str
    inputs: tuple[str, ...] = ()
    write_scope: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    merge_after: tuple[str, ...] = ()
    checks: tuple[tuple[str, str], ...] = ()
    """Name and command of each."""
    budget_share: float | None = None
    model: str = ""
    over: tuple[str, ...] = ()
    """One item for each, in this order."""


class SwarmPlan(Wire):
    """A whole plan, as it is reviewed and carried out."""

    goal: str
    """What the items are to reach together."""
    items: tuple[SwarmItem, ...]
    checks: tuple[ProposedCheck, ...] = ()
    """What proves the integrated tree beside the task's own checks."""
    templates: tuple[PlanTemplate, ...] = ()
    """What some of the items were made of, as the model wrote it; nothing follows from it but how they are shown."""
    struck: tuple[str, ...] = ()
    """Items that a person has taken out since the model wrote the plan."""


class ItemRow(Wire):
    """An item as the workflow sees it: its place in the order, and no text."""

    id: str
    depends_on: tuple[str, ...] = ()
    merge_after: tuple[str, ...] = ()
    budget_share: float | None = None
    profile: str = ""
    """Empty: the lead's."""
    has_checks: bool = False


class PlanDigest(Wire):
    """What the workflow learns of a plan; `refused` is all there is of one that cannot be carried out."""

    refused: str = ""
    """Why, for whoever wrote it: each fault with its item, field and remedy; at most 8,000 characters."""
    key: str = ""
    """Of the plan in the store."""
    hash: str = ""
    """SHA-256 (first 16 hex digits) of the plan's canonical JSON: approvals are bound to it."""
    title: str = ""
    """The goal in one line, at most 200 characters."""
    rows: tuple[ItemRow, ...] = ()
    shown: tuple[str, ...] = ()
    """The plan for people, whole or as far as 20 pieces of 2,000 characters go; the rest says where all of it is."""
    changes: tuple[str, ...] = ()
    """The same as a diff from the plan shown before, where there was one; empty: nothing was shown before."""
    struck: tuple[str, ...] = ()
    """Items that a person has taken out since the model wrote it."""
