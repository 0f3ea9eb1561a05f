"""Which payload keys the engine's open sessions need, as far as a bounded look tells.

Of the open workflows the newest are listed, and their memos name the key that they were submitted under; of the newest
among them the first and the last events are read too. Nothing is decrypted.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import structlog
from temporalio.api.common.v1 import Payload, WorkflowExecution
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryReverseRequest,
)
from temporalio.client import Client, RPCError

from longshift.adapters.codec import KeyRing
from longshift.contracts.errors import BadInput
from longshift.payload_codec import is_sealed, key_id_of

log = structlog.get_logger("longshift.codec")

LISTED = 1_000
LOOKED_INTO = 50
LAST_EVENTS = 20
NAMED = 5
"""Workflows that a message names."""
OPEN = "ExecutionStatus = 'Running'"


@dataclass(frozen=True)
class PayloadCensus:
    """What the look found."""

    needed: dict[str, tuple[str, ...]]
    """Key id → the open workflows that need it."""
    clear: tuple[str, ...]
    """Open workflows that were begun without encryption."""

    def missing(self, ring: KeyRing) -> dict[str, tuple[str, ...]]:
        """The keys that a process with this ring does not have, and who needs them."""
        return {key_id: who for key_id, who in self.needed.items() if key_id not in ring.ids}


async def payload_census(client: Client) -> PayloadCensus:
    """Look at the open workflows.

    Raises:
        RPCError: the engine does not let us.
    """
    needed: dict[str, list[str]] = {}
    clear: list[str] = []
    number = 0
    async for execution in client.list_workflows(OPEN, limit=LISTED):
        number += 1
        messages: list[Any] = [execution.raw_info.memo]
        if number <= LOOKED_INTO:
            messages += await _events(client, execution.id, execution.run_id)
        found = [payload for message in messages for payload in _payloads(message)]
        for key_id in {key_id_of(payload) for payload in found if is_sealed(payload)}:
            needed.setdefault(key_id, []).append(execution.id)
        if found and not any(is_sealed(payload) for payload in found):
            clear.append(execution.id)
    return PayloadCensus({key_id: tuple(who) for key_id, who in sorted(needed.items())}, tuple(clear))


async def require_payload_keys(client: Client, ring: KeyRing) -> None:
    """Refuse to work for sessions that cannot be read here: their calls would fail, one after the other.

    Raises:
        BadInput: open sessions need a key that is not in the ring; the message names it, them and the remedy.
    """
    try:
        missing = (await payload_census(client)).missing(ring)
    except RPCError as error:
        log.warning("cannot tell which payload keys are needed", error=error.message)
        return
    if missing:
        raise BadInput(f"payload_keys: {told(missing)}; {remedy(missing)}")


def told(missing: dict[str, tuple[str, ...]]) -> str:
    """Which keys are missing, and for whom."""
    return "; ".join(
        f"the key {key_id!r} is not here, and {len(who)} open workflows need it "
        f"({', '.join(who[:NAMED])}{', …' if len(who) > NAMED else ''})"
        for key_id, who in missing.items()
    )


def remedy(missing: dict[str, tuple[str, ...]]) -> str:
    """What to do about it."""
    ids = ", ".join(missing)
    return (
        f"add {ids} to LONGSHIFT_PAYLOAD_KEYS behind the key that encrypts, or, if it is lost, "
        "end them with `temporal workflow terminate -w ID`"
    )


async def _events(client: Client, workflow_id: str, run_id: str) -> list[Any]:
    """The first event of a run and its last ones."""
    execution = WorkflowExecution(workflow_id=workflow_id, run_id=run_id)
    service = client.workflow_service
    first = await service.get_workflow_execution_history(
        GetWorkflowExecutionHistoryRequest(namespace=client.namespace, execution=execution, maximum_page_size=1)
    )
    last = await service.get_workflow_execution_history_reverse(
        GetWorkflowExecutionHistoryReverseRequest(
            namespace=client.namespace, execution=execution, maximum_page_size=LAST_EVENTS
        )
    )
    return [*first.history.events, *last.history.events]


def _payloads(message: Any) -> Iterator[Payload]:
    """All payloads within a message, search attributes left out: those are never encrypted."""
    if isinstance(message, Payload):
        yield message
        return
    for field, value in message.ListFields():
        if field.name == "search_attributes" or field.type != field.TYPE_MESSAGE:
            continue
        # a map has `values`, a repeated field does not
        parts = [value] if _is_message(value) else value.values() if hasattr(value, "values") else value
        for part in parts:
            if _is_message(part):
                yield from _payloads(part)


def _is_message(value: Any) -> bool:
    return hasattr(value, "ListFields")
