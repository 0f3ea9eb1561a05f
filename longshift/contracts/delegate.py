"""Arguments of `delegate`: what sub-agents are to do, as the model writes it.

Only the shape is checked here. Ids, orders, scopes and shares are checked all at once in `policy.plan_faults`, whose
errors name the item; the plan that comes of it is `contracts.swarm_plan`'s.
"""

from typing import Annotated

from pydantic import Field, StringConstraints

from longshift.contracts.wire import ToolArguments

MAX_WRITTEN = 1_000
"""Entries of a list. How many items a plan may have is the task's to say."""

_Text = Annotated[str, StringConstraints(max_length=20_000)]
_Texts = tuple[_Text, ...]


class DelegatedCheck(ToolArguments):
    """One proof."""

    name: _Text = Field(description="Letters, digits, spaces and . : - _ only.")
    run: _Text = Field(description="A bash command; exit code 0 proves it.")


class DelegatedItem(ToolArguments):
    """What one sub-agent is to do."""

    id: _Text = Field(description="Lower-case letters, digits and -, at most 40 characters.")
    goal: _Text = Field(description="All that the sub-agent is told: what to do, how to know that it is done.")
    inputs: _Texts = Field(default=(), description="Files or folders to read first, relative to the root.")
    write_scope: _Texts = Field(
        default=(), description="Globs (gitignore syntax) of the files it may change; none: it may change nothing."
    )
    depends_on: _Texts = Field(
        default=(), description="Ids of items that are merged before this one starts; * stands for any characters."
    )
    merge_after: _Texts = Field(
        default=(), description="Ids of items that run at the same time and are merged before this one."
    )
    checks: tuple[DelegatedCheck, ...] = Field(default=(), description="What proves it, in its own worktree.")
    budget_share: float | None = Field(default=None, description="Part of the whole budget, above 0 to 1.")
    model: _Text = Field(default="", description="A model profile; empty: yours.")


class ItemTemplate(DelegatedItem):
    """Many items that differ in their input; every text may have {{input}}, {{number}} and {{slug}}."""

    id: _Text = Field(description="With {{number}} or {{slug}} in it, such as annotate-{{number}}.")
    over: _Texts = Field(
        min_length=1, max_length=MAX_WRITTEN, description="One item for each of these; it is what {{input}} stands for."
    )


class DelegateArguments(ToolArguments):
    """Arguments of `delegate`."""

    goal: _Text = Field(description="What the items are to reach together.")
    items: tuple[DelegatedItem, ...] = Field(default=(), max_length=MAX_WRITTEN)
    templates: tuple[ItemTemplate, ...] = Field(
        default=(),
        max_length=50,
        description="Many alike items: texts with {{input}}, {{number}} (001, 002, …) and {{slug}} in them.",
    )
    checks: tuple[DelegatedCheck, ...] = Field(
        default=(), description="What proves the merged tree, beside the task's own checks."
    )
