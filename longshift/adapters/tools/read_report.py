"""The tool `read_report`: what sub-agents reported, out of the store, a page at a time."""

from longshift.adapters.store.swarm_reports import SwarmReports
from longshift.adapters.tools.outcome import ToolContext, ToolOutcome, ToolRefused, counted
from longshift.contracts import ids
from longshift.contracts.read_report import ReadReportArguments
from longshift.contracts.swarm import SwarmResult
from longshift.contracts.swarm_plan import SwarmPlan
from longshift.contracts.tools import ToolStatus
from longshift.policy import report_tree, swarm_words
from longshift.policy.report_tree import Reports


async def read_report(
    arguments: ReadReportArguments, context: ToolContext, reports: SwarmReports | None
) -> ToolOutcome:
    """A page of a report, of a group's, or of the whole result."""
    if arguments.item and arguments.group:
        raise ToolRefused("item: give item or group, not both")
    if reports is None:
        raise ToolRefused("this worker has no store to read reports from")
    known = await reports.ended(ids.task_of_agent(context.agent))
    swarm = swarm_words.chosen(known, arguments.swarm)
    result = await reports.result(swarm) if swarm else None
    plan = await reports.plan(ids.plan_key(swarm, result.plan_hash)) if result is not None else None
    if result is None or plan is None:
        there = ", ".join(map(swarm_words.short, known))
        raise ToolRefused(
            f"swarm: there is no swarm {arguments.swarm!r}; there are: {there}"
            if arguments.swarm and there
            else "no sub-agents of yours have reported yet; delegate gives them work"
        )
    text, again = await _text(arguments, result, plan, reports)
    page = report_tree.page(text, arguments.offset, again)
    what = arguments.item or arguments.group or swarm_words.short(swarm)
    return ToolOutcome(ToolStatus.OK, page, summary=f"read_report: {what} ({counted(len(page), 'character')})")


async def _text(
    arguments: ReadReportArguments, result: SwarmResult, plan: SwarmPlan, reports: SwarmReports
) -> tuple[str, str]:
    """The whole text, and the arguments that ask for more of it."""
    same = f', swarm="{arguments.swarm}"' if arguments.swarm else ""
    if arguments.item:
        return await _item(arguments.item, result, plan, reports), f'item="{arguments.item}"{same}'
    found = await reports.reports(result.swarm, result.attempts)
    known = Reports(plan, found, result.statuses, result.reasons)
    if arguments.group:
        text = report_tree.group_text(known, arguments.group)
        if text is None:
            raise ToolRefused(f"group: there is no group {arguments.group!r}; `all` has the names of its parts")
        return text, f'group="{arguments.group}"{same}'
    text = report_tree.reduced(
        plan,
        found,
        result.statuses,
        result.reasons,
        result.summary,
        result.critical_path,
        branch=result.branch,
        checks=result.checks,
        reason=result.reason,
    )
    return text, same.removeprefix(", ")


async def _item(item: str, result: SwarmResult, plan: SwarmPlan, reports: SwarmReports) -> str:
    if item not in {each.id for each in plan.items}:
        raise ToolRefused(f'item: the plan has no item {item!r}; read_report(group="all") tells of those that it has')
    attempt = result.attempts.get(item)
    report = await reports.report(result.swarm, item, attempt) if attempt else None
    found = {item: report} if report is not None else {}
    return Reports(plan, found, result.statuses, result.reasons).whole(item)
