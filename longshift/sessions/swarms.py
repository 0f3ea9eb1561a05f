"""A session's swarms: the table of items, their reports, the plan. A swarm at work tells by itself; of one that is over
the store does, which also serves for a session that the engine has forgotten.
"""

import re
from dataclasses import dataclass

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from longshift.adapters.store import Store
from longshift.adapters.store.swarm_reports import SwarmReports
from longshift.contracts import ids
from longshift.contracts.agent import AgentProgress
from longshift.contracts.ledger import Spend
from longshift.contracts.reviews import AskKind, Review
from longshift.contracts.session import SessionStatus
from longshift.contracts.swarm import ItemLine, ItemReport, ItemStatus, SwarmResult, SwarmTable
from longshift.contracts.swarm_plan import SwarmPlan
from longshift.policy import review_list, swarm_words
from longshift.sessions.failures import SessionMissing, SwarmMissing, WorkerAbsent
from longshift.sessions.view import ask, read_session

PLANS_LOOKED_FOR = 100
"""Swarms of an agent among which one with the plan that is asked about is looked for."""
_HASH = re.compile(r"\b[0-9a-f]{16}\b")


@dataclass(frozen=True)
class SwarmView:
    """What is known of a swarm at one moment."""

    table: SwarmTable
    result: SwarmResult | None = None
    """Of one that is over."""
    remark: str = ""
    """Why the rest is not the swarm's own answer."""
    is_over: bool = False
    """Nothing more happens to any of its items."""


@dataclass(frozen=True)
class ItemView:
    """What is known of an item."""

    swarm: str
    line: ItemLine
    report: ItemReport | None
    """Of its last attempt that has ended."""
    agent: str
    """Whose transcript it is."""


async def read_swarm(client: Client, store: Store, task_id: str, name: str = "") -> SwarmView:
    """A swarm by its name, `swarm1` or `1`; the latest without one.

    Raises:
        SessionMissing: neither the engine nor the store knows the session.
        SwarmMissing: it has no such swarm, or that no such item.
        StoreUnavailable: the store cannot be read.
        RPCError: the engine does not answer.
    """
    reports = SwarmReports(store)
    status = await _status(client, task_id)
    told = {each.swarm: each for each in status.swarms} if status else {}
    known = tuple(told)
    swarm = swarm_words.chosen(known, name)
    if not swarm:  # the session tells of its latest alone, and may be forgotten
        known = tuple(dict.fromkeys((*await reports.ended(task_id), *known)))
        swarm = swarm_words.chosen(known, name)
    if not swarm:
        there = ", ".join(map(swarm_words.short, known))
        if not there:
            raise SwarmMissing(f"swarm: {task_id} has no swarm (yet): its agent has started no sub-agents")
        raise SwarmMissing(f"swarm: {task_id} has no swarm {name!r}; it has: {there}")
    result = await reports.result(swarm)
    if result is not None:
        return SwarmView(await _table_of(result, reports), result, is_over=True)
    assert status is not None  # what has no result is known of the session alone
    try:
        table = await ask(client, ids.swarm_workflow_id(swarm), "table", SwarmTable)
    except WorkerAbsent as error:
        remark = f"{error}; this is what its session knows"
        return SwarmView(SwarmTable(summary=told[swarm]), remark=remark, is_over=status.state.is_final)
    return SwarmView(table, is_over=status.state.is_final or swarm_words.is_over(table.summary))


async def read_item(client: Client, store: Store, task_id: str, item: str, name: str = "") -> ItemView:
    """An item of a swarm, with the report of its last attempt that has ended.

    Raises as `read_swarm` does.
    """
    view = await read_swarm(client, store, task_id, name)
    swarm = view.table.summary.swarm
    line = next((each for each in view.table.items if each.item == item), None)
    if line is None:
        where = f"swarm {swarm_words.short(swarm)} of {task_id}"
        raise SwarmMissing(f"item: {where} has no item {item!r}; `longshift swarm {task_id}` lists those that it has")
    reports = SwarmReports(store)
    attempt = view.result.attempts.get(item, 0) if view.result else 0
    report = await (reports.report(swarm, item, attempt) if attempt else reports.latest_report(swarm, item))
    if line.status in swarm_words.AT_WORK:
        line = await _as_it_stands(client, swarm, line)
    return ItemView(swarm, line, report, agent=ids.agent_id(ids.item_task_id(swarm, item)))


async def _as_it_stands(client: Client, swarm: str, line: ItemLine) -> ItemLine:
    """The line with what the attempt at work has cost so far, as its sub-agent tells; its swarm counts ended ones."""
    agent = ids.agent_id(ids.item_task_id(swarm, line.item), shift=max(1, line.attempt))
    try:
        now = await ask(client, ids.agent_workflow_id(agent), "progress", AgentProgress)
    except WorkerAbsent:
        return line
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:  # it waits for its slot
            return line
        raise
    return line.model_copy(
        update={
            "steps": line.steps + now.step - now.first_step,
            "tokens": line.tokens + Spend(usage=now.usage).tokens,
            "usd": round(line.usd + now.cost_usd, 4),
        }
    )


async def read_plan(client: Client, store: Store, task_id: str, name: str = "") -> SwarmPlan:
    """The plan that waits for a person, if one does and no swarm is named; else the one that is, or was, carried out.

    Raises as `read_swarm` does.
    """
    if not name:
        status = await _status(client, task_id)
        for review in review_list.open_ones(status.reviews) if status else ():
            asked = await plan_of_question(store, review) if review.ask.kind is AskKind.SWARM else None
            if asked is not None:
                return asked
    view = await read_swarm(client, store, task_id, name)
    plan_hash = view.result.plan_hash if view.result else view.table.summary.plan_hash
    key = view.table.plan_key or ids.plan_key(view.table.summary.swarm, plan_hash)
    plan = await SwarmReports(store).plan(key)
    if plan is None:
        raise SwarmMissing(
            f"swarm: the plan of {view.table.summary.swarm} is not in the store; look at the store's URL"
        )
    return plan


async def plan_of_question(store: Store, review: Review) -> SwarmPlan | None:
    """The plan that a question is about; None where the store has none of those that it names."""
    hashes = _HASH.findall(" ".join((review.ask.question, *review.ask.evidence)))
    for plan_hash in dict.fromkeys(hashes):
        for number in range(1, PLANS_LOOKED_FOR + 1):
            key = ids.plan_key(ids.swarm_id(review.ask.agent, number), plan_hash)
            plan = await SwarmReports(store).plan(key)
            if plan is not None:
                return plan
    return None


async def _status(client: Client, task_id: str) -> SessionStatus | None:
    try:
        return (await read_session(client, task_id)).status
    except SessionMissing:
        return None


async def _table_of(result: SwarmResult, reports: SwarmReports) -> SwarmTable:
    """The table of a swarm that is over, from its reports."""
    found = await reports.reports(result.swarm, result.attempts)
    lines = tuple(_line(item, status, result, found.get(item)) for item, status in result.statuses.items())
    summary = result.summary.model_copy(update={"critical_path": result.critical_path})
    return SwarmTable(summary=summary, items=lines, plan_key=ids.plan_key(result.swarm, result.plan_hash))


def _line(item: str, status: str, result: SwarmResult, report: ItemReport | None) -> ItemLine:
    known = ItemLine(
        item=item,
        status=ItemStatus(status),
        attempt=result.attempts.get(item, 0),
        reason=result.reasons.get(item, "") or (report.reason if report else ""),
    )
    if report is None:
        return known
    return known.model_copy(
        update={
            "steps": report.steps,
            "usd": report.spend.usd,
            "tokens": report.spend.tokens,
            "files": len(report.files),
            "seconds": max(0.0, report.ended_at - report.started_at),
        }
    )
