"""What a session keeps of its swarms, and whether people may speak to their sub-agents. A refusal is a text."""

import re

from longshift.contracts.session import AgentStatus, SessionStatus, Steer, StrikeItem
from longshift.contracts.swarm import SwarmSummary
from longshift.contracts.swarm_plan import ITEM_ID_PATTERN
from longshift.policy.session import refuse_update

KEPT_SWARMS = 10
ALL_ITEMS = "*"
REASON_MAX_CHARACTERS = 2_000


def with_swarms(kept: tuple[SwarmSummary, ...], newer: tuple[SwarmSummary, ...]) -> tuple[SwarmSummary, ...]:
    """The latest word of each swarm, in the order in which they began; the latest 10."""
    table = {each.swarm: each for each in kept}
    for each in newer:
        before = table.get(each.swarm)
        table[each.swarm] = each if before is None or each.number >= before.number else before
    return tuple(table.values())[-KEPT_SWARMS:]


def refuse_steer(status: AgentStatus | None, message: Steer) -> str:
    """Why a message for a sub-agent is not taken; one for the agent itself is no matter of this."""
    if message.item is None:
        return ""
    return _refuse_item(message.item, may_be_all=True) or _refuse_idle(status)


def refuse_strike(session: SessionStatus, status: AgentStatus | None, word: StrikeItem, updates: int) -> str:
    """Why an item is not taken out."""
    if refusal := refuse_update(session, "strike", updates):
        return refusal
    if len(word.reason) > REASON_MAX_CHARACTERS:
        return f"reason: {len(word.reason)} characters; at most {REASON_MAX_CHARACTERS}"
    return _refuse_item(word.item, may_be_all=False) or _refuse_idle(status)


def passed_on(item: str) -> str:
    """What a person hears whose word went on to a swarm."""
    whom = "all items that are not settled" if item == ALL_ITEMS else f"item {item}"
    return f"passed on to {whom}"


def _refuse_item(item: str, *, may_be_all: bool) -> str:
    if may_be_all and item == ALL_ITEMS:
        return ""
    if re.fullmatch(ITEM_ID_PATTERN, item):
        return ""
    also = " or * for all" if may_be_all else ""
    return f"item: {item[:80]!r} is no item id; use one that `longshift swarm` lists{also}"


def _refuse_idle(status: AgentStatus | None) -> str:
    return "" if status is not None and status.swarm_at_work else "item: no swarm is at work in this session"
