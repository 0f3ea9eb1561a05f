"""The tool `update_plan`: the agent's plan, replaced whole. It is kept by the workflow; here it is only read back."""

from longshift.adapters.tools.outcome import ToolOutcome, counted
from longshift.contracts.tools import PlanItemStatus, ToolStatus, UpdatePlanArguments

_MARKS = {PlanItemStatus.DONE: "x", PlanItemStatus.IN_PROGRESS: ">", PlanItemStatus.PENDING: " "}


def update_plan(arguments: UpdatePlanArguments) -> ToolOutcome:
    """Take the plan and show it."""
    items = arguments.items
    done = sum(item.status is PlanItemStatus.DONE for item in items)
    active = [item for item in items if item.status is PlanItemStatus.IN_PROGRESS]
    rows = [f"{number:>2}. [{_MARKS[item.status]}] {item.title}" for number, item in enumerate(items, 1)]
    text = "\n".join([f"Plan: {done} of {counted(len(items), 'item')} done.", *rows])
    if len(active) > 1:
        text += f"\nNote: {len(active)} items are in progress; keep to one at a time where you can."
    if arguments.checks:
        text += "\nChecks: " + "; ".join(f"{check.name} (`{check.run}`)" for check in arguments.checks)
    current = f": {active[0].title}" if active else ""
    summary = f"plan {done}/{len(items)}{current}"[:120]
    return ToolOutcome(ToolStatus.OK, text, plan=items, summary=summary, proposed=arguments.checks)
