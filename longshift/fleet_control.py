"""What all sessions together spend, as the engine tells it, and what people say to it.

The limits of the day and the month are kept by the fleet's workflow. What finished tasks cost is read from the list of
sessions, so that it is known without any limit too.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import (
    Client,
    RPCError,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.service import RPCStatusCode

from longshift.contracts import ids
from longshift.contracts.fleet import FleetLimits, FleetRaise, FleetState
from longshift.contracts.session import SessionState
from longshift.sessions import search_keys
from longshift.sessions.failures import NO_WORKER, SessionRefused, WorkerAbsent, in_words
from longshift.sessions.listing import ALL

ANSWER_SECONDS = 15.0
MOST_SESSIONS = 5_000
"""So many of the newest sessions are looked at for the cost of finished tasks."""


@dataclass(frozen=True)
class Finished:
    """Sessions that ended in a period."""

    period: str
    """`today` or `this month`, both UTC."""
    ended: int
    done: int
    usd: float
    """What all that ended had cost, failed tries included."""
    usd_per_done: float | None
    is_cut: bool = False
    """There are more than were looked at."""


@dataclass(frozen=True)
class FleetView:
    """What is known at one moment."""

    counts: bool
    """There is, or was, a limit, so the fleet counts."""
    state: FleetState
    finished: tuple[Finished, ...]


async def read_fleet(client: Client) -> FleetView:
    """Everything at once.

    Raises:
        WorkerAbsent: nobody answers for the fleet.
        RPCError: the engine does not answer.
    """
    finished = await _finished(client, datetime.now(UTC))
    handle = client.get_workflow_handle(ids.FLEET_WORKFLOW_ID)
    wait = timedelta(seconds=ANSWER_SECONDS)
    try:
        state = await handle.query("status", result_type=FleetState, rpc_timeout=wait)
    except WorkflowQueryFailedError as error:
        raise WorkerAbsent(f"the worker cannot answer: {error}") from None
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND and not error.message.startswith("Namespace "):
            return FleetView(counts=False, state=FleetState(), finished=finished)
        if error.status in {RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.FAILED_PRECONDITION}:
            raise WorkerAbsent(NO_WORKER) from None
        raise
    return FleetView(counts=True, state=state, finished=finished)


async def raise_limits(client: Client, limits: FleetLimits, *, by: str) -> str:
    """The fleet's answer.

    Raises:
        SessionRefused: it is no raise, or there is no such limit.
        WorkerAbsent: nobody took it.
        RPCError: the engine does not answer.
    """
    return await _tell(client, "raise", FleetRaise(limits=limits, by=by))


async def release(client: Client, *, by: str) -> str:
    """The fleet's answer; raises as `raise_limits`."""
    return await _tell(client, "release", by)


async def _tell(client: Client, verb: str, given: Any) -> str:
    handle = client.get_workflow_handle(ids.FLEET_WORKFLOW_ID)
    wait = timedelta(seconds=ANSWER_SECONDS)
    try:
        # Its type is partial.
        return await handle.execute_update(verb, given, result_type=str, rpc_timeout=wait)  # pyright: ignore[reportUnknownMemberType]
    except WorkflowUpdateFailedError as error:
        raise SessionRefused(in_words(error.cause)) from None
    except WorkflowUpdateRPCTimeoutOrCancelledError:
        raise WorkerAbsent(f"nobody took it within {ANSWER_SECONDS:.0f} seconds: {NO_WORKER}") from None
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND or error.message.startswith("Namespace "):
            raise
        raise SessionRefused(
            "no session was ever started under a limit for all together: set one, such as LONGSHIFT_FLEET_USD_PER_DAY"
        ) from None


async def _finished(client: Client, now: datetime) -> tuple[Finished, ...]:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    month = midnight.replace(day=1)
    since = month.strftime("%Y-%m-%dT%H:%M:%SZ")
    rows: list[tuple[datetime, bool, float]] = []
    query = f"{ALL} AND CloseTime >= '{since}'"
    async for each in client.list_workflows(query, limit=MOST_SESSIONS, rpc_timeout=timedelta(seconds=ANSWER_SECONDS)):
        told = each.typed_search_attributes
        is_done = told.get(search_keys.STATE) == SessionState.DONE
        rows.append((each.close_time or now, is_done, told.get(search_keys.COST_USD) or 0.0))
    is_cut = len(rows) >= MOST_SESSIONS
    return tuple(
        _sum(name, [row for row in rows if row[0] >= start], is_cut=is_cut)
        for name, start in (("today", midnight), ("this month", month))
    )


def _sum(period: str, rows: list[tuple[datetime, bool, float]], *, is_cut: bool) -> Finished:
    done, usd = sum(is_done for _, is_done, _ in rows), sum(cost for _, _, cost in rows)
    return Finished(
        period=period,
        ended=len(rows),
        done=done,
        usd=round(usd, 4),
        usd_per_done=round(usd / done, 4) if done else None,
        is_cut=is_cut,
    )
